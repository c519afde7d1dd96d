"""The official JSON-Schema-Test-Suite, draft 2020-12, against the row engine with the options that we use.

The suite comes with the source distribution of ``jsonschema`` (``.ci/parts``), and the counts are of that
edition; HEADWATERS_SCHEMA_SUITE names the folder of a newer one. References into its remotes are served from
memory. A contract resolves no reference and has three formats; the engine is held to all of them.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest

from contracts.schema import REGEX_BYTES
from tests.parts import CACHE, missing

pytestmark = pytest.mark.real

SUITE = Path(os.environ.get("HEADWATERS_SCHEMA_SUITE", CACHE / "schema_suite" / "json"))
DRAFT = "draft2020-12"
UNFINISHED = ("draft-next", "v1")
REQUIRED = 1257
FORMATS = 491
OPTIONAL = 158
KNOWN_OPTIONAL_FAILURES = 2

Case = tuple[str, Any, Any, bool]
"""File and words of a case, its schema, the instance, and the right verdict."""


@pytest.fixture(scope="module")
def tests() -> Path:
    """Give the folder of the draft's tests."""
    folder = SUITE / "tests" / DRAFT
    if not folder.is_dir():
        missing("JSON-Schema-Test-Suite", "it with .ci/parts")
    return folder


def cases(files: Iterator[Path]) -> list[Case]:
    """Read the cases of some files."""
    return [
        (
            f"{file.name}: {group['description']}: {test['description']}",
            group["schema"],
            test["data"],
            test["valid"],
        )
        for file in sorted(files)
        for group in orjson.loads(file.read_bytes())
        for test in group["tests"]
    ]


@cache
def remotes() -> jsonschema_rs.Registry:
    """Serve the suite's remote schemas from memory; those of another draft say so themselves."""
    folder = SUITE / "remotes"
    found = []
    for file in folder.rglob("*.json"):
        name = file.relative_to(folder).as_posix()
        schema = orjson.loads(file.read_bytes())
        another = name.startswith("draft") and not name.startswith(DRAFT)
        if not name.startswith(UNFINISHED) and (not another or "$schema" in schema):
            found.append((f"http://localhost:1234/{name}", schema))
    return jsonschema_rs.Registry(found)


def verdict(schema: Any, instance: Any, *, formats: bool) -> bool | str:
    """Ask the engine, with the pattern limits of contracts; an exception is a wrong answer by name."""
    try:
        judge = jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=formats,
            registry=remotes(),
            pattern_options=jsonschema_rs.RegexOptions(size_limit=REGEX_BYTES, dfa_size_limit=REGEX_BYTES),
        )
        return judge.is_valid(instance)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        return type(error).__name__


def wrong(found: list[Case], *, formats: bool) -> list[str]:
    """List the cases on which the engine is not right."""
    return [
        name for name, schema, data, valid in found if verdict(schema, data, formats=formats) is not valid
    ]


def test_the_required_suite_passes_whole(tests: Path) -> None:
    """All required cases get the verdict of the standard."""
    found = cases(tests.glob("*.json"))

    assert len(found) >= REQUIRED
    assert wrong(found, formats=False) == []


def test_the_format_suite_passes_whole(tests: Path) -> None:
    """With formats asserted, as in contracts, all format cases get the verdict of the standard."""
    found = cases((tests / "optional" / "format").glob("*.json"))

    assert len(found) >= FORMATS
    assert wrong(found, formats=True) == []


def test_the_optional_suite_passes_but_for_two(tests: Path) -> None:
    """Of the optional cases at most the two that are known are missed."""
    found = cases((tests / "optional").glob("*.json"))

    assert len(found) >= OPTIONAL
    assert len(wrong(found, formats=False)) <= KNOWN_OPTIONAL_FAILURES
