"""The quality rules of the shipped contracts can all be judged, and leave a good record alone."""

from datetime import UTC, datetime

import polars as pl
import pytest

from contracts import library
from contracts.quality.engine import examine
from contracts.quality.report import Report
from contracts.schema import Contract
from tests.contracts.quality.making import FrameRows

AT = datetime(2026, 9, 1, tzinfo=UTC)
# The columns of this contract are one city's sites, and its rules name those of another city's.
OTHER_SITES = "ambient-air-city-hourly"
NO_STEP = "the contract names no step of its series"
NO_ZONE = "the zone of the records' times is not known"


def look(contract: Contract) -> Report:
    """Examine the contract's example, released long after, with columns of the contract's types."""
    row = contract.example_row()
    numbers = [name for name in row if contract.kind(name) in {"number", "integer"}]
    return examine(
        contract, FrameRows(pl.DataFrame([row]).with_columns(pl.col(numbers).cast(pl.Float64))), AT
    )


@pytest.mark.parametrize("name", sorted({*library.names()} - {OTHER_SITES}))
def test_every_rule_of_a_shipped_contract_can_be_judged(name: str) -> None:
    """On its own example no rule lacks a field, a unit or a code list; irregular series have no grid."""
    contract = library.load(name)
    reasons = {one.reason.en for one in look(contract).unjudged}

    series = contract.series
    expected = {NO_STEP} if series is not None and series.step_seconds is None else set()
    assert reasons <= (expected | {NO_ZONE} if series is not None and series.zone is None else expected)


@pytest.mark.parametrize("name", library.names())
def test_an_example_is_found_fault_with_only_for_its_age(name: str) -> None:
    """One good record has nothing wrong with it but that it is released late, or has a null."""
    findings = list(look(library.load(name)).findings())

    assert {one.kind for one in findings} <= {"timely", "missing"}


def test_years_follow_one_another() -> None:
    """A yearly contract's series is in the order of its years: three equal figures in a row are found."""
    contract = library.load("rural-ecology")
    rows = [contract.example_row() | {"year": year, "sewage_treated": 62} for year in (2025, 2023, 2024)]
    report = examine(contract, FrameRows(pl.DataFrame(rows)), AT)
    (stuck,) = (one for one in report.findings() if one.rule == "copied-years" and "sewage" in one.detail.en)

    assert stuck.rows == [2, 3, 1]
