"""Two versions of a contract: the verdict of each mode, its witness, and the version step."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from contracts.compatibility.bump import Bump
from contracts.compatibility.change import Effect
from contracts.compatibility.comparison import Verdict, compare
from contracts.library import shipped_contracts
from contracts.promises import Compatibility
from contracts.schema import Contract, parse_contract

Make = Callable[..., dict[str, Any]]
UNDECIDABLE = "^(?:[a-z]{{3}}|[0-9]{{4}}{0}){{1,700}}$"


def _pair(make: Make, edit: Callable[[dict[str, Any]], object]) -> tuple[Contract, Contract]:
    new = make()
    edit(new)
    return parse_contract(orjson.dumps(make())), parse_contract(orjson.dumps(new))


def _lower_the_maximum(document: dict[str, Any]) -> None:
    document["record"]["properties"]["level"]["maximum"] = 50


def _add_a_field(document: dict[str, Any]) -> None:
    document["record"]["properties"]["note"] = {"type": ["string", "null"], "maxLength": 20}
    document["fields"].append(
        {"name": "note", "title": {"zh": "备注", "en": "note"}, "unit": None, "classification": 1}
    )


def _reword(document: dict[str, Any]) -> None:
    document["title"] = {"zh": "河流水位", "en": "level of the river"}


@pytest.mark.parametrize(
    ("mode", "verdict", "bump"),
    [
        (Compatibility.BACKWARD, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.BACKWARD_TRANSITIVE, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.FORWARD, Verdict.COMPATIBLE, Bump.MINOR),
        (Compatibility.FORWARD_TRANSITIVE, Verdict.COMPATIBLE, Bump.MINOR),
        (Compatibility.FULL, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.FULL_TRANSITIVE, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.NONE, Verdict.COMPATIBLE, Bump.MAJOR),
    ],
)
def test_a_narrowed_field_under_each_mode(
    make: Make, mode: Compatibility, verdict: Verdict, bump: Bump
) -> None:
    """BACKWARD and FULL refuse it, FORWARD takes it, NONE asks nothing and still calls it breaking."""
    old, new = _pair(make, _lower_the_maximum)

    found = compare(old, new, mode)

    assert (found.verdict, found.bump) == (verdict, bump)


@pytest.mark.parametrize(
    ("mode", "verdict", "bump"),
    [
        (Compatibility.BACKWARD, Verdict.COMPATIBLE, Bump.MINOR),
        (Compatibility.FORWARD, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.FULL, Verdict.INCOMPATIBLE, Bump.MAJOR),
        (Compatibility.NONE, Verdict.COMPATIBLE, Bump.MINOR),
    ],
)
def test_an_optional_field_more_under_each_mode(
    make: Make, mode: Compatibility, verdict: Verdict, bump: Bump
) -> None:
    """BACKWARD takes it; FORWARD and FULL refuse it, as the old version is closed."""
    old, new = _pair(make, _add_a_field)

    found = compare(old, new, mode)

    assert (found.verdict, found.bump) == (verdict, bump)


def test_the_witness_is_judged_and_explained(make: Make) -> None:
    """The witness says which version admits it, which refuses it, and by which rule."""
    old, new = _pair(make, _lower_the_maximum)

    witness = compare(old, new).witness

    assert witness is not None
    assert (witness.accepted_by, witness.refused_by) == ("old", "new")
    assert [(each.pointer, each.rule) for each in witness.violations] == [("/level", "maximum")]
    assert witness.record["level"] > 50
    assert {**witness.record, "level": 1.5} == old.example_row()


def test_words_alone_are_a_patch_and_nothing_is_none(make: Make) -> None:
    """A reworded title is a patch; the same contract again deserves no new number."""
    old, new = _pair(make, _reword)

    assert compare(old, new).bump is Bump.PATCH
    assert compare(old, old).bump is Bump.NONE
    assert compare(old, old).changes == ()


def test_a_pattern_that_says_the_same_is_words(make: Make) -> None:
    """A pattern written otherwise with the same meaning is told as such, and is a patch."""

    def rewrite(document: dict[str, Any]) -> None:
        document["record"]["properties"]["code"]["pattern"] = "^[0-9]{2}(?:[0-9]{2}){2}$"

    found = compare(*_pair(make, rewrite))

    assert (found.verdict, found.bump) == (Verdict.COMPATIBLE, Bump.PATCH)
    assert [change.effect for change in found.changes] == [Effect.WORDS]


def test_what_cannot_be_decided_counts_as_breaking(make: Make) -> None:
    """Two patterns too large to compare are undetermined, and major until a person agrees."""

    def document(more: str) -> Contract:
        made = make()
        keeper = {"type": ["string", "null"], "pattern": UNDECIDABLE.format(more), "maxLength": 3000}
        made["record"]["properties"]["keeper"] = keeper
        return parse_contract(orjson.dumps(made | {"example": '{"code":"500100","level":1.5}'}))

    found = compare(document(""), document("|A{5}"))

    assert (found.verdict, found.witness, found.bump) == (Verdict.UNDETERMINED, None, Bump.MAJOR)


def test_a_condition_is_told_by_what_it_adds(make: Make) -> None:
    """Of several conditions only the one that is new is shown, and that it admits less."""
    known = {"if": {"properties": {"code": {"const": "500100"}}}, "then": {"required": ["keeper"]}}
    fresh = {"if": {"required": ["keeper"]}, "then": {"properties": {"level": {"type": "number"}}}}
    old, new = make(), make()
    old["record"]["allOf"], new["record"]["allOf"] = [known], [known, fresh]

    found = compare(parse_contract(orjson.dumps(old)), parse_contract(orjson.dumps(new)))

    (change,) = found.changes
    assert found.verdict is Verdict.INCOMPATIBLE
    assert (change.place, change.effect, change.before) == ("/record", Effect.TAKES, '{"allOf": []}')
    assert orjson.loads(str(change.after)) == {"allOf": [fresh]}


def test_no_shipped_contract_is_its_own_successor_by_mistake() -> None:
    """Every shipped contract compares with itself as the same, whatever it holds."""
    for contract in shipped_contracts():
        found = compare(contract, contract, Compatibility.FULL)
        assert (found.verdict, found.bump, found.changes) == (Verdict.COMPATIBLE, Bump.NONE, ())
