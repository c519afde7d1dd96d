"""Where the row groups of a Parquet file lie: its footer, read without reading the file (Apache Parquet 2).

Only what an excerpt needs is understood: how many rows each group has, and which bytes. The footer is
written in Thrift's compact protocol, by other people, so every length is checked before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from contracts.errors import Invalid

MAGIC = b"PAR1"
MAX_FOOTER_BYTES = 64 * 1024 * 1024
_TAIL_BYTES = 8  # the footer's length in four bytes, little endian, and the magic
_MAX_DEPTH = 32

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Gives the bytes from an offset up to (not including) another."""

_Value: TypeAlias = "int | bytes | list[_Value] | dict[int, _Value]"


class NoParquet(Invalid):
    """The bytes are no Parquet file that can be read."""

    code = "no-parquet"
    title_zh = "不是可读取的 Parquet 文件"
    next_zh = "行只能从 Parquet 文件摘取;其他文件用 --bytes 指定字节范围。"
    next_en = "Rows are cut from Parquet files; name a range of --bytes for any other file."


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Consecutive rows, counted from 1, and the bytes ``start`` to ``end`` (excluded) that hold them."""

    first_row: int
    rows: int
    start: int
    end: int

    @property
    def last_row(self) -> int:
        """The number of its last row."""
        return self.first_row + self.rows - 1


@dataclass(frozen=True, slots=True)
class Footer:
    """The row groups of a file in order, and where the footer begins."""

    groups: tuple[RowGroup, ...]
    start: int
    rows: int


def read_footer(read: ReadAt, size_bytes: int) -> Footer:
    """Read the footer of a file of ``size_bytes``; raise NoParquet."""
    if size_bytes < len(MAGIC) + _TAIL_BYTES:
        raise NoParquet("the file is too short")
    tail = read(size_bytes - _TAIL_BYTES, size_bytes)
    length = int.from_bytes(tail[:4], "little")
    start = size_bytes - _TAIL_BYTES - length
    if len(tail) != _TAIL_BYTES or tail[4:] != MAGIC or start < len(MAGIC) or length > MAX_FOOTER_BYTES:
        raise NoParquet("the file does not end as a Parquet file does")
    fields = _Compact(read(start, start + length)).struct(0)
    groups, row = [], 1
    for value in _items(fields.get(4)):
        group = _group(_fields(value), row, start)
        groups.append(group)
        row += group.rows
    rows = _whole(fields.get(3))
    if rows != row - 1:
        raise NoParquet("the row groups do not add up to the file's rows")
    return Footer(tuple(groups), start, rows)


def _group(fields: "dict[int, _Value]", first_row: int, footer_start: int) -> RowGroup:
    starts, ends = [], []
    for column in _items(fields.get(1)):
        place = _fields(_fields(column).get(3))
        pages = [_whole(place[field]) for field in (9, 11) if field in place]
        if not pages:
            raise NoParquet("a column says nothing of where it lies")
        starts.append(min(pages))
        ends.append(min(pages) + _whole(place.get(7)))
    if not starts or min(starts) < len(MAGIC) or max(ends) > footer_start:
        raise NoParquet("a row group lies outside the file")
    return RowGroup(first_row, _whole(fields.get(3)), min(starts), max(ends))


class _Compact:
    """A cursor over Thrift's compact protocol; every value is read, few are understood."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def struct(self, depth: int) -> "dict[int, _Value]":
        """Read fields up to the stop byte, by their number."""
        if depth > _MAX_DEPTH:
            raise NoParquet("the footer is nested too deeply")
        fields: dict[int, _Value] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 0x0F
            number = number + delta if delta else self._zigzag()
            fields[number] = int(kind == 1) if kind in {1, 2} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> "_Value":
        match kind:
            case 1 | 2 | 3:  # a boolean inside a list, or one byte
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._take(8)
            case 8:
                return self._take(self._varint())
            case 9 | 10 if depth > _MAX_DEPTH:
                raise NoParquet("the footer is nested too deeply")
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._varint()
                return [self._value(head & 0x0F, depth + 1) for _ in range(self._counted(count))]
            case 12:
                return self.struct(depth + 1)
            case _:
                raise NoParquet(f"the footer holds a value of kind {kind}")

    def _counted(self, count: int) -> int:
        if count > len(self._raw) - self._at:  # each item takes a byte at least
            raise NoParquet("the footer ends inside a list")
        return count

    def _take(self, count: int) -> bytes:
        piece = self._raw[self._at : self._at + count]
        if len(piece) != count:
            raise NoParquet("the footer ends inside a value")
        self._at += count
        return piece

    def _byte(self) -> int:
        return self._take(1)[0]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise NoParquet("a number in the footer is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _items(value: "_Value | None") -> "list[_Value]":
    if not isinstance(value, list):
        raise NoParquet("the footer lacks a list")
    return value


def _fields(value: "_Value | None") -> "dict[int, _Value]":
    if not isinstance(value, dict):
        raise NoParquet("the footer lacks a part")
    return value


def _whole(value: "_Value | None") -> int:
    if not isinstance(value, int) or value < 0:
        raise NoParquet("the footer lacks a number")
    return value
