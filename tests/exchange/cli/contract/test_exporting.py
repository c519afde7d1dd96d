"""The commands that take a contract to other tools and back, and make contracts and rows from each other."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.library import load, named
from exchange.cli.app import app
from exchange.cli.contract.written import Unwritable

RUN = CliRunner()
FORMS = {"odcs": "apiVersion: v3.1.0", "json-schema": '"$id": "urn:headwaters:contract:forest-parcel:',
         "pydantic": "class ForestParcel(BaseModel):", "sql": 'CREATE TABLE "forest_parcel"', "sqlite": ") STRICT;"}  # fmt: skip  # noqa: E501


def told(*words: str) -> Any:
    """Run a command of the group and read the JSON that it prints."""
    done = RUN.invoke(app, ["contract", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(("form", "words"), FORMS.items())
def test_export_writes_each_form(tmp_path: Path, form: str, words: str) -> None:
    """Each form is written whole to the file that is named, and the answer says of which contract."""
    file = tmp_path / "made"
    answer = told("export", "forest-parcel", "--format", form, "--to", str(file))

    assert words in file.read_text(encoding="utf-8")
    assert (answer["contract"], answer["digest"], answer["bytes"]) == (
        "forest-parcel", load("forest-parcel").digest, file.stat().st_size,
    )  # fmt: skip


@pytest.mark.parametrize("edition", ["3.1.0", "3.2.0"])
def test_import_gives_back_what_export_wrote(tmp_path: Path, edition: str) -> None:
    """A contract that went out as ODCS comes in as the same contract, and is named by its file."""
    odcs, back = str(tmp_path / "out.yaml"), str(tmp_path / "back.json")
    told("export", "pollution-source-online", "--format", "odcs", "--edition", edition, "--to", odcs)

    assert told("import", odcs, "--to", back)["digest"] == load("pollution-source-online").digest
    assert named(back) == named(odcs) == load("pollution-source-online")


def test_what_is_made_is_checked_with_the_faults_that_were_made(tmp_path: Path) -> None:
    """The check of made rows finds exactly the broken ones, each by the rule that was broken."""
    file = tmp_path / "made.ndjson"
    made = told(
        "generate", "surface-water-auto", "--rows", "200", "--seed", "3", "--broken", "0.2", "--to", str(file)
    )
    done = RUN.invoke(app, ["contract", "check", "surface-water-auto", "--data", str(file), "--json"])
    found = json.loads(done.stdout)

    assert done.exit_code == 1
    assert found["rejected"] == len(made["broken"]) > 20
    assert [{key: fault[key] for key in ("row", "pointer", "rule")} for fault in found["violations"]] == made[
        "broken"
    ]


def test_infer_drafts_a_contract_that_admits_the_file(tmp_path: Path) -> None:
    """From made rows to a draft, and from the draft to the check of the same rows, nothing is refused."""
    rows, draft = tmp_path / "made.csv", tmp_path / "draft.json"
    told("generate", "groundwater-monitoring", "--rows", "50", "--to", str(rows))
    answer = told("infer", str(rows), "--id", "wells", "--to", str(draft))
    done = RUN.invoke(app, ["contract", "check", str(draft), "--data", str(rows), "--json"])

    assert (answer["contract"], done.exit_code, json.loads(done.stdout)["rejected"]) == ("wells", 0, 0)


def test_a_person_is_told_what_to_look_at(tmp_path: Path) -> None:
    """Without --json the notes of a draft are printed, one on a line."""
    rows = tmp_path / "x.csv"
    rows.write_text("x\n1\nNA\n")
    done = RUN.invoke(app, ["contract", "infer", str(rows), "--to", str(tmp_path / "x.json")])

    assert done.exit_code == 0
    assert "make missing marks blank" in done.stdout


@pytest.mark.parametrize("name", ["made.ndjson", "made.csv", "made.parquet"])
def test_rows_that_cannot_be_written_are_a_clear_fault(tmp_path: Path, name: str) -> None:
    """A folder that is not there is named as such, whatever the form of the file."""
    words = ["generate", "groundwater-monitoring", "--rows", "1", "--to", str(tmp_path / "no" / name)]

    with pytest.raises(Unwritable, match=r"No such file|FileNotFound"):
        RUN.invoke(app, ["contract", *words], catch_exceptions=False)
