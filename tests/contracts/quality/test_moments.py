"""Times as milliseconds: three forms, and nothing that is none of them."""

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.quality.moments import read_moments

ZONES = st.integers(-14 * 60 + 1, 14 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def _read(*texts: str | None, zone: str | None = None) -> list[int | None]:
    return read_moments([pl.Series("at", texts, dtype=pl.String)], zone).at.to_list()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@given(st.lists(st.datetimes(min_value=datetime(1900, 1, 1), timezones=ZONES), min_size=1, max_size=20))  # noqa: DTZ001
def test_every_rfc_3339_moment_is_read_to_the_millisecond(moments: list[datetime]) -> None:
    """A moment with its own offset is the same instant that the standard library reads."""
    whole = [at.replace(microsecond=at.microsecond // 1000 * 1000) for at in moments]

    assert _read(*(at.isoformat() for at in whole)) == [_ms(at) for at in whole]


@given(st.text(max_size=30))
def test_no_text_stops_the_reading(text: str) -> None:
    """Whatever a cell holds is a time or null, and what is read is written back as the same moment."""
    moments = read_moments([pl.Series("at", [text])], "+00:00")

    (at,) = moments.at.to_list()
    assert at is None or _read(moments.text(at)) == [at]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-01", datetime(2026, 5, 31, 16, tzinfo=UTC)),
        ("2026-06-01T08:00", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01 08:00:30", datetime(2026, 6, 1, 0, 0, 30, tzinfo=UTC)),
        ("2026-06-01T08:00Z", datetime(2026, 6, 1, 8, tzinfo=UTC)),
        ("2026-06-01T08:00:60+08:00", datetime(2026, 6, 1, 0, 1, tzinfo=UTC)),
    ],
)
def test_local_times_are_read_at_the_contracts_offset(text: str, expected: datetime) -> None:
    """A date is its midnight, an own offset comes first, a leap second is the next minute."""
    assert _read(text, zone="+08:00") == [_ms(expected)]


@pytest.mark.parametrize(
    "text",
    ["", "D-0/3/90", "2026-02-30", "2026-06-01T24:00", "2026-6-1", "20260601", "0000-01-01", "9999-12-31"],
)
def test_what_is_no_time_is_null(text: str) -> None:
    """A day that does not exist, or another spelling, is no time."""
    assert _read(text, zone="+08:00") == [None]


def test_local_time_without_a_zone_is_no_moment() -> None:
    """It is ordered and shown as it was written, and nothing else is said of it."""
    moments = read_moments([pl.Series(["2026-06-01T08:00", None])], None)

    assert not moments.anchored
    assert moments.text(moments.at[0]) == "2026-06-01T08:00:00"


def test_moments_are_shown_in_the_contracts_zone() -> None:
    """A reader sees the local hour with its offset, also west of Greenwich."""
    moments = read_moments([pl.Series(["2026-06-01T08:00:00.250Z"])], "-03:30")

    assert moments.text(moments.at[0]) == "2026-06-01T04:30:00.250-03:30"
