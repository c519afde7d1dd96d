"""The air quality index comes out as both editions of HJ 633 say."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.standards.air_index import (
    ROWS,
    STEPS,
    Averaging,
    Edition,
    IndexNotComputable,
    Measure,
    Pollutant,
    air_index,
    level_of,
    sub_index,
    unit_of,
)

OLD, NEW = Edition.HJ_633_2012, Edition.HJ_633_2026
P, A = Pollutant, Averaging
TABLE = Path(__file__).parents[3].parent / "shared" / "data" / "codes" / "aqi_breakpoints.csv"
MEASURES = [(edition, measure) for edition in Edition for measure in ROWS[edition]]
CONCENTRATIONS = st.decimals(allow_nan=False, min_value=0, max_value=5000, places=2)


@pytest.mark.parametrize(
    ("edition", "measure", "concentration", "expected"),
    [
        (NEW, (P.PM25, A.DAY), "50", 80),
        (OLD, (P.PM25, A.DAY), "50", 69),
        (NEW, (P.PM25, A.DAY), "60", 100),
        (OLD, (P.PM25, A.DAY), "75", 100),
        (NEW, (P.PM25, A.DAY), "75", 114),
        (NEW, (P.PM25, A.DAY), "35", 50),
        (NEW, (P.PM25, A.DAY), "35.5", 52),
        (NEW, (P.PM25, A.DAY), "34.5", 49),
        (NEW, (P.PM25, A.HOUR), "36", 52),
        (NEW, (P.PM10, A.DAY), "120", 100),
        (OLD, (P.PM10, A.DAY), "120", 85),
        (OLD, (P.PM10, A.HOUR), "150", 100),
        (NEW, (P.CO, A.DAY), "0.7", 18),
        (NEW, (P.CO, A.DAY), "0.65", 15),
        (NEW, (P.SO2, A.DAY), "150", 100),
        (NEW, (P.SO2, A.DAY), "151", 101),
        (NEW, (P.NO2, A.HOUR), "1200", 200),
        (NEW, (P.O3, A.EIGHT_HOURS), "160", 100),
        (NEW, (P.O3, A.EIGHT_HOURS), "161", 101),
        (NEW, (P.O3, A.HOUR), "1200", 500),
        (NEW, (P.PM25, A.DAY), "501", 500),
        (NEW, (P.PM25, A.DAY), "0", 0),
    ],
)
def test_a_sub_index_is_that_of_the_standard(
    edition: Edition, measure: Measure, concentration: str, expected: int
) -> None:
    """Breakpoints, rounding of the concentration half to even, and rounding up of the sub-index."""
    assert sub_index(measure, Decimal(concentration), edition=edition) == expected


def test_where_the_table_stops() -> None:
    """Above 800, the edition of 2012 leaves hourly SO2 and 8-hour O3 out; that of 2026 caps them."""
    sulphur, ozone = (P.SO2, A.HOUR), (P.O3, A.EIGHT_HOURS)

    assert sub_index(sulphur, Decimal(800), edition=OLD) == 200
    assert sub_index(sulphur, Decimal(801), edition=OLD) is None
    assert sub_index(sulphur, Decimal(801), edition=NEW) == 200
    assert sub_index(ozone, Decimal(800), edition=OLD) == 300
    assert sub_index(ozone, Decimal(801), edition=OLD) is None
    assert sub_index(ozone, Decimal(801), edition=NEW) == 300


def test_a_day_has_an_index_a_level_and_primary_pollutants() -> None:
    """The highest sub-index is the index; ties name several pollutants, and above 100 is above the limit."""
    found = air_index(
        {(P.PM25, A.DAY): Decimal(60), (P.PM10, A.DAY): Decimal(120), (P.O3, A.EIGHT_HOURS): Decimal(90)},
        edition=NEW,
    )

    assert (found.index, found.level) == (100, 2)
    assert found.primary == (P.PM10, P.PM25)
    assert found.above_limit == ()
    worse = air_index({(P.PM25, A.DAY): Decimal(61), (P.NO2, A.DAY): Decimal(85)}, edition=NEW)
    assert (worse.index, worse.level, worse.primary) == (103, 3, (P.NO2,))
    assert worse.above_limit == (P.NO2, P.PM25)


def test_clean_air_has_no_primary_pollutant() -> None:
    """Up to an index of 50 no pollutant is primary."""
    found = air_index({(P.PM25, A.DAY): Decimal(35)}, edition=NEW)

    assert (found.index, found.level, found.primary) == (50, 1, ())


def test_a_part_that_the_edition_leaves_out_does_not_count() -> None:
    """Where the table stops the other pollutants decide, and nothing is decided from nothing."""
    high = {(P.O3, A.EIGHT_HOURS): Decimal(900)}

    assert air_index({**high, (P.O3, A.HOUR): Decimal(900)}, edition=OLD).index == 350
    with pytest.raises(IndexNotComputable):
        air_index(high, edition=OLD)
    with pytest.raises(IndexNotComputable):
        air_index({}, edition=NEW)


@pytest.mark.parametrize(
    ("index", "level"),
    [
        (0, 1),
        (50, 1),
        (51, 2),
        (100, 2),
        (101, 3),
        (150, 3),
        (151, 4),
        (200, 4),
        (201, 5),
        (300, 5),
        (301, 6),
    ],
)
def test_levels_begin_where_the_standard_says(index: int, level: int) -> None:
    """Six levels; a negative index is none."""
    assert level_of(index) == level
    with pytest.raises(IndexNotComputable):
        level_of(-1)


@pytest.mark.parametrize("value", ["-0.1", "NaN", "Infinity", "1e20"])
def test_what_is_no_concentration_is_refused(value: str) -> None:
    """A concentration is finite and not negative."""
    with pytest.raises(IndexNotComputable):
        sub_index((P.PM25, A.DAY), Decimal(value), edition=NEW)


def test_what_the_standard_has_no_row_for_is_refused() -> None:
    """There is no 8-hour row for particles, and no daily one for ozone."""
    for measure in ((P.PM25, A.EIGHT_HOURS), (P.O3, A.DAY)):
        with pytest.raises(IndexNotComputable):
            sub_index(measure, Decimal(1), edition=NEW)


def test_the_day_names_the_edition() -> None:
    """The edition of 2026 holds from the first of March."""
    assert Edition.on(date(2026, 2, 28)) is OLD
    assert Edition.on(date(2026, 3, 1)) is NEW


def test_carbon_monoxide_has_its_own_unit() -> None:
    """Carbon monoxide is in mg/m3, everything else in ug/m3."""
    assert [one for one in Pollutant if unit_of(one) == "mg/m3"] == [P.CO]


@given(case=st.sampled_from(MEASURES), values=st.tuples(CONCENTRATIONS, CONCENTRATIONS))
def test_more_pollution_is_never_a_lower_index(
    case: tuple[Edition, Measure], values: tuple[Decimal, Decimal]
) -> None:
    """A sub-index grows with its concentration, and lies between 0 and 500."""
    edition, measure = case
    low, high = (sub_index(measure, value, edition=edition) for value in sorted(values))

    if low is not None and high is not None:
        assert 0 <= low <= high <= 500
    else:
        assert edition is OLD
        assert high is None


@given(case=st.sampled_from(MEASURES), step=st.integers(0, 7))
def test_a_breakpoint_is_its_own_index(case: tuple[Edition, Measure], step: int) -> None:
    """At a breakpoint the index is exactly that of the table, with nothing rounded up."""
    edition, measure = case
    row = ROWS[edition][measure]
    at = min(step, len(row) - 1)

    assert sub_index(measure, Decimal(row[at]), edition=edition) == STEPS[at]


@pytest.mark.skipif(not TABLE.exists(), reason="the sample data is not beside the project (../shared/data)")
def test_the_breakpoints_are_those_of_the_standards() -> None:
    """All 160 cells of both editions are those typed out from the standards."""
    with TABLE.open(encoding="utf-8") as text:
        cells = list(csv.DictReader(text))

    assert len(cells) == 160
    for cell in cells:
        row = ROWS[Edition(cell["edition"])][Pollutant(cell["pollutant"]), Averaging(cell["averaging"])]
        at = STEPS.index(int(cell["iaqi"]))
        assert (str(row[at]) if at < len(row) else "") == cell["concentration"], cell
        assert unit_of(Pollutant(cell["pollutant"])) == cell["unit"]
