"""Time: aware UTC inside, UTC+8 for people."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import (
    FrozenClock,
    SystemClock,
    beijing,
    epoch_ms,
    from_epoch_ms,
    monotonic_seconds,
    parse_rfc3339,
    rfc3339,
)
from contracts.errors import Invalid

AT = datetime(2026, 11, 22, 16, 30, 5, 123_000, UTC)


def test_a_frozen_clock_moves_only_when_told() -> None:
    """A frozen clock gives its moment until it is advanced."""
    clock = FrozenClock(AT)
    first = clock.now()
    clock.advance(1.5)

    assert (first, clock.now()) == (AT, AT + timedelta(seconds=1.5))


def test_the_system_clock_is_aware() -> None:
    """The machine's time carries its zone, and measuring never goes back."""
    assert SystemClock().now().tzinfo is UTC
    assert monotonic_seconds() <= monotonic_seconds()


@given(st.integers(0, 4_000_000_000_000))
def test_milliseconds_come_back(ms: int) -> None:
    """A moment in whole milliseconds survives the trip through epoch and RFC 3339."""
    at = from_epoch_ms(ms)

    assert epoch_ms(at) in {ms, ms - 1}  # a float of milliseconds may fall just below
    assert parse_rfc3339(rfc3339(at)) == at.replace(microsecond=at.microsecond // 1000 * 1000)


@pytest.mark.parametrize("text", ["2026-11-22T16:30:05", "yesterday", "", "2026-02-30T00:00:00Z"])
def test_times_without_zone_or_day_are_refused(text: str) -> None:
    """A time without a zone, or that does not exist, is refused."""
    with pytest.raises(Invalid):
        parse_rfc3339(text)


def test_people_read_utc_plus_eight() -> None:
    """A moment late in the UTC day is shown on the next day in China."""
    assert beijing(AT) == "2026-11-23 00:30:05"
    assert parse_rfc3339("2026-11-23T00:30:05.123+08:00") == AT
