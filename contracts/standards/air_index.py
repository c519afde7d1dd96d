"""The air quality index: sub-indices, level and primary pollutants, in the editions of 2012 and 2026.

HJ 633-2012 held until 2026-02-28, HJ 633-2026 holds from 2026-03-01: the same 50 ug/m3 of PM2.5 is a
sub-index of 69 in the one and of 80 in the other, so every function names its edition. Concentrations are
in ug/m3, of carbon monoxide in mg/m3; they are rounded half to even first (GB/T 8170-2008: whole numbers,
carbon monoxide to one decimal), and a sub-index is always rounded up. The arithmetic is exact: a
floating-point quotient a hair above 50 would be rounded up to 51.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Literal

from contracts.errors import Invalid

TOP_INDEX = 500
STEPS = (0, 50, 100, 150, 200, 300, 400, 500)
IN_FORCE_2026 = date(2026, 3, 1)
_LARGEST = Decimal(10) ** 9


class IndexNotComputable(Invalid):
    """No air quality index follows from these concentrations."""

    code = "air-index-not-computable"
    title_zh = "无法计算空气质量指数"
    next_zh = "浓度须为非负有限数,且标准对该污染物与平均时间有分级限值。"
    next_en = "A concentration is finite and not negative, and the standard has a row for it."


class Edition(StrEnum):
    """The edition of the index."""

    HJ_633_2012 = "HJ 633-2012"
    HJ_633_2026 = "HJ 633-2026"

    @classmethod
    def on(cls, day: date) -> "Edition":
        """Name the edition in force on a day."""
        return cls.HJ_633_2026 if day >= IN_FORCE_2026 else cls.HJ_633_2012


class Pollutant(StrEnum):
    """The six pollutants that the index assesses."""

    SO2 = "SO2"
    NO2 = "NO2"
    PM10 = "PM10"
    CO = "CO"
    O3 = "O3"
    PM25 = "PM2.5"


class Averaging(StrEnum):
    """Over which time a concentration was averaged; ozone's 8 h is the day's highest running mean."""

    HOUR = "1h"
    EIGHT_HOURS = "8h"
    DAY = "24h"


Measure = tuple[Pollutant, Averaging]

# Concentrations at the indices of STEPS (HJ 633-2012 table 1); shorter rows have no value further up.
_ROWS_2012: Mapping[Measure, tuple[int, ...]] = {
    (Pollutant.SO2, Averaging.DAY): (0, 50, 150, 475, 800, 1600, 2100, 2620),
    (Pollutant.SO2, Averaging.HOUR): (0, 150, 500, 650, 800),
    (Pollutant.NO2, Averaging.DAY): (0, 40, 80, 180, 280, 565, 750, 940),
    (Pollutant.NO2, Averaging.HOUR): (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    (Pollutant.CO, Averaging.DAY): (0, 2, 4, 14, 24, 36, 48, 60),
    (Pollutant.CO, Averaging.HOUR): (0, 5, 10, 35, 60, 90, 120, 150),
    (Pollutant.O3, Averaging.EIGHT_HOURS): (0, 100, 160, 215, 265, 800),
    (Pollutant.O3, Averaging.HOUR): (0, 160, 200, 300, 400, 800, 1000, 1200),
    (Pollutant.PM10, Averaging.DAY): (0, 50, 150, 250, 350, 420, 500, 600),
    (Pollutant.PM25, Averaging.DAY): (0, 35, 75, 115, 150, 250, 350, 500),
}
# HJ 633-2026 table 3 is the table of 2012 but for the two values at 100.
_ROWS_2026: Mapping[Measure, tuple[int, ...]] = {
    **_ROWS_2012,
    (Pollutant.PM10, Averaging.DAY): (0, 50, 120, 250, 350, 420, 500, 600),
    (Pollutant.PM25, Averaging.DAY): (0, 35, 60, 115, 150, 250, 350, 500),
}
ROWS: Mapping[Edition, Mapping[Measure, tuple[int, ...]]] = {
    Edition.HJ_633_2012: _ROWS_2012,
    Edition.HJ_633_2026: _ROWS_2026,
}


@dataclass(frozen=True, slots=True)
class AirIndex:
    """What an hour's or a day's concentrations amount to.

    ``level`` is 1 (excellent) to 6 (severe). ``primary`` names the pollutants with the highest sub-index, and
    is empty up to an index of 50; ``above_limit`` names those whose sub-index is above 100.
    """

    edition: Edition
    index: int
    level: Literal[1, 2, 3, 4, 5, 6]
    primary: tuple[Pollutant, ...]
    above_limit: tuple[Pollutant, ...]
    parts: Mapping[Measure, int]


def unit_of(pollutant: Pollutant) -> str:
    """Name the unit in which a concentration is given."""
    return "mg/m3" if pollutant is Pollutant.CO else "ug/m3"


def sub_index(measure: Measure, concentration: Decimal, *, edition: Edition) -> int | None:
    """Compute the IAQI of one concentration, 0 to 500; raise IndexNotComputable.

    None where the standard stops: by HJ 633-2012 (table 1, notes 2 and 3) sulphur dioxide of an hour and
    ozone of 8 hours above 800 ug/m3 are reported by their other averaging time; HJ 633-2026 counts them as
    200 and as 300. Particles of an hour are read in the day's row, as the real-time report does.
    """
    row = _row(measure, edition)
    value = _rounded(measure[0], concentration)
    for (low, high), (below, above) in zip(pairwise(row), pairwise(STEPS), strict=False):
        if value <= high:
            return ceil(Fraction(above - below, high - low) * (Fraction(value) - low) + below)
    if len(row) == len(STEPS):
        return TOP_INDEX
    return None if edition is Edition.HJ_633_2012 else STEPS[len(row) - 1]


def air_index(concentrations: Mapping[Measure, Decimal], *, edition: Edition) -> AirIndex:
    """Compute the index of an hour or a day; raise IndexNotComputable where no sub-index is left."""
    parts = {
        measure: part
        for measure, value in concentrations.items()
        if (part := sub_index(measure, value, edition=edition)) is not None
    }
    if not parts:
        raise IndexNotComputable("no concentration gives a sub-index")
    index = max(parts.values())
    return AirIndex(
        edition=edition,
        index=index,
        level=level_of(index),
        primary=_with(parts, lambda part: part == index and index > 50),
        above_limit=_with(parts, lambda part: part > 100),
        parts=parts,
    )


def level_of(index: int) -> Literal[1, 2, 3, 4, 5, 6]:
    """Give the level of an index: 1 up to 50, 2 up to 100, 3 up to 150, 4 up to 200, 5 up to 300, else 6."""
    if index < 0:
        raise IndexNotComputable("an index is not negative")
    levels: tuple[tuple[int, Literal[1, 2, 3, 4, 5]], ...] = ((50, 1), (100, 2), (150, 3), (200, 4), (300, 5))
    return next((level for top, level in levels if index <= top), 6)


def _with(parts: Mapping[Measure, int], holds: Callable[[int], bool]) -> tuple[Pollutant, ...]:
    named = {measure[0] for measure, part in parts.items() if holds(part)}
    return tuple(pollutant for pollutant in Pollutant if pollutant in named)


def _row(measure: Measure, edition: Edition) -> tuple[int, ...]:
    pollutant, averaging = measure
    if averaging is Averaging.HOUR and pollutant in {Pollutant.PM10, Pollutant.PM25}:
        measure = (pollutant, Averaging.DAY)
    row = ROWS[edition].get(measure)
    if row is None:
        raise IndexNotComputable(f"{edition} has no row for {pollutant} over {averaging}")
    return row


def _rounded(pollutant: Pollutant, concentration: Decimal) -> Decimal:
    if not concentration.is_finite() or not 0 <= concentration <= _LARGEST:
        raise IndexNotComputable(f"{pollutant} is not a concentration")
    step = Decimal("0.1") if pollutant is Pollutant.CO else Decimal(1)
    return concentration.quantize(step, rounding=ROUND_HALF_EVEN)
