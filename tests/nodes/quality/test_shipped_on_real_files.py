"""The quality rules that ship find the defects the real files are known for, and little else."""

from functools import cache
from pathlib import Path

import pytest

from contracts import library
from contracts.quality.finding import RuleSummary
from nodes.quality.trying import Tried, try_file

DATA = Path(__file__).parents[3].parent / "shared" / "data"
PRSA = "air_beijing_prsa_10stations.parquet"
BUOY = "water_brisbane_river_2023_2024.csv.gz"
CHENGDU = "air_chengdu_pm_2010_2015.csv.gz"
GUANGZHOU = "air_guangzhou_pm_2010_2015.csv.gz"
PLANT = "wwtp_daily_1990_1991.csv"
TURBINE = "stack_gas_turbine_2014.csv.gz"
CONTRACTS = {
    PRSA: "ambient-air-hourly",
    BUOY: "surface-water-buoy",
    CHENGDU: "ambient-air-city-hourly",
    GUANGZHOU: "ambient-air-city-hourly",
    PLANT: "waste-water-daily",
    TURBINE: "stack-emission-hourly",
}

pytestmark = pytest.mark.skipif(
    not (DATA / "SOURCES.md").exists(),
    reason="the sample data is not beside the project (../shared/data)",
)


@cache
def found(name: str) -> dict[str, RuleSummary]:
    """Examine a file by the contract that ships for it, once."""
    seen: dict[str, RuleSummary] = {}

    def keep(tried: Tried) -> None:
        seen.update({one.rule: one for one in tried.report.rules})

    try_file(library.load(CONTRACTS[name]), DATA / name, keep)
    return seen


@pytest.mark.parametrize(
    ("name", "rule", "records", "findings"),
    [
        (PRSA, "pm-order", 18_188, 5_538),
        (PRSA, "stuck-pm", 772, 93),
        (PRSA, "saturated-pm10", 3, 3),
        (PRSA, "saturated-co", 53, 40),
        (PRSA, "repeated-key", 0, 0),
        (PRSA, "complete-hours", 0, 0),
        (GUANGZHOU, "copied-site", 32_348, 1),
        (CHENGDU, "copied-site", 0, 0),
        (BUOY, "repeated-time", 275, 275),
        (BUOY, "complete-days", 4_711, 2),
        (PLANT, "cod-order", 1, 1),
        (PLANT, "clock-shift", 12, 12),
        (TURBINE, "temperature-order", 0, 0),
    ],
)
def test_the_known_defects_are_found(name: str, rule: str, records: int, findings: int) -> None:
    """The shipped rules count what was counted by hand: pairs, stuck runs, full scales, copies, gaps."""
    assert (found(name)[rule].records, found(name)[rule].findings) == (records, findings)


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_no_shipped_rule_of_weight_finds_most_of_a_file(name: str) -> None:
    """A rule that found a tenth of all rows would say more of the rule than of the rows; gaps aside."""
    loud = {
        rule
        for rule, one in found(name).items()
        if one.kind not in {"complete-series", "missing", "copied"} and one.records > _rows(name) // 10
    }

    assert loud == set()


def _rows(name: str) -> int:
    return {PRSA: 350_640, BUOY: 30_889, CHENGDU: 52_584, GUANGZHOU: 52_584, PLANT: 528, TURBINE: 7_158}[name]
