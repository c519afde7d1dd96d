"""Byte ranges of a GET: at most one, as RFC 9110 section 14 has them.

A header of another unit, of odd spelling or of several ranges is ignored, as the RFC allows, and the whole
content is meant; a range that lies outside the content is refused with the content's length.
"""

import re
from dataclasses import dataclass

from contracts.errors import Invalid

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


class RangeNotSatisfiable(Invalid):
    """The range lies outside the content."""

    code = "range-not-satisfiable"
    title_zh = "请求的字节范围超出内容长度"
    next_zh = "按 Content-Range 给出的总长度重新请求。"
    next_en = "Ask again within the length that Content-Range names."


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``first`` to ``last``, both included; of empty content ``last`` is -1."""

    first: int
    last: int
    partial: bool

    @property
    def length(self) -> int:
        """Count the bytes."""
        return self.last - self.first + 1

    def content_range(self, size_bytes: int) -> str:
        """Write the Content-Range header."""
        return f"bytes {self.first}-{self.last}/{size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange:
    """Read a Range header against content of ``size_bytes``; raise RangeNotSatisfiable."""
    whole = ByteRange(0, size_bytes - 1, partial=False)
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return whole
    if match[1] == "":
        length = min(int(match[2]), size_bytes)
        first, last = size_bytes - length, size_bytes - 1
    else:
        first = int(match[1])
        last = min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
        if match[2] and int(match[2]) < first:
            return whole
    if first > last:
        raise RangeNotSatisfiable(f"the content has {size_bytes} bytes", size_bytes=size_bytes)
    return ByteRange(first, last, partial=True)
