"""The limits of GB 3095-2026, by day, period and class of area."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.standards.air_index import Pollutant
from contracts.standards.air_limits import LIMITS, NoSuchLimit, Period, limit_on

TABLE = Path(__file__).parents[3].parent / "shared" / "data" / "codes" / "gb3095_2026_limits.csv"


def test_a_limit_follows_the_stage() -> None:
    """PM2.5 of a day: 60 in the transition, 50 from 2031, and less in areas of class 1."""

    def day(when: date) -> Decimal:
        return limit_on(when, Pollutant.PM25, Period.DAY)

    assert day(date(2026, 3, 1)) == day(date(2030, 12, 31)) == 60
    assert day(date(2031, 1, 1)) == 50
    assert limit_on(date(2031, 1, 1), Pollutant.PM25, Period.DAY, area_class=1) == 25


@pytest.mark.parametrize(
    ("when", "pollutant", "period"),
    [
        (date(2026, 2, 28), Pollutant.PM25, Period.DAY),
        (date(2026, 3, 1), Pollutant.PM25, Period.HOUR),
        (date(2026, 3, 1), Pollutant.O3, Period.YEAR),
    ],
)
def test_a_limit_that_is_not_set_is_not_made_up(when: date, pollutant: Pollutant, period: Period) -> None:
    """Before the standard holds, and where its table is empty, there is no limit."""
    with pytest.raises(NoSuchLimit):
        limit_on(when, pollutant, period)


@pytest.mark.skipif(not TABLE.exists(), reason="the sample data is not beside the project (../shared/data)")
def test_the_limits_are_those_of_the_standard() -> None:
    """All 14 lines are those typed out from table 1."""
    with TABLE.open(encoding="utf-8") as text:
        expected = [tuple(row.values()) for row in csv.DictReader(text)]

    assert [
        (one.pollutant, one.period, one.unit, *map(str, (*one.transition, *one.final))) for one in LIMITS
    ] == expected
