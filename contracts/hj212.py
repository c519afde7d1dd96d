"""HJ 212-2017 packets: what online monitoring devices send over TCP, as bytes and as values.

Framing, fields, flag bits and the checksum follow HJ 212-2017 section 6 and Annex A; the parser accepts one
spelling and says what is wrong with any other. The checksum takes only 256 values, so it finds line noise and
proves nothing. Concentrations of particles are in ng/m3 by default (table B.2), where GB 3095 uses ug/m3.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag

from contracts.clock import BEIJING
from contracts.errors import Invalid, TooLarge

# Table 3 also limits CP to 950 bytes, but beside the other fields no more than that fits anyway.
MAX_SEGMENT_BYTES = 1024
DATA_ANSWER = "9014"
MINUTE_DATA = "2051"
HOUR_DATA = "2061"
SYSTEM_ANSWER = "91"

_QN = re.compile(r"[0-9]{17}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9]{1,20}(-[A-Za-z0-9]{1,20})?", re.ASCII)
_VALUE = re.compile(r"[^;,=&\x00-\x1f\x7f]*")
_HEAD = re.compile(
    r"QN=(?P<qn>[^;]*);ST=(?P<st>[0-9]{2});CN=(?P<cn>[0-9]{4});PW=(?P<pw>[0-9A-Za-z]{1,6});"
    r"MN=(?P<mn>[0-9A-F]{24});Flag=(?P<flag>[0-9]{1,3});"
    r"(?:PNUM=(?P<pnum>[0-9]{1,4});PNO=(?P<pno>[0-9]{1,4});)?CP=&&(?P<content>.*)&&",
    re.ASCII | re.DOTALL,
)


class PacketInvalid(Invalid):
    """A packet does not follow HJ 212-2017."""

    code = "hj212-invalid"
    title_zh = "报文不符合 HJ 212-2017"
    next_zh = "核对现场机的协议版本与报文;不合规的报文不应答,现场机会重发。"
    next_en = "Check the device's protocol version and packet; it gets no answer and will send again."


class ChecksumWrong(PacketInvalid):
    """A packet's checksum does not fit its segment."""

    code = "hj212-checksum"
    title_zh = "报文 CRC 校验错误"


class PacketTooLarge(TooLarge):
    """A packet is longer than HJ 212-2017 allows."""

    code = "hj212-too-large"
    title_zh = "报文超过 HJ 212-2017 的长度上限"
    next_zh = "数据段至多 1024 字节;请分包发送。"
    next_en = "A segment holds 1024 bytes at most; send it as sub-packets."


class Flag(IntFlag):
    """The flag bits V5..V0 D A of section 6.3.3; the version bits 000001 mean the 2017 edition."""

    ANSWER = 1
    SPLIT = 2
    VERSION_2017 = 4


@dataclass(frozen=True, slots=True)
class Factor:
    """One monitored quantity: names, and the units that HJ 212-2017 annex B gives by default."""

    code: str
    name_zh: str
    name_en: str
    unit: str
    total_unit: str | None


FACTORS: Mapping[str, Factor] = {
    factor.code: factor
    for factor in (
        Factor("a34004", "细颗粒物 PM2.5", "PM2.5", "ng/m3", "g"),
        Factor("a34002", "可吸入颗粒物 PM10", "PM10", "ng/m3", "g"),
        Factor("a21026", "二氧化硫", "sulphur dioxide", "mg/m3", "kg"),
        Factor("a21004", "二氧化氮", "nitrogen dioxide", "mg/m3", "kg"),
        Factor("a21005", "一氧化碳", "carbon monoxide", "mg/m3", "kg"),
        # Ozone stands in HJ 524-2009 and not in table B.2, so its unit is that of the other gases there.
        Factor("a05024", "臭氧", "ozone", "mg/m3", "kg"),
        Factor("w01001", "pH 值", "pH", "1", None),
        Factor("w01009", "溶解氧", "dissolved oxygen", "mg/L", None),
        Factor("w01018", "化学需氧量", "chemical oxygen demand", "mg/L", "kg"),
        Factor("w21003", "氨氮", "ammonia nitrogen", "mg/L", "kg"),
    )
}

# One item of CP: the values that belong together, as (name, value) in the order they were sent.
Item = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet (table 3). ``qn`` is the device's local time, YYYYMMDDhhmmsszzz; ``items`` is CP."""

    qn: str
    st: str
    cn: str
    pw: str
    mn: str
    flag: int
    items: tuple[Item, ...] = ()
    pnum: int | None = None
    pno: int | None = None

    @property
    def wants_answer(self) -> bool:
        """Tell whether the sender waits for an answer (bit A)."""
        return bool(self.flag & Flag.ANSWER)

    def segment(self) -> bytes:
        """Write the data segment; raise PacketInvalid or PacketTooLarge for what could not be read back."""
        part = "" if self.pnum is None else f"PNUM={self.pnum};PNO={self.pno};"
        content = ";".join(",".join(f"{name}={value}" for name, value in item) for item in self.items)
        text = (
            f"QN={self.qn};ST={self.st};CN={self.cn};PW={self.pw};MN={self.mn};Flag={self.flag};"
            f"{part}CP=&&{content}&&"
        )
        segment = text.encode()
        if parse_segment(segment) != self:
            raise PacketInvalid("the packet's values cannot be told apart once they are written")
        return segment

    def frame(self) -> bytes:
        """Write the whole packet: ``##``, length, segment, checksum, CR LF."""
        return frame(self.segment())

    def answer(self) -> "Packet":
        """Build the data answer 9014 (section 6.6.5): same QN, PW and MN; ST 91, flag 4, empty CP."""
        return Packet(self.qn, SYSTEM_ANSWER, DATA_ANSWER, self.pw, self.mn, int(Flag.VERSION_2017))


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes between packets that are no packet."""

    size_bytes: int


class Splitter:
    """Cuts a TCP stream into frames, whatever way the packets were split, merged or spoilt.

    It holds at most one frame: after garbage, a wrong length or a missing CR LF it looks for the next ``##``.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Count the bytes of a frame that has begun and is not yet whole."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes | Skipped]:
        """Take more bytes; give each whole frame (checksum not yet checked) and each run of garbage."""
        self._buffer += data
        skipped = 0
        while self._buffer:
            size = self._whole()
            if size is None:
                break
            if size > 0:
                if skipped:
                    yield Skipped(skipped)
                    skipped = 0
                yield bytes(self._buffer[:size])
            else:
                size = self._garbage()
                skipped += size
            del self._buffer[:size]
        if skipped:
            yield Skipped(skipped)

    def _whole(self) -> int | None:
        """Give the size of the frame at the front; 0 when it cannot be one, None when more must come."""
        head = bytes(self._buffer[:6])
        if not b"##".startswith(head[:2]) or not all(48 <= byte <= 57 for byte in head[2:]):
            return 0
        if len(head) < 6:
            return None
        length = int(head[2:])
        size = 6 + length + 6
        if length > MAX_SEGMENT_BYTES:
            return 0
        if len(self._buffer) < size:
            return None
        return size if self._buffer[size - 2 : size] == b"\r\n" else 0

    def _garbage(self) -> int:
        """Count the bytes up to where a frame may begin again."""
        at = self._buffer.find(b"##", 1)
        if at >= 0:
            return at
        return len(self._buffer) - (1 if len(self._buffer) > 1 and self._buffer.endswith(b"#") else 0)


def checksum(segment: bytes) -> int:
    """Compute the CRC of Annex A; not Modbus CRC, for the register is shifted before the byte comes in."""
    register = 0xFFFF
    for byte in segment:
        register = _TABLE[(register >> 8) ^ byte]
    return register


def frame(segment: bytes) -> bytes:
    """Wrap a segment into a packet; raise PacketTooLarge above 1024 bytes."""
    if len(segment) > MAX_SEGMENT_BYTES:
        raise PacketTooLarge(f"the segment has {len(segment)} bytes")
    return b"##%04d%b%04X\r\n" % (len(segment), segment, checksum(segment))


def parse_frame(raw: bytes) -> Packet:
    """Read one whole packet; raise PacketInvalid, ChecksumWrong or PacketTooLarge."""
    if len(raw) > 12 + MAX_SEGMENT_BYTES:
        raise PacketTooLarge(f"the packet has {len(raw)} bytes")
    if len(raw) < 12 or raw[:2] != b"##" or raw[-2:] != b"\r\n" or not raw[2:6].isdigit():
        raise PacketInvalid("not a packet: ##, four digits, segment, four hex digits, CR LF")
    segment, crc = raw[6:-6], raw[-6:-2]
    if int(raw[2:6]) != len(segment):
        raise PacketInvalid(f"the length says {int(raw[2:6])}, the segment has {len(segment)} bytes")
    if crc != b"%04X" % checksum(segment):
        raise ChecksumWrong(f"the checksum of the segment is {checksum(segment):04X}")
    return parse_segment(segment)


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
    flag = int(match["flag"])
    _check_head(match["qn"], flag, match["flag"], split=match["pnum"] is not None)
    pnum, pno = (int(match[name]) if match[name] else None for name in ("pnum", "pno"))
    if pnum is not None and pno is not None and not 1 <= pno <= pnum:
        raise PacketInvalid("PNO is not between 1 and PNUM")
    items = _items(match["content"])
    return Packet(
        match["qn"], match["st"], match["cn"], match["pw"], match["mn"], flag, items, pnum=pnum, pno=pno
    )


def parse_time(text: str) -> datetime:
    """Read YYYYMMDDhhmmss or YYYYMMDDhhmmsszzz, local time UTC+8, as an aware moment; raise PacketInvalid."""
    digits = text if len(text) == 17 else text + "000"
    if not _QN.fullmatch(digits):
        raise PacketInvalid("a time is not YYYYMMDDhhmmss")
    try:
        moment = datetime.strptime(digits[:14] + "+0800", "%Y%m%d%H%M%S%z")
    except ValueError as error:
        raise PacketInvalid("a time is not in the calendar") from error
    return moment.replace(microsecond=int(digits[14:]) * 1000, tzinfo=BEIJING)


def _check_head(qn: str, flag: int, spelled: str, *, split: bool) -> None:
    if len(qn) != 17:
        raise PacketInvalid("QN is not YYYYMMDDhhmmsszzz")
    parse_time(qn)
    if str(flag) != spelled or flag > 255 or flag >> 2 != 1:
        raise PacketInvalid("Flag does not name the 2017 edition (version bits 000001)")
    if split != bool(flag & Flag.SPLIT):
        raise PacketInvalid("PNUM and PNO do not fit the flag's bit D")


def _items(content: str) -> tuple[Item, ...]:
    if not content:
        return ()
    if "##" in content:
        raise PacketInvalid("CP holds ##, which begins a packet")
    items = []
    for item in content.split(";"):
        pairs = []
        for pair in item.split(","):
            name, equals, value = pair.partition("=")
            if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise PacketInvalid("CP is not name=value, with values by comma and items by semicolon")
            pairs.append((name, value))
        items.append(tuple(pairs))
    return tuple(items)


def _table() -> tuple[int, ...]:
    """Work out the eight shifts of Annex A once for each value of the register's low byte."""
    table = []
    for value in range(256):
        register = value
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
        table.append(register)
    return tuple(table)


_TABLE = _table()
