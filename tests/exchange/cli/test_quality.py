"""``headwaters quality``: what a clerk sees, what a script reads, and how it exits."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from exchange.cli.app import app
from nodes.control import ControlClient
from tests.contracts.quality.making import HOURLY, contract, rule

ROWS = [
    {"station": "a", "at": f"2026-06-01T{hour:02d}:00", "x": x}
    for hour, x in enumerate([5, 5, 5, "seven", 5, 5, 999])
]
RULES = (
    rule("stuck", fields=["x"], records=3, severity="info"),
    rule("sentinel", fields=["x"], values=["999"], severity="warning"),
    rule("timely", within_seconds=3600),
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write a contract and rows, of which the fourth is broken."""
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
    return write(tmp_path, *RULES), str(rows)


def write(folder: Path, *rules: dict[str, Any]) -> str:
    path = folder / "contract.json"
    path.write_bytes(contract(*rules, series=HOURLY, key=["station", "at"]).canonical())
    return str(path)


def check(contract: str, data: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["quality", "check", contract, "--data", data, *words])


def test_a_script_reads_rules_completeness_and_every_finding(files: tuple[str, str]) -> None:
    """One JSON object; rows are named as the file numbers them, and the broken row is in no finding."""
    done = check(*files, "--json")
    value = orjson.loads(done.stdout)

    assert done.exit_code == 0
    assert (value["rows"], value["rejected"]) == (6, 1)
    assert {one["rule"]: one["records"] for one in value["rules"]} == {"stuck": 5, "sentinel": 1, "timely": 0}
    assert [(one["rule"], one["rows"]) for one in value["findings"]] == [
        ("stuck", [1, 2, 3, 5, 6]),
        ("sentinel", [7]),
    ]
    assert [(one["present"], one["expected"]) for one in value["completeness"]] == [(6, 7)]
    assert [one["rule"] for one in value["unjudged"]] == ["timely"]


def test_a_clerk_reads_tables_and_why_a_rule_was_not_judged(files: tuple[str, str]) -> None:
    """Rules, completeness, findings with their hours, and the rule that needs a moment of release."""
    done = check(*files, "--findings", "1")

    assert "findings, 2 (1)" in done.stdout
    assert "2026-06-01 00:00 – 05:00" in done.stdout
    assert "the rows are not released yet" in done.stdout
    assert "85.7" in done.stdout


def test_a_moment_of_release_can_be_assumed(files: tuple[str, str]) -> None:
    """Timeliness is judged as if the rows were released then."""
    done = check(*files, "--json", "--at", "2026-06-01T06:30:00+08:00", "--rule", "timely")

    value = orjson.loads(done.stdout)
    assert value["unjudged"] == []
    assert [one["rule"] for one in value["findings"]] == ["timely"]
    assert value["findings"][0]["value"] == "23400"


def test_a_finding_of_severity_error_exits_1(files: tuple[str, str], tmp_path: Path) -> None:
    """A pipeline stops at errors and goes on at warnings."""
    severe = write(tmp_path, rule("sentinel", fields=["x"], values=["999"], severity="error"))

    assert check(severe, files[1], "--json").exit_code == 1


def test_a_broken_moment_is_wrong_usage(files: tuple[str, str]) -> None:
    """A time without a zone is refused before anything is read."""
    done = check(*files, "--at", "2026-06-01T06:30:00")

    assert done.exception is not None
    assert "zone" in str(done.exception)


RELEASE = {
    "release": 2, "at": "2026-06-01T00:00:00.000Z", "rows": 40, "quarantined": 0, "examined": True,
    "error": 40, "warning": 0, "info": 0, "completeness": 97, "until": None, "latency_seconds": None,
    "rules": [{"rule": "stuck", "kind": "stuck", "severity": "error", "records": 40}],
}  # fmt: skip
LEVELS = [{"level": "completeness", "promised": 95, "measured": 97, "kept": True}]


def test_whoever_has_no_rows_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Levels and counts are shown, and that the findings themselves are elsewhere."""
    answer = {
        "dataset": "air", **RELEASE, "releases": [RELEASE], "levels": LEVELS, "report": None,
        "series": [], "findings": [], "differing": None,
    }  # fmt: skip
    monkeypatch.setattr(ControlClient, "__init__", lambda *_: None)
    monkeypatch.setattr(ControlClient, "get", lambda *_: answer)

    done = CliRunner().invoke(app, ["quality", "show", "air", "--home", str(tmp_path)])

    assert "counts alone" in done.stdout
    assert "97 %" in done.stdout
    assert "stuck" in done.stdout


def test_datasets_are_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line for each dataset of the node."""
    line = {"dataset": "air", "title": {"zh": "空气", "en": "air"}, **RELEASE}
    monkeypatch.setattr(ControlClient, "__init__", lambda *_: None)
    monkeypatch.setattr(ControlClient, "get", lambda *_: {"datasets": [line]})

    done = CliRunner().invoke(app, ["quality", "list", "--home", str(tmp_path)])

    assert "空气 air" in done.stdout
