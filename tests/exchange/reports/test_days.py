"""Days and times are Beijing's; anything else that looks like one is refused."""

from datetime import UTC, date, datetime

import pytest

from contracts.errors import Usage
from exchange.reports.days import bounds, parse_day, parse_since, parse_until


def test_a_day_begins_at_sixteen_hours_utc_the_day_before() -> None:
    """A day in Beijing runs from 16:00 UTC to 16:00 UTC."""
    start, end = bounds(date(2026, 3, 2))

    assert start == datetime(2026, 3, 1, 16, tzinfo=UTC)
    assert end == datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_a_day_as_since_begins_it_and_as_until_ends_it() -> None:
    """From a day to the same day is that whole day."""
    assert (parse_since("2026-03-02"), parse_until("2026-03-02")) == bounds(date(2026, 3, 2))


@pytest.mark.parametrize("text", ["2026-03-02T09:30", "2026-03-02 09:30", "2026-03-02T01:30:00Z"])
def test_a_time_without_a_zone_is_beijing_time(text: str) -> None:
    """A local time means UTC+8; one with a zone means what it says."""
    assert parse_since(text) == parse_until(text) == datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-3-2", "20260302", "2026-W10-1", "0001-01-01", "9999-12-31", "2026-02-30"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    """A day has one spelling, and lies where the log can be."""
    with pytest.raises(Usage):
        parse_day(text)


@pytest.mark.parametrize("text", ["2026-03-02T25:00", "T09:30", "0001-01-01T00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """A time that does not exist is a fault of whoever typed it."""
    with pytest.raises(Usage):
        parse_since(text)
