"""An outside judge of exported contracts: datacontract-cli lints them, and tests rows with our verdict."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from contracts import library
from contracts.odcs import EDITIONS, Edition, export_contract, to_document
from contracts.odcs.text import write_yaml
from contracts.sampling.breaking import Breaker
from contracts.sampling.generate import rows
from contracts.sampling.seen import seen
from contracts.schema import Contract
from contracts.validation import RowValidator
from nodes.sources.made_rows import write_rows
from tests.parts import CACHE, missing

pytestmark = pytest.mark.real

HOME = CACHE / "datacontract"
JUDGE = Path(__file__).parent / "datacontract" / "judge.py"
GOOD_ROWS = 30
GOOD_ALONE = ("ambient-air-hourly", "forest-parcel", "pollution-source-online", "surface-water-auto")
CHECKS = {
    "field_minimum": "minimum",
    "field_maximum": "maximum",
    "field_not_equal": "exclusiveMinimum",
    "field_regex": "pattern",
    "field_min_length": "minLength",
    "field_max_length": "maxLength",
    "field_required": "type",
    "field_invalid_values": "enum",
    "field_enum": "enum",
}

Report = dict[str, dict[str, Any]]
Fault = tuple[str | None, str]


def edition_of(contract: Contract) -> Edition:
    """Take the editions in turn, so that both are tested on about half of the contracts."""
    return EDITIONS[library.names().index(contract.id) % len(EDITIONS)]


def broken_rows(contract: Contract, spare: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Fault]]:
    """Break rows in each way that ODCS has a word for; a bad date is left out, as it ends the tool's whole run."""  # noqa: E501
    judge = RowValidator(contract)
    for row, (pointer, rule) in Breaker(contract, random.Random(1), "parquet").break_each(*spare):  # noqa: S311
        fault = judge.violations(seen(contract, row, "parquet") or {})[0]
        if fault.schema_pointer == f"/properties{pointer}/{rule}" and rule != "format":
            yield row, (pointer.removeprefix("/"), "enum" if rule == "const" else rule)


def prepare(folder: Path, contract: Contract) -> set[Fault]:
    """Write a contract for the judge, beside rows of which some are broken; give the faults that we see."""
    edition = edition_of(contract)
    made = [one.row for one in rows(contract, GOOD_ROWS + 400, seed=7, form="parquet")]
    broken = list(broken_rows(contract, made[GOOD_ROWS:]))
    files = {"broken": [row for row, _ in broken]} | ({"good": []} if contract.id in GOOD_ALONE else {})
    for name, kept in files.items():
        file = folder / f"{contract.id}.{name}.parquet"
        write_rows(file, contract, [*made[:GOOD_ROWS], *kept])
        server = {"server": "local", "type": "local", "path": str(file), "format": "parquet"}
        document = to_document(contract, edition) | {"servers": [server]}
        (folder / f"{contract.id}.{name}.yaml").write_text(write_yaml(document), encoding="utf-8")
    for every in EDITIONS:
        text = export_contract(contract, every)
        (folder / f"{contract.id}.{every}.yaml").write_text(text, encoding="utf-8")
    return {fault for _, fault in broken}


@pytest.fixture(scope="module")
def expected() -> dict[str, set[Fault]]:
    """Hold what our engine says of the broken rows of each contract."""
    return {}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, expected: dict[str, set[Fault]]) -> Report:
    """Let datacontract-cli judge every shipped contract, in one start of its environment."""
    python = HOME / "bin" / "python"
    if not python.exists():
        missing("datacontract-cli", ".ci/parts")
    folder = tmp_path_factory.mktemp("odcs")
    for contract in library.shipped_contracts():
        expected[contract.id] = prepare(folder, contract)
    done = subprocess.run([python, JUDGE, folder], capture_output=True, text=True, check=True, timeout=280)
    told: Report = json.loads(done.stdout.splitlines()[-1])
    return told


def failed(told: dict[str, Any]) -> set[Fault]:
    """List the checks of rows that failed, in our words; those of service levels look at today's clock."""
    return {
        (field, CHECKS.get(kind, kind))
        for kind, field, result in told["checks"]
        if result == "failed" and not kind.startswith("servicelevel")
    }


def test_lint_passes_every_shipped_contract(report: Report) -> None:
    """``datacontract lint`` has nothing against a shipped contract, in either edition."""
    linted = {name: told for name, told in report.items() if "lint" in told}

    assert len(linted) == len(EDITIONS) * len(library.names())
    assert {name: told["reasons"] for name, told in linted.items() if told["lint"] != "passed"} == {}


def test_good_rows_pass(report: Report) -> None:
    """Rows that our engine admits fail no check of the judge."""
    assert {name: failed(report[f"{name}.good.yaml"]) for name in GOOD_ALONE} == dict.fromkeys(  # noqa: RUF024
        GOOD_ALONE, set()
    )


def test_broken_rows_fail_in_the_same_places(report: Report, expected: dict[str, set[Fault]]) -> None:
    """For every field and rule that ODCS has a word for, the judge fails exactly where our engine does.

    The one rule it does not know is a pattern whose repeats RE2 refuses, which is not exported as such.
    """
    found = {name: failed(report[f"{name}.broken.yaml"]) for name in library.names()}

    assert {name: faults - expected[name] for name, faults in found.items() if faults - expected[name]} == {}
    unseen = {(name, *fault) for name, faults in expected.items() for fault in faults - found[name]}
    assert {fault for fault in unseen if fault[2] not in {"pattern", "multipleOf"}} == set()
    assert sum(map(len, found.values())) > 400


def test_the_freshness_of_old_rows_fails(report: Report) -> None:
    """The latency is tested as freshness: rows of January are not fresh today."""
    checks = {kind: result for kind, _, result in report["surface-water-auto.good.yaml"]["checks"]}

    assert checks["servicelevel_freshness"] == "failed"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_strict_schema_finds_nothing(edition: Edition) -> None:
    """The JSON Schema of the standard itself, which is stricter than lint, finds no error in any contract."""
    found = list(HOME.glob(f"lib/python*/site-packages/datacontract/schemas/odcs-{edition}.schema.json"))
    if not found:
        missing("datacontract-cli", ".ci/parts")
    schema = json.loads(found[0].read_text(encoding="utf-8"))
    judge = jsonschema.validators.validator_for(schema)(schema)
    faults = {
        contract.id: [
            error.message
            for error in judge.iter_errors(json.loads(json.dumps(to_document(contract, edition))))
        ]
        for contract in library.shipped_contracts()
    }

    assert faults == {name: [] for name in library.names()}
