"""How many rows and bytes the row groups of a Parquet file hold, as its footer says.

Polars reads rows and keeps this to itself. The footer is a ``FileMetaData`` of the Parquet format in Thrift's
compact protocol; what is of no interest here is stepped over. Nothing depends on it but how a file is cut: a
footer that cannot be read so is the business of whoever reads the rows.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_FOOTER_BYTES = 1 << 20
_MAX_DEPTH = 16
_TAIL_BYTES = 8
_MAGIC = b"PAR1"

# Thrift's compact protocol: a flag is its own type; a byte; where the length of a list is written apart.
_FLAGS = frozenset({1, 2})
_TRUE, _BYTE, _LONG = 1, 3, 15

# Field numbers of parquet.thrift.
_ROW_GROUPS = 4
_COLUMNS, _ROWS = 1, 3
_META_DATA = 3
_PATH, _UNPACKED_BYTES = 3, 6

Fields = Mapping[int, Any]  # Any: a number, bytes, a list or again fields


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group: its rows, and the bytes of each column once they are unpacked, nested ones together."""

    rows: int
    unpacked_bytes: Mapping[str, int]


def read_row_groups(path: Path) -> list[RowGroup] | None:
    """List the row groups of a file; None where the footer is long, encrypted or not understood."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(size, _TAIL_BYTES), os.SEEK_END)
        tail = file.read()
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or not 0 < length <= min(size - _TAIL_BYTES, MAX_FOOTER_BYTES):
            return None
        file.seek(-_TAIL_BYTES - length, os.SEEK_END)
        footer = file.read(length)
    try:
        return [_row_group(fields) for fields in _Reader(footer).struct()[_ROW_GROUPS]]
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _row_group(fields: Fields) -> RowGroup:
    unpacked: dict[str, int] = {}
    for column in fields[_COLUMNS]:
        known = column[_META_DATA]
        name = known[_PATH][0].decode()
        unpacked[name] = unpacked.get(name, 0) + _count(known[_UNPACKED_BYTES])
    return RowGroup(_count(fields[_ROWS]), unpacked)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value


class _Reader:
    """Reads values one after the other; raises IndexError or ValueError where there is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int = 0) -> Fields:
        """Read fields up to the stop."""
        fields: dict[int, Any] = {}  # Any: see Fields
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == _TRUE if kind in _FLAGS else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:  # Any: see Fields
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        match kind:
            case 3:  # a byte
                return self._byte()
            case 4 | 5 | 6:  # whole numbers of 16, 32 and 64 bits
                return self._signed()
            case 7:  # a double
                return self._take(8)
            case 8:  # text or bytes
                return self._take(self._varint())
            case 9 | 10:  # a list or a set
                return self._list(depth + 1)
            case 12:
                return self.struct(depth + 1)
        raise ValueError("no such type")

    def _list(self, depth: int) -> list[Any]:  # Any: see Fields
        head = self._byte()
        size = head >> 4 if head >> 4 < _LONG else self._varint()
        kind = _BYTE if head & 15 in _FLAGS else head & 15
        if size > len(self._data):
            raise ValueError("more elements than bytes")
        return [self._value(kind, depth) for _ in range(size)]

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise IndexError
        self._at += size
        return taken

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("too long a number")

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
