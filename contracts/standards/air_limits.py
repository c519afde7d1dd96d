"""Limits of ambient air quality: GB 3095-2026 table 1, in its two stages.

The transition stage holds from 2026-03-01 to 2030-12-31 and the final one from 2031-01-01. Class 1 is for
nature reserves and other areas under special protection, class 2 for all others (section 4).
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from contracts.errors import NotFound
from contracts.standards.air_index import Pollutant

FINAL_FROM = date(2031, 1, 1)
TRANSITION_FROM = date(2026, 3, 1)


class NoSuchLimit(NotFound):
    """GB 3095-2026 sets no such limit."""

    code = "no-such-air-limit"
    title_zh = "GB 3095-2026 没有该限值"
    next_zh = "核对污染物、平均时间与日期;2026-03-01 之前适用 GB 3095-2012。"
    next_en = "Check pollutant, averaging time and day; before 2026-03-01 GB 3095-2012 held."


class Period(StrEnum):
    """The averaging time of a limit; ozone's 8 hours are the day's highest running mean."""

    HOUR = "1h"
    EIGHT_HOURS = "8h_daily_max"
    DAY = "24h"
    YEAR = "annual"


@dataclass(frozen=True, slots=True)
class Limit:
    """The highest concentration allowed, in ``unit``: class 1 and class 2, in both stages."""

    pollutant: Pollutant
    period: Period
    unit: str
    transition: tuple[Decimal, Decimal]
    final: tuple[Decimal, Decimal]


def _limit(pollutant: Pollutant, period: Period, *values: int) -> Limit:
    one, two, final_one, final_two = map(Decimal, values)
    unit = "mg/m3" if pollutant is Pollutant.CO else "ug/m3"
    return Limit(pollutant, period, unit, (one, two), (final_one, final_two))


LIMITS: tuple[Limit, ...] = (
    _limit(Pollutant.SO2, Period.YEAR, 20, 60, 20, 20),
    _limit(Pollutant.SO2, Period.DAY, 50, 150, 50, 50),
    _limit(Pollutant.SO2, Period.HOUR, 150, 500, 150, 150),
    _limit(Pollutant.NO2, Period.YEAR, 40, 40, 30, 30),
    _limit(Pollutant.NO2, Period.DAY, 80, 80, 50, 50),
    _limit(Pollutant.NO2, Period.HOUR, 200, 200, 200, 200),
    _limit(Pollutant.CO, Period.DAY, 4, 4, 4, 4),
    _limit(Pollutant.CO, Period.HOUR, 10, 10, 10, 10),
    _limit(Pollutant.O3, Period.EIGHT_HOURS, 100, 160, 100, 160),
    _limit(Pollutant.O3, Period.HOUR, 160, 200, 160, 200),
    _limit(Pollutant.PM10, Period.YEAR, 40, 60, 20, 50),
    _limit(Pollutant.PM10, Period.DAY, 50, 120, 50, 100),
    _limit(Pollutant.PM25, Period.YEAR, 15, 30, 10, 25),
    _limit(Pollutant.PM25, Period.DAY, 35, 60, 25, 50),
)


def limit_on(day: date, pollutant: Pollutant, period: Period, *, area_class: Literal[1, 2] = 2) -> Decimal:
    """Give the limit in force on a day, in the limit's unit; raise NoSuchLimit."""
    found = next((one for one in LIMITS if (one.pollutant, one.period) == (pollutant, period)), None)
    if found is None or day < TRANSITION_FROM:
        raise NoSuchLimit(f"{pollutant} over {period} on {day}")
    return (found.final if day >= FINAL_FROM else found.transition)[area_class - 1]
