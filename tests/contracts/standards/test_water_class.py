"""The class of a section of surface water is that of its worst indicator."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import code_list
from contracts.codes.factors import FACTORS
from contracts.standards.water_class import (
    AUTOMATIC_STATION,
    DISSOLVED_OXYGEN,
    INDICATORS,
    PH,
    Body,
    ClassNotJudgeable,
    WaterClass,
    indicator_class,
    section_class,
)
from contracts.units import conversion

TABLE = Path(__file__).parents[3].parent / "shared" / "data" / "codes" / "gb3838_2002_limits.csv"
PHOSPHORUS, AMMONIA, NITROGEN = "w21011", "w21003", "w21001"


@pytest.mark.parametrize(
    ("code", "value", "body", "expected"),
    [
        (DISSOLVED_OXYGEN, "7.5", Body.RIVER, WaterClass.I),
        (DISSOLVED_OXYGEN, "7.4", Body.RIVER, WaterClass.II),
        (DISSOLVED_OXYGEN, "1.9", Body.RIVER, WaterClass.BELOW_V),
        (AMMONIA, "0.15", Body.RIVER, WaterClass.I),
        (AMMONIA, "1.0", Body.RIVER, WaterClass.III),
        (AMMONIA, "2.01", Body.RIVER, WaterClass.BELOW_V),
        (PHOSPHORUS, "0.05", Body.RIVER, WaterClass.II),
        (PHOSPHORUS, "0.05", Body.LAKE, WaterClass.III),
        (NITROGEN, "1.2", Body.LAKE, WaterClass.IV),
        ("w01018", "15", Body.RIVER, WaterClass.I),
        ("w01018", "15.1", Body.RIVER, WaterClass.III),
        ("w20142", "0.00005", Body.RIVER, WaterClass.I),
        (PH, "6", Body.RIVER, WaterClass.I),
        (PH, "9.01", Body.RIVER, WaterClass.BELOW_V),
    ],
)
def test_an_indicator_has_the_class_of_its_limit(
    code: str, value: str, body: Body, expected: WaterClass
) -> None:
    """A value on a limit is within it; rivers and lakes differ in phosphorus; pH is in or out."""
    assert indicator_class(code, Decimal(value), body) is expected


def test_the_worst_indicator_decides() -> None:
    """A section is as bad as its worst indicator, and says which it was."""
    values = {PH: "8.1", DISSOLVED_OXYGEN: "6.1", "w01019": "3.9", AMMONIA: "0.6", PHOSPHORUS: "0.19"}
    found = section_class({code: Decimal(text) for code, text in values.items()})

    assert tuple(values) == AUTOMATIC_STATION
    assert found.water_class is WaterClass.III
    assert found.deciding == (AMMONIA, PHOSPHORUS)
    assert found.parts[DISSOLVED_OXYGEN] is WaterClass.II


def test_clean_water_is_decided_by_nothing() -> None:
    """Where all is class I no indicator stands out."""
    found = section_class({PH: Decimal(7), AMMONIA: Decimal("0.1")})

    assert (found.water_class, found.deciding) == (WaterClass.I, ())


def test_saturated_oxygen_is_class_one() -> None:
    """From 90 percent of saturation on, oxygen is class I although warm water holds little of it."""
    warm = {DISSOLVED_OXYGEN: Decimal("6.8")}

    assert section_class(warm, saturation_percent=Decimal(90)).water_class is WaterClass.I
    assert section_class(warm, saturation_percent=Decimal("89.9")).water_class is WaterClass.II


def test_nitrogen_and_coliforms_take_no_part() -> None:
    """Total nitrogen and faecal coliforms are judged by themselves and not in the section's class."""
    values = {NITROGEN: Decimal(9), "w02003": Decimal(90_000), AMMONIA: Decimal("0.4")}

    assert section_class(values, Body.LAKE).water_class is WaterClass.II
    assert indicator_class("w02003", Decimal(90_000)) is WaterClass.BELOW_V


@pytest.mark.parametrize(
    ("code", "value", "body"),
    [
        (NITROGEN, "1", Body.RIVER),
        ("w00000", "1", Body.RIVER),
        (AMMONIA, "-0.1", Body.RIVER),
        (AMMONIA, "NaN", Body.RIVER),
        ("w01010", "20", Body.RIVER),
    ],
)
def test_what_the_standard_does_not_judge_is_refused(code: str, value: str, body: Body) -> None:
    """Nitrogen of a river, temperature, a stranger and no number have no class."""
    with pytest.raises(ClassNotJudgeable):
        indicator_class(code, Decimal(value), body)


def test_a_section_without_indicators_has_no_class() -> None:
    """Nothing is decided from nothing, nor from nitrogen alone."""
    for values in ({}, {NITROGEN: Decimal(1)}):
        with pytest.raises(ClassNotJudgeable):
            section_class(values, Body.LAKE)


def test_indicators_are_factors_in_units_that_convert() -> None:
    """Every indicator is a factor of annex B, and what a device sends converts into its unit."""
    assert len(INDICATORS) == 22
    for code, one in INDICATORS.items():
        assert conversion(FACTORS[code].unit, one.unit).target == one.unit
        assert len(one.limits) == 5


def test_classes_are_spelled_as_in_the_code_list() -> None:
    """The codes of classes are those of the list gb-3838-class."""
    assert {one.code for one in WaterClass} == code_list("gb-3838-class", "2002").keys


@given(
    code=st.sampled_from(sorted(INDICATORS)),
    values=st.tuples(*[st.decimals(allow_nan=False, min_value=0, max_value=100, places=5)] * 2),
)
def test_worse_water_is_never_a_better_class(code: str, values: tuple[Decimal, Decimal]) -> None:
    """A class gets worse with the concentration; of oxygen it gets better."""
    low, high = (indicator_class(code, value, Body.LAKE) for value in sorted(values))

    assert low >= high if INDICATORS[code].kind == "min" else low <= high


@pytest.mark.skipif(not TABLE.exists(), reason="the sample data is not beside the project (../shared/data)")
def test_the_limits_are_those_of_the_standard() -> None:
    """The main indicators have the limits typed out from table 1."""
    with TABLE.open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))

    assert len(rows) == 9
    for row in rows:
        cells = [row[name] for name in ("I", "II", "III", "IV", "V")]
        if row["kind"] == "range":
            assert set(cells) == {"6-9"}
            continue
        body = Body.LAKE if "lake" in row["indicator"] else Body.RIVER
        one = INDICATORS[row["code"]]
        assert list(one.for_body(body)) == list(map(Decimal, cells))
        assert (one.unit, one.kind) == (row["unit"], row["kind"])
