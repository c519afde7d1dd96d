"""Working days: the arrangements as the State Council published them, and terms counted with them."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import BEIJING
from contracts.workdays.calendar import BadArrangement, WorkingDays, read_arrangement, shipped

CALENDAR = WorkingDays(shipped())
DAY = timedelta(days=1)
BEGAN = datetime(2024, 12, 1, tzinfo=UTC)


def days_of(year: int) -> list[date]:
    """List the days of a year."""
    first = date(year, 1, 1)
    return [first + n * DAY for n in range((date(year + 1, 1, 1) - first).days)]


@pytest.mark.parametrize(("year", "working"), [(2025, 248), (2026, 248)])
def test_a_year_has_its_working_days(year: int, working: int) -> None:
    """The counts are those of the published arrangements."""
    assert sum(map(CALENDAR.is_working, days_of(year))) == working


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-02-14", True),  # a Saturday that is made up before the Spring Festival
        ("2026-02-16", False),
        ("2026-02-24", True),
        ("2026-09-20", True),  # a Sunday that is made up before the National Day
        ("2026-10-07", False),
        ("2026-10-10", True),
        ("2026-10-11", False),
        ("2025-10-08", False),
        ("2025-01-26", True),
    ],
)
def test_holidays_and_days_made_up(day: str, works: bool) -> None:
    """Neither a weekday nor a weekend day says by itself whether people work."""
    assert CALENDAR.is_working(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("since", "end", "guessed"),
    [
        # Over the Mid-Autumn and National Day holidays, with a Sunday and a Saturday that are made up.
        ("2026-09-18T10:00+08:00", "2026-10-10T00:00+08:00", ()),
        ("2026-02-12T23:59+08:00", "2026-03-05T00:00+08:00", ()),
        ("2026-12-22T10:00+08:00", "2027-01-06T00:00+08:00", (2027,)),
        # The day is Beijing's: 16:30 UTC on the 2nd is the 3rd there.
        ("2026-03-02T16:30+00:00", "2026-03-18T00:00+08:00", ()),
    ],
)
def test_ten_working_days(since: str, end: str, guessed: tuple[int, ...]) -> None:
    """The day itself does not count; the term ends with the tenth day, and says what it guessed."""
    term = CALENDAR.term(datetime.fromisoformat(since), 10)

    assert (term.at, term.guessed_years) == (datetime.fromisoformat(end), guessed)


@given(
    st.integers(0, 24 * 780).map(lambda hours: BEGAN + timedelta(hours=hours)),
    st.integers(min_value=1, max_value=40),
)
def test_a_term_holds_so_many_working_days(since: datetime, days: int) -> None:
    """Counted again day by day: exactly so many lie in it, and the last day of it is one of them."""
    end = CALENDAR.term(since, days).at
    first, last = since.astimezone(BEIJING).date() + DAY, end.astimezone(BEIJING).date() - DAY
    counted = [first + n * DAY for n in range((last - first).days + 1)]

    assert sum(map(CALENDAR.is_working, counted)) == days
    assert CALENDAR.is_working(last)


@given(st.integers(0, 24 * 780).map(lambda hours: BEGAN + timedelta(hours=hours)), st.integers(1, 20))
def test_a_later_day_never_ends_earlier(since: datetime, days: int) -> None:
    """Terms keep their order."""
    assert CALENDAR.term(since, days).at <= CALENDAR.term(since + DAY, days).at


def text(**changes: Any) -> bytes:
    """Write an arrangement."""
    values = {
        "year": 2027,
        "document": "test",
        "title": "test",
        "holidays": [{"name": "元旦", "from": "2027-01-01", "to": "2027-01-03"}],
        "make_up": ["2027-01-09"],
    }
    return json.dumps({**values, **changes}).encode()


def test_an_own_arrangement_takes_the_place_of_another() -> None:
    """Of two arrangements of one year the later counts; others stay."""
    extra = read_arrangement(
        text(year=2026, holidays=[{"name": "x", "from": "2026-03-03", "to": "2026-03-03"}], make_up=[])
    )
    mended = WorkingDays([*shipped(), extra])

    assert mended.is_working(date(2026, 10, 1))
    assert not mended.is_working(date(2026, 3, 3))
    assert not mended.is_working(date(2025, 10, 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        text(year=1999),
        text(holidays=[]),
        text(holidays=[{"name": "x", "from": "2027-01-03", "to": "2027-01-01"}]),
        text(holidays=[{"name": "x", "from": "2026-12-31", "to": "2027-01-01"}]),
        text(make_up=["2027-01-02"]),
        text(make_up=["2027-01-04"]),
        text(make_up=["2027-02-30"]),
        text(more=1),
        text(title="x" * 70_000),
    ],
)
def test_a_bad_arrangement_is_refused(raw: bytes) -> None:
    """Half a year's holidays would shorten legal terms in silence."""
    with pytest.raises(BadArrangement):
        read_arrangement(raw)


@given(st.binary(max_size=200))
def test_whatever_bytes_are_read_or_refused(raw: bytes) -> None:
    """Bytes that are no arrangement raise this one error."""
    with pytest.raises(BadArrangement) as refused:
        read_arrangement(raw)

    assert refused.value.detail
