"""A contract is looked through whole: every reason is listed, and a second engine is heard."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from contracts import library
from contracts.inspection import SecondJudge, inspect_contract, second_opinion
from contracts.library import NoContractFile, NoSuchContract, inspected, named
from contracts.schema import Contract

Make = Callable[..., dict[str, Any]]


def test_every_reason_is_listed(make: Make) -> None:
    """All that the dialect refuses is said at once, each with its place in the document."""
    made = make()
    made["record"]["properties"]["code"]["pattern"] = "[0-9]+"
    made["record"]["properties"]["level"]["format"] = "email"
    made["record"]["$ref"] = "https://elsewhere.example/schema"

    inspection = inspect_contract(orjson.dumps(made))

    assert inspection.contract is None
    assert [reason.pointer for reason in inspection.reasons] == [
        "/record",
        "/record/properties/code",
        "/record/properties/level",
    ]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"contract":1}', b'{"record":[]}'])
def test_what_is_no_contract_has_a_reason(raw: bytes) -> None:
    """Text that is no contract at all is refused with a reason and no exception."""
    inspection = inspect_contract(raw)

    assert inspection.contract is None
    assert inspection.reasons


def test_a_broken_example_is_a_reason(make: Make) -> None:
    """The example is held to its own contract."""
    (reason,) = inspect_contract(orjson.dumps(make(example='{"code":"5","level":1}'))).reasons

    assert "/code" in reason.en


@pytest.mark.parametrize("contract", library.shipped_contracts(), ids=lambda contract: contract.id)
def test_two_engines_accept_every_shipped_example(contract: Contract) -> None:
    """The example of a shipped contract is valid for an engine that shares no code with ours."""
    assert second_opinion(contract) == []


def test_a_contract_is_named_by_id_or_file(tmp_path: Path, make: Make) -> None:
    """A library id, and a path of a file, name a contract; both can be inspected."""
    path = tmp_path / "own.json"
    path.write_bytes(orjson.dumps(make()))

    assert named("forest-parcel") == library.load("forest-parcel")
    assert named(str(path)).id == "river-level"
    assert inspected(str(path)).contract == named(str(path))
    assert inspected("forest-parcel").reasons == []


@pytest.mark.parametrize("text", ["missing.json", ".", "/", "a\0.json", "no/such/file.yaml"])
def test_a_file_that_cannot_be_read_is_said(text: str) -> None:
    """A missing file, a folder and an impossible path are errors in words."""
    with pytest.raises(NoContractFile):
        named(text)
    with pytest.raises(NoContractFile):
        inspected(text)


def test_an_unknown_id_is_said() -> None:
    """A name without dot or slash is an id, and the library says which it has."""
    with pytest.raises(NoSuchContract, match="forest-parcel"):
        named("no-such-thing")


def test_no_pattern_keeps_the_second_engine_busy(make: Make) -> None:
    """A pattern that would keep a backtracking engine busy for ever is asked of the row engine."""
    made = make()
    made["record"]["properties"]["code"] = {"type": "string", "not": {"pattern": "^(a+)+$"}}
    made["example"] = orjson.dumps({"code": "a" * 60 + "!", "level": 1}).decode()

    inspection = inspect_contract(orjson.dumps(made))

    assert inspection.contract is not None
    assert list(inspection.reasons) == []


@pytest.mark.parametrize(
    "value", [{}, {"a": 1}, {"p_1": 1}, {"p_1": "x"}, {"other": 1}, {"p_": 1}, {"a": "AB"}, {"a": "ab"}, []]
)
@pytest.mark.parametrize("others", [False, True])
def test_names_and_patterns_mean_the_same_to_the_second_engine(value: object, *, others: bool) -> None:
    """Our judges of patterns, of fields that they name and of all others agree with those replaced."""
    schema = {
        "properties": {"a": {"pattern": "^[a-z]+$"}},
        "patternProperties": {"^p_[0-9]+$": {"type": "string"}},
        "additionalProperties": others,
    }

    assert SecondJudge(schema).is_valid(value) == Draft202012Validator(schema).is_valid(value)
