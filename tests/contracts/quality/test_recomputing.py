"""A published index or class is worked out again, and what differs from its standard is found."""

from decimal import Decimal
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.messages import BadMessage
from contracts.quality.engine import examine
from contracts.quality.finding import Finding
from contracts.schema import Contract, parse_contract
from contracts.standards.air_index import Averaging, Edition, Pollutant, air_index
from tests.contracts.quality.making import FrameRows

DAY = library.load("ambient-air-station-day")
WATER = library.load("surface-water-auto")
FIELDS = {"so2": "SO2", "no2": "NO2", "pm10": "PM10", "co": "CO", "o3_8h": "O3", "pm2_5": "PM2.5"}
CONCENTRATIONS = {
    name: st.decimals(0, 60 if name == "co" else 700, places=1, allow_nan=False).map(float) for name in FIELDS
}


def found(contract: Contract, rule: str, *changes: dict[str, Any]) -> list[Finding]:
    """Examine the contract's example with some changes, a row each; give the findings of one rule."""
    rows = pl.DataFrame([contract.example_row() | change for change in changes], infer_schema_length=None)
    report = examine(contract, FrameRows(rows))

    assert rule not in {one.rule for one in report.unjudged}
    return [finding for finding in report.findings() if finding.rule == rule]


def test_a_wrong_index_is_found() -> None:
    """An index by the other edition's table is found, and the finding says what it should be."""
    (one,) = found(DAY, "index-wrong", {}, {"date": "2026-03-03", "aqi": 69})

    assert (one.rows, one.value, one.records) == ([2], "80", 1)
    assert "80" in one.detail.zh
    assert found(DAY, "index-wrong", {"index_edition": "HJ 633-2012", "aqi": 69}) == []


@pytest.mark.parametrize(("aqi", "wrong"), [(80.0, False), (80.5, True), (float("nan"), True), (1e300, True)])
def test_a_figure_in_a_column_of_floats_is_read_as_a_number(aqi: float, wrong: bool) -> None:
    """80.0 is 80; what is no whole number is never cut down to one."""
    assert bool(found(DAY, "index-wrong", {"aqi": aqi})) is wrong


def test_a_wrong_class_is_found() -> None:
    """A class that its worst indicator does not give is found; a lake has other limits than a river."""
    (one,) = found(WATER, "class-wrong", {"water_class": "I"})

    assert one.value == "II"
    assert [each.value for each in found(WATER, "class-wrong", {"body": "lake"})] == ["III"]
    assert [each.value for each in found(WATER, "class-wrong", {"ph": 9.5})] == ["below-V"]


@pytest.mark.parametrize(
    "change", [{"aqi": None}, {"pm2_5": None}, {"co": None}, {"index_edition": "HJ 633-2030"}, {"so2": -1}]
)
def test_what_cannot_be_worked_out_is_not_found(change: dict[str, Any]) -> None:
    """A missing figure or input, an unknown edition and an impossible value give no finding."""
    assert found(DAY, "index-wrong", {"aqi": 1} | change) == []


@given(
    values=st.fixed_dictionaries(CONCENTRATIONS), edition=st.sampled_from(Edition), wrong=st.integers(0, 2)
)
@settings(max_examples=60, deadline=None)
def test_the_index_is_that_of_the_standard(values: dict[str, float], edition: Edition, wrong: int) -> None:
    """A day is found exactly when its index is not what the standard's own arithmetic gives."""
    given_ = {
        (Pollutant(name), Averaging.EIGHT_HOURS if name == "O3" else Averaging.DAY): Decimal(
            str(values[field])
        )
        for field, name in FIELDS.items()
    }
    index = air_index(given_, edition=edition).index
    findings = found(DAY, "index-wrong", values | {"aqi": index + wrong, "index_edition": edition.value})

    assert [one.value for one in findings] == ([str(index)] if wrong else [])


def test_a_concentration_is_converted_first() -> None:
    """Carbon monoxide in ug/m3 gives the same index as in mg/m3, and an unfit unit is not judged."""
    in_micrograms = _with_unit("co", "ug/m3")
    findings = found(in_micrograms, "index-wrong", {"co": 14_000.0, "aqi": 150}, {"co": 14_000.0, "aqi": 1})

    assert [one.value for one in findings] == ["150"]
    for unit in ("ppm", None, "not stated in the source"):
        report = examine(_with_unit("co", unit), FrameRows(pl.DataFrame([DAY.example_row()])))
        assert [one.rule for one in report.unjudged if one.rule == "index-wrong"] == ["index-wrong"]


def test_a_derivation_has_its_inputs_and_no_others() -> None:
    """A rule that leaves an input out, names it twice or names a stranger is refused."""
    inputs = [{"name": "w01001", "field": "ph"}]
    for wrong in (inputs, inputs * 2, [{"name": "w99999", "field": "ph"}]):
        value = WATER.model_dump(mode="json")
        rule = next(one for one in value["quality"] if one["kind"] == "recomputed")
        rule["inputs"] = wrong
        with pytest.raises(BadMessage):
            parse_contract(_json(value))


def _with_unit(field: str, unit: str | None) -> Contract:
    value = DAY.model_dump(mode="json")
    next(one for one in value["fields"] if one["name"] == field)["unit"] = unit
    if unit == "ug/m3":
        value["record"]["properties"][field]["maximum"] = 1_000_000
    return parse_contract(_json(value))


def _json(value: Any) -> bytes:  # Any: a contract as JSON
    return orjson.dumps(value)
