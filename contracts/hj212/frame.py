"""HJ 212 frames: ``##``, length, segment, checksum, CR LF; and how a TCP stream is cut into them.

Framing and checksum follow HJ 212-2017 table 2 and Annex A; HJ 212-2025 and HJ/T 212-2005 have the same. The
checksum takes only 256 values, so it finds line noise and proves nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.hj212.faults import ChecksumWrong, PacketInvalid, PacketTooLarge

# Table 3 also limits CP to 950 bytes, but beside the other fields no more than that fits anyway.
MAX_SEGMENT_BYTES = 1024
MAX_FRAME_BYTES = MAX_SEGMENT_BYTES + 12
SAMPLE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes between packets that are no packet; ``sample`` is how they begin."""

    size_bytes: int
    sample: bytes = field(default=b"", compare=False)


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
        skipped = at = 0
        sample = b""
        while at < len(self._buffer):
            size = self._whole(at)
            if size is None:
                break
            if size > 0:
                if skipped:
                    yield Skipped(skipped, sample)
                    skipped, sample = 0, b""
                yield bytes(self._buffer[at : at + size])
            else:
                size = self._garbage(at)
                skipped += size
                sample += bytes(self._buffer[at : at + min(size, SAMPLE_BYTES - len(sample))])
            at += size
        # One move of what is left, and not one for each frame.
        del self._buffer[:at]
        if skipped:
            yield Skipped(skipped, sample)

    def _whole(self, at: int) -> int | None:
        """Give the size of the frame at a place; 0 when it cannot be one, None when more must come."""
        head = bytes(self._buffer[at : at + 6])
        if not b"##".startswith(head[:2]) or not (head[2:].isdigit() or len(head) < 3):
            return 0
        if len(head) < 6:
            return None
        length = int(head[2:])
        size = 12 + length
        if length > MAX_SEGMENT_BYTES:
            return 0
        if len(self._buffer) < at + size:
            return None
        return size if self._buffer[at + size - 2 : at + size] == b"\r\n" else 0

    def _garbage(self, at: int) -> int:
        """Count the bytes up to where a frame may begin again."""
        found = self._buffer.find(b"##", at + 1)
        if found >= 0:
            return found - at
        left = len(self._buffer) - at
        return left - (1 if left > 1 and self._buffer.endswith(b"#") else 0)


def checksum(segment: bytes) -> int:
    """Compute the CRC of Annex A; not Modbus CRC, for the register is shifted before the byte comes in.

    One step is register = TABLE[(register >> 8) ^ byte], and TABLE is linear over exclusive or. So a segment
    is folded in halves, the first half carried over the second by one table for all its bytes, until eight
    bytes are left: a few steps on whole byte strings instead of a thousand on single bytes.
    """
    if not segment:
        return 0xFFFF
    rest = bytes((segment[0] ^ 0xFF,)) + segment[1:]
    size = len(rest)
    while size > _LAST_BYTES:
        half = 1 << ((size - 1).bit_length() - 1)
        first = int.from_bytes(rest[:-half].translate(_CARRY[half]), "big")
        rest = (first ^ int.from_bytes(rest[-half:], "big")).to_bytes(half, "big")
        size = half
    register = 0
    for carried, byte in zip(_LAST[-size:], rest, strict=True):
        register ^= carried[byte]
    return register


def frame(segment: bytes) -> bytes:
    """Wrap a segment into a packet; raise PacketTooLarge above 1024 bytes."""
    if len(segment) > MAX_SEGMENT_BYTES:
        raise PacketTooLarge(f"the segment has {len(segment)} bytes")
    return b"##%04d%b%04X\r\n" % (len(segment), segment, checksum(segment))


def unframe(raw: bytes) -> bytes:
    """Give the segment of one whole packet; raise PacketInvalid, ChecksumWrong or PacketTooLarge."""
    if len(raw) > MAX_FRAME_BYTES:
        raise PacketTooLarge(f"the packet has {len(raw)} bytes")
    if len(raw) < 12 or raw[:2] != b"##" or raw[-2:] != b"\r\n" or not raw[2:6].isdigit():
        raise PacketInvalid("not a packet: ##, four digits, segment, four hex digits, CR LF")
    segment = raw[6:-6]
    if int(raw[2:6]) != len(segment):
        raise PacketInvalid(f"the length says {int(raw[2:6])}, the segment has {len(segment)} bytes")
    expected = checksum(segment)
    if raw[-6:-2] != b"%04X" % expected:
        raise ChecksumWrong(f"the checksum of the segment is {expected:04X}")
    return segment


def _table() -> tuple[int, ...]:
    """Work out the eight shifts of Annex A once for each value of the register's low byte."""
    table = []
    for value in range(256):
        register = value
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
        table.append(register)
    return tuple(table)


def _carries(table: tuple[int, ...]) -> dict[int, bytes]:
    """Give, for each power of two, what a byte has become after so many further steps of zero bytes."""
    carried = bytes(register >> 8 for register in table)
    carries = {}
    steps = 1
    while steps <= MAX_SEGMENT_BYTES:
        carries[steps] = carried
        carried = carried.translate(carried)
        steps *= 2
    return carries


def _last(table: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Give, for each of the last bytes, the register that it leaves at the end, the first of them first."""
    tables = [table]
    while len(tables) < _LAST_BYTES:
        tables.insert(0, tuple(tables[0][table[byte] >> 8] for byte in range(256)))
    return tuple(tables)


_LAST_BYTES = 8
_TABLE = _table()
_CARRY = _carries(_TABLE)
_LAST = _last(_TABLE)
