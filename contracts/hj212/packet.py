"""HJ 212 packets as values: the data segment of HJ 212-2017 table 3, read strictly and written back the same.

The parser accepts one spelling and says what is wrong with any other. HJ 212-2025 differs in the version
bits and in an encrypted content (``contracts.hj212.sm4``), HJ/T 212-2005 in the version bits and an MN of 14
characters.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from contracts.clock import BEIJING
from contracts.hj212.commands import DATA_ANSWER, EDITIONS, SYSTEM_ANSWER, Edition, Flag, encrypts
from contracts.hj212.faults import PacketInvalid, PacketTooLarge
from contracts.hj212.frame import MAX_SEGMENT_BYTES, frame, unframe

_TIME_OF_DAY = re.compile(r"(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){2}[0-9]{3}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{14}(?:[0-9]{3})?", re.ASCII)
_PAIR = r"[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20})?=[^;,=&\x00-\x1f\x7f]*"
_CONTENT = re.compile(rf"{_PAIR}(?:[,;]{_PAIR})*")
# Whole blocks of 16 bytes in hexadecimal: clear content always has an equals sign.
_SEALED = re.compile(r"(?:[0-9A-F]{32})+|(?:[0-9a-f]{32})+", re.ASCII)
_HEAD = re.compile(
    r"QN=(?P<qn>[^;]*);ST=(?P<st>[0-9]{2});CN=(?P<cn>[0-9]{4});PW=(?P<pw>[0-9A-Za-z]{1,6});"
    r"MN=(?P<mn>[0-9A-F]{24}|[0-9A-Za-z]{14});Flag=(?P<flag>0|[1-9][0-9]{0,2});"
    r"(?:PNUM=(?P<pnum>[0-9]{1,4});PNO=(?P<pno>[0-9]{1,4});)?CP=&&(?P<content>.*)&&",
    re.ASCII | re.DOTALL,
)

# One item of CP: the values that belong together, as (name, value) in the order they were sent.
Item = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet (table 3). ``qn`` is the device's local time, YYYYMMDDhhmmsszzz; ``items`` is CP.

    ``sealed`` is CP as it came where it is encrypted; then ``items`` is empty until it is opened.
    """

    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int
    items: tuple[Item, ...] = ()
    pnum: int | None = None
    pno: int | None = None
    sealed: str | None = None

    @property
    def wants_answer(self) -> bool:
        """Tell whether the sender waits for an answer (bit A)."""
        return bool(self.flag & Flag.ANSWER)

    @property
    def edition(self) -> Edition:
        """Name the edition that the flag's version bits say."""
        return EDITIONS[self.flag >> 2]

    def content(self) -> str:
        """Write CP without the marks around it."""
        if self.sealed is not None:
            return self.sealed
        return ";".join(",".join(f"{name}={value}" for name, value in item) for item in self.items)

    def segment(self) -> bytes:
        """Write the data segment; raise PacketInvalid or PacketTooLarge for what could not be read back."""
        part = "" if self.pnum is None else f"PNUM={self.pnum};PNO={self.pno};"
        text = (
            f"QN={self.qn};ST={self.st};CN={self.cn};PW={self.pw};MN={self.mn};Flag={self.flag};"
            f"{part}CP=&&{self.content()}&&"
        )
        segment = text.encode()
        if parse_segment(segment) != self:
            raise PacketInvalid("the packet's values cannot be told apart once they are written")
        return segment

    def frame(self) -> bytes:
        """Write the whole packet: ``##``, length, segment, checksum, CR LF."""
        return frame(self.segment())

    def answer(self, cn: str = DATA_ANSWER) -> "Packet":
        """Build an answer (section 6.6.5): same QN, PW, MN and edition; ST 91, no other bit, empty CP."""
        return Packet(self.qn, SYSTEM_ANSWER, cn, self.pw, self.mn, self.flag & ~3)

    def answer_frame(self, cn: str = DATA_ANSWER) -> bytes:
        """Write the frame of an answer to a packet that was read, whose values are known to be in order."""
        text = (
            f"QN={self.qn};ST={SYSTEM_ANSWER};CN={cn};PW={self.pw};MN={self.mn};Flag={self.flag & ~3};CP=&&&&"
        )
        return frame(text.encode())


def parse_frame(raw: bytes) -> Packet:
    """Read one whole packet; raise PacketInvalid, ChecksumWrong or PacketTooLarge."""
    return parse_segment(unframe(raw))


def parse_segment(segment: bytes) -> Packet:
    """Read a data segment (table 3); raise PacketInvalid or PacketTooLarge, naming the field and no value."""
    if len(segment) > MAX_SEGMENT_BYTES:
        raise PacketTooLarge(f"the segment has {len(segment)} bytes")
    try:
        text = segment.decode()
    except UnicodeDecodeError as error:
        raise PacketInvalid(f"the segment is not UTF-8 at byte {error.start}") from error
    match = _HEAD.fullmatch(text)
    if match is None:
        raise PacketInvalid("the segment is not QN;ST;CN;PW;MN;Flag;[PNUM;PNO;]CP in their formats")
    qn, st, cn, pw, mn, flag_text, pnum_text, pno_text, content = match.groups()
    flag = int(flag_text)
    _check_head(qn, mn, flag, split=pnum_text is not None)
    pnum, pno = (None, None) if pnum_text is None else (int(pnum_text), int(pno_text))
    if pnum is not None and pno is not None and not 1 <= pno <= pnum:
        raise PacketInvalid("PNO is not between 1 and PNUM")
    if flag >> 2 == _BITS_2025 and encrypts(cn) and _SEALED.fullmatch(content):
        return Packet(qn, st, cn, pw, mn, flag, (), pnum, pno, content)
    return Packet(qn, st, cn, pw, mn, flag, parse_content(content), pnum, pno)


def parse_content(content: str) -> tuple[Item, ...]:
    """Read CP: items by semicolon, values of one item by comma, name=value; raise PacketInvalid."""
    if not content:
        return ()
    if "##" in content:
        raise PacketInvalid("CP holds ##, which begins a packet")
    if _CONTENT.fullmatch(content) is None:
        raise PacketInvalid("CP is not name=value, with values by comma and items by semicolon")
    return tuple(
        [
            tuple([(name, value) for name, _, value in [pair.partition("=") for pair in item.split(",")]])
            for item in content.split(";")
        ]
    )


def parse_time(text: str) -> datetime:
    """Read YYYYMMDDhhmmss or YYYYMMDDhhmmsszzz, local time UTC+8, as an aware moment; raise PacketInvalid."""
    if not _DIGITS.fullmatch(text):
        raise PacketInvalid("a time is not YYYYMMDDhhmmss")
    try:
        return datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[8:10]),
            int(text[10:12]),
            int(text[12:14]),
            int(text[14:] or 0) * 1000,
            BEIJING,
        )
    except ValueError as error:
        raise PacketInvalid("a time is not in the calendar") from error


_BITS_2025 = Edition.Y2025.bits >> 2


@lru_cache(maxsize=1024)
def _check_day(text: str) -> None:
    """Raise PacketInvalid for a day that is not in the calendar; most packets are of the same few days."""
    parse_time(text + "000000")


def _check_head(qn: str, mn: str, flag: int, *, split: bool) -> None:
    if len(qn) != 17:
        raise PacketInvalid("QN is not YYYYMMDDhhmmsszzz")
    _check_day(qn[:8])
    if _TIME_OF_DAY.fullmatch(qn, 8) is None:
        raise PacketInvalid("QN's time of day is not hhmmsszzz")
    version = flag >> 2
    if version not in EDITIONS:
        raise PacketInvalid("Flag names no edition of the standard (version bits 000000, 000001, 000010)")
    if version and len(mn) != 24:
        raise PacketInvalid("MN has 24 hexadecimal digits since the 2017 edition")
    if split != bool(flag & 2):
        raise PacketInvalid("PNUM and PNO do not fit the flag's bit D")
