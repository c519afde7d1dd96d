"""Byte ranges, as RFC 9110 section 14 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.delivering.ranges import ByteRange, RangeNotSatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ByteRange(0, 99, partial=False)),
        ("bytes=0-9", ByteRange(0, 9, partial=True)),
        ("bytes=90-", ByteRange(90, 99, partial=True)),
        ("bytes=90-500", ByteRange(90, 99, partial=True)),
        ("bytes=-10", ByteRange(90, 99, partial=True)),
        ("bytes=-500", ByteRange(0, 99, partial=True)),
        ("bytes=0-1,5-6", ByteRange(0, 99, partial=False)),
        ("rows=0-9", ByteRange(0, 99, partial=False)),
        ("bytes=9-1", ByteRange(0, 99, partial=False)),
        ("bytes=-", ByteRange(0, 99, partial=False)),
        ("bytes= 1-2", ByteRange(0, 99, partial=False)),
    ],
)
def test_a_range_is_read_or_ignored(header: str | None, expected: ByteRange) -> None:
    """One range of bytes is served; odd, several and foreign ones mean the whole content."""
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_the_content_is_refused(header: str) -> None:
    """RFC 9110 s15.5.17: the refusal names the length."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 100)

    assert caught.value.facts == {"size_bytes": 100}


@given(header=st.text(max_size=30), size=st.integers(1, 10**12))
def test_no_header_reaches_outside_the_content(header: str, size: int) -> None:
    """Whatever is asked, first and last lie inside, or the request is refused."""
    try:
        found = parse_range(header, size)
    except RangeNotSatisfiable:
        return

    assert 0 <= found.first <= found.last < size
