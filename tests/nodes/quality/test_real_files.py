"""The known defects of the real files are found, as many as were counted by hand."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.quality.finding import Finding, RuleSummary
from contracts.schema import Contract, parse_contract
from nodes.quality.trying import Tried, try_file
from nodes.sources.source import open_source

DATA = Path(__file__).parents[3].parent / "shared" / "data"
PRSA = "air_beijing_prsa_10stations.parquet"
BUOY = "water_brisbane_river_2023_2024.csv.gz"
GUANGZHOU = "air_guangzhou_pm_2010_2015.csv.gz"
PLANT = "wwtp_daily_1990_1991.csv"
TURBINE = "stack_gas_turbine_2014.csv.gz"

pytestmark = pytest.mark.skipif(
    not (DATA / "SOURCES.md").exists(),
    reason="the sample data is not beside the project (../shared/data)",
)


def rule(name: str, kind: str, **facts: Any) -> dict[str, Any]:
    return {"id": name, "title": {"zh": "规则", "en": "rule"}, "kind": kind, **facts}


def series(time: str, step: int, zone: str, *by: str) -> dict[str, Any]:
    return {"time": time, "by": list(by), "step_seconds": step, "zone": zone}


RULED: dict[str, tuple[dict[str, Any] | None, list[dict[str, Any]]]] = {
    PRSA: (
        series("local_time", 3600, "+08:00", "station"),
        [
            rule("order", "ordered", lesser="pm2_5", greater="pm10"),
            rule("stuck", "stuck", fields=["pm2_5"], records=6),
            rule("full-pm10", "sentinel", fields=["pm10"], values=["999"]),
            rule("full-co", "sentinel", fields=["co"], values=["10000"]),
            rule("high-o3", "plausible", field="o3", maximum="1000"),
            rule("no-co", "missing", fields=["co"], maximum_percent=0),
            rule("repeated", "duplicate", fields=["station", "local_time"]),
            rule("days", "complete-series", minimum_percent=100),
            rule("clock", "clock-shift"),
        ],
    ),
    BUOY: (
        series("local_time", 600, "+10:00"),
        [
            rule("repeated", "duplicate", fields=["local_time"]),
            rule("days", "complete-series", minimum_percent=1),
            rule("no-temperature", "missing", fields=["temperature"], maximum_percent=10),
        ],
    ),
    GUANGZHOU: (
        series("local_time", 3600, "+08:00"),
        [rule("copied", "copied", fields=["pm25_city_station", "pm25_us_post"], records=1000)],
    ),
    PLANT: (series("date", 86_400, "+01:00"), [rule("clock", "clock-shift")]),
    TURBINE: (None, [rule("stuck", "stuck", fields=["co"], records=12)]),
}


def ruled(path: Path, kept: dict[str, Any] | None, rules: list[dict[str, Any]]) -> Contract:
    """Give the file's own contract with these rules and no others."""
    document = orjson.loads(open_source(path).contract.canonical())
    document |= {"version": "99.0.0", "quality": rules}
    document.pop("series", None)
    return parse_contract(orjson.dumps(document | ({} if kept is None else {"series": kept})))


@cache
def examined(name: str) -> tuple[dict[str, RuleSummary], tuple[Finding, ...], int | None, int | None]:
    """Examine a file once."""
    seen: list[Any] = []

    def use(tried: Tried) -> None:
        summaries = {one.rule: one for one in tried.head.rules}
        seen.append((summaries, tuple(tried.findings()), tried.head.expected, tried.head.present))

    try_file(ruled(DATA / name, *RULED[name]), DATA / name, use)
    return seen[0]  # type: ignore[no-any-return]  # as appended above


@pytest.mark.parametrize(
    ("name", "found", "records", "findings"),
    [
        (PRSA, "order", 18_188, 5_538),
        (PRSA, "stuck", 772, 93),
        (PRSA, "full-pm10", 3, 3),
        (PRSA, "full-co", 53, 40),
        (PRSA, "high-o3", 16, 3),
        (PRSA, "repeated", 0, 0),
        (PRSA, "days", 0, 0),
        (PRSA, "clock", 0, 0),
        (BUOY, "repeated", 275, 275),
        (BUOY, "no-temperature", 5_164, 1),
        (GUANGZHOU, "copied", 32_348, 1),
        (PLANT, "clock", 12, 12),
        (TURBINE, "stuck", 12, 1),
    ],
)
def test_the_known_defects_are_counted(name: str, found: str, records: int, findings: int) -> None:
    """As many records as SOURCES.md says, and so many episodes."""
    summary = examined(name)[0][found]

    assert (summary.records, summary.findings) == (records, findings)


def test_the_longest_stuck_run_is_named_by_its_hours() -> None:
    """Forty-one hours of one value of PM2.5."""
    longest = max((one for one in examined(PRSA)[1] if one.rule == "stuck"), key=lambda one: one.records)

    assert longest.records == 41


def test_a_rule_on_missing_values_tells_the_stations_apart() -> None:
    """Carbon monoxide is missing in 5.13 % of all records, and at each station in a share of its own."""
    missing = [one for one in examined(PRSA)[1] if one.rule == "no-co"]

    assert len(missing) == 10
    assert sum(one.records for one in missing) == 17_982


def test_the_long_gap_of_the_buoy_is_one_finding() -> None:
    """Twenty-nine days without a record, from the first to the last of them."""
    gaps = [one for one in examined(BUOY)[1] if one.rule == "days"]
    _, _, expected, present = examined(BUOY)

    longest = max(gaps, key=lambda one: one.records)
    assert (longest.first, longest.records) == ("2024-04-18T00:00:00+10:00", 29 * 144)
    assert (expected, present) == (47_149, 30_614)
