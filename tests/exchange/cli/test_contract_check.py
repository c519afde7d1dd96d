"""``headwaters contract check``: what a person reads, what a script reads, and how it ends."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from exchange.cli.app import app
from tests.contracts.workload import rows, workload_contract

RUNNER = CliRunner()
GOOD = [orjson.dumps(row) for row in rows(3, broken=0)]


@pytest.fixture
def contract(tmp_path: Path) -> str:
    """Give the path of a contract."""
    path = tmp_path / "contract.json"
    path.write_bytes(workload_contract().canonical())
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """Give a file in which the second of three rows breaks two rules, and thirty more rows are no records."""
    path = tmp_path / "rows.ndjson"
    broken = orjson.loads(GOOD[1]) | {"flag": "X", "depth": -1}
    path.write_bytes(b"\n".join([GOOD[0], orjson.dumps(broken), GOOD[2], *[b"{"] * 30]))
    return str(path)


def test_a_script_gets_every_fault(contract: str, bad: str) -> None:
    """The JSON has the counts and every violation with row, both pointers, rule, value and words; exit 1."""
    ended = RUNNER.invoke(app, ["contract", "check", contract, "--data", bad, "--json"])

    report = orjson.loads(ended.stdout)
    assert ended.exit_code == 1
    assert (report["rows"], report["accepted"], report["rejected"]) == (33, 2, 31)
    assert len(report["violations"]) == 32
    assert {
        v["pointer"]: (v["row"], v["schema_pointer"], v["rule"], v["value"]) for v in report["violations"][:2]
    } == {
        "/flag": (2, "/properties/flag/enum", "enum", '"X"'),
        "/depth": (2, "/properties/depth/minimum", "minimum", "-1"),
    }
    assert report["violations"][0]["message"].keys() == {"zh", "en"}


def test_a_file_that_keeps_the_contract_ends_well(contract: str, tmp_path: Path) -> None:
    """Without a fault the list is empty and the exit code 0."""
    (tmp_path / "good.ndjson").write_bytes(b"\n".join(GOOD))

    ended = RUNNER.invoke(
        app, ["contract", "check", contract, "--data", str(tmp_path / "good.ndjson"), "--json"]
    )

    assert ended.exit_code == 0
    assert orjson.loads(ended.stdout)["violations"] == []


def test_a_person_sees_the_rules_the_first_faults_and_how_many_more(contract: str, bad: str) -> None:
    """The table names each broken rule with its count, shows some faults and says that there are more."""
    ended = RUNNER.invoke(app, ["contract", "check", contract, "--data", bad])

    assert ended.exit_code == 1
    assert "33 行" in ended.stdout
    assert "/properties/flag/enum" in ended.stdout
    assert "12 more are not shown" in ended.stdout


def test_a_contract_is_checked_alone(contract: str) -> None:
    """Without data the contract itself is checked, and its example is the one row."""
    ended = RUNNER.invoke(app, ["contract", "check", contract, "--json"])

    report = orjson.loads(ended.stdout)
    assert ended.exit_code == 0
    assert (report["contract"], report["rows"], report["accepted"], report["reasons"]) == (
        "engine-workload",
        1,
        1,
        [],
    )
    assert "engine-workload 1.0.0" in RUNNER.invoke(app, ["contract", "check", contract]).stdout


def test_a_contract_that_is_refused_says_all_reasons(contract: str) -> None:
    """A contract outside the dialect is listed reason by reason in two languages; exit 1."""
    document = orjson.loads(Path(contract).read_bytes())
    document["record"]["properties"]["note"]["pattern"] = "(a+)+"
    document["record"]["properties"]["depth"]["multipleOf"] = 0.1
    Path(contract).write_bytes(orjson.dumps(document))

    script = RUNNER.invoke(app, ["contract", "check", contract, "--json"])
    person = RUNNER.invoke(app, ["contract", "check", contract])

    reasons = orjson.loads(script.stdout)["reasons"]
    assert (script.exit_code, person.exit_code) == (1, 1)
    assert {reason["pointer"] for reason in reasons} == {
        "/record/properties/note",
        "/record/properties/depth",
    }
    assert "not anchored" in person.stdout


@pytest.mark.parametrize("data", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_prints_nothing_on_standard_output(contract: str, data: str) -> None:
    """A script never reads half a report: without a file there is no JSON at all."""
    ended = RUNNER.invoke(app, ["contract", "check", contract, "--data", data, "--json"])

    assert ended.exit_code != 0
    assert ended.stdout == ""
