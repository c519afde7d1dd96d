"""``headwaters contract diff``: JSON for scripts, a table for people, and an exit code for each verdict."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import library
from exchange.cli.app import app

NAME = "pollution-source-online"
HARD = "^(?:[a-z]{{3}}|[0-9]{{4}}{0}){{1,700}}$"


def written(folder: Path, name: str, **fields: dict[str, Any]) -> str:
    """Write a version of the shipped contract with other keywords on some fields; give its path."""
    document = json.loads(library.load(NAME).canonical())
    document["version"] = "9.9.9"
    for field, keywords in fields.items():
        document["record"]["properties"][field].update(keywords)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document))
    return str(path)


def test_a_script_reads_verdict_witness_and_step(tmp_path: Path) -> None:
    """An incompatible version exits 1 and names a record, the rules it breaks, and the lowest true number."""
    new = written(tmp_path, "narrow", value={"maximum": 5000})
    result = CliRunner().invoke(app, ["contract", "diff", NAME, new, "--json"])
    found = json.loads(result.stdout)

    assert result.exit_code == 1
    assert (found["verdict"], found["mode"], found["bump"]) == ("incompatible", "backward", "major")
    assert (found["accepted_by"], found["refused_by"]) == ("old", "new")
    assert [each["pointer"] for each in found["violations"]] == ["/value"]
    assert found["witness"] == library.load(NAME).example_row() | {"value": found["witness"]["value"]}
    assert found["version"] == {"claimed": "major", "true": True, "lowest": "2.0.0"}
    assert [each["effect"] for each in found["changes"]] == ["takes-away"]


@pytest.mark.parametrize("mode", ["forward", "FORWARD", "Forward"])
def test_a_mode_is_named_in_any_case(tmp_path: Path, mode: str) -> None:
    """What breaks backward may hold forward; the exit code says so."""
    new = written(tmp_path, "narrow", value={"maximum": 5000})
    result = CliRunner().invoke(app, ["contract", "diff", NAME, new, "--mode", mode, "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"] == "compatible"
    assert json.loads(result.stdout)["witness"] is None


def test_what_cannot_be_decided_exits_two(tmp_path: Path) -> None:
    """Undetermined is exit 2, and counts as a breaking change."""
    tag = {"type": ["string", "null"], "minLength": 0, "maxLength": 3000}
    old = written(tmp_path, "old", total_unit=tag | {"pattern": HARD.format("")})
    new = written(tmp_path, "new", total_unit=tag | {"pattern": HARD.format("|A{5}")})
    for path in (old, new):
        document = json.loads(Path(path).read_text())
        example = json.loads(document["example"]) | {"total_unit": None}
        Path(path).write_text(json.dumps(document | {"example": json.dumps(example)}))
    result = CliRunner().invoke(app, ["contract", "diff", old, new, "--json"])

    assert result.exit_code == 2
    assert json.loads(result.stdout)["bump"] == "major"


def test_a_person_reads_a_table_and_the_witness(tmp_path: Path) -> None:
    """The terminal names the verdict, what changed, the witness, and the version that would be true."""
    new = written(tmp_path, "narrow", value={"maximum": 5000})
    result = CliRunner().invoke(app, ["contract", "diff", NAME, new], env={"COLUMNS": "200"})

    assert result.exit_code == 1
    for words in ("不兼容", "反例", "5000", "maximum", "2.0.0"):
        assert words in result.stdout


def test_an_unknown_mode_is_a_wrong_usage() -> None:
    """A mode that does not exist is refused before anything is read."""
    result = CliRunner().invoke(app, ["contract", "diff", NAME, NAME, "--mode", "sideways"])

    assert result.exit_code != 0
    assert not isinstance(result.exception, ValueError)
