"""Contracts that are made to stop the exchange are compared in a process apart, and end as undetermined."""

from typing import Any

import orjson
import pytest

from contracts import library
from contracts.compatibility.bump import Bump
from contracts.compatibility.comparison import Verdict, compare
from contracts.promises import Compatibility
from contracts.schema import Contract, parse_contract
from exchange.versions.apart import ComparisonsBusy, Turns, unjudged


def contract_of(letters: str, patterns: int, version: str) -> Contract:
    """Make a contract whose fields are named by so many overlapping patterns."""
    names = {f"^(a|{letters}){{1,{10 + at}}}$": {"type": ["string", "null"]} for at in range(patterns)}
    told = orjson.loads(library.load("groundwater-monitoring").canonical())
    kept = ("contract", "title", "description", "theme", "classification", "update_frequency", "editions")
    record: dict[str, Any] = {"type": "object", "additionalProperties": False, "patternProperties": names}
    fields = [
        {"name": name, "title": told["title"], "unit": None, "classification": 1, "note": None}
        for name in names
    ]
    made = {
        **{name: told[name] for name in kept},
        "id": "hostile",
        "version": version,
        "fields": fields,
        "record": record,
        "example": '{"a":null}',
    }
    return parse_contract(orjson.dumps(made))


@pytest.mark.parametrize("mode", [None, Compatibility.NONE, Compatibility.FULL])
def test_the_child_says_what_the_comparison_says(mode: Compatibility | None) -> None:
    """Verdict, witness, changes and version step come back from the child as they are."""
    old, new = contract_of("b", 2, "1.0.0"), contract_of("c", 2, "1.1.0")

    with Turns().turn("p") as turn:
        found = turn.compare(old, new, mode)

    assert found == compare(old, new, mode)


def test_a_pair_that_would_take_minutes_is_undetermined() -> None:
    """Hundreds of overlapping patterns keep the prover busy for minutes; the child is ended instead."""
    old, new = contract_of("b", 250, "1.0.0"), contract_of("c", 250, "1.1.0")

    with Turns().turn("p", seconds=2.0) as turn:
        found = turn.compare(old, new)
        later = turn.compare(new, old)

    assert found.verdict is later.verdict is Verdict.UNDETERMINED
    assert found.breaking
    assert found.bump_if_approved is Bump.MAJOR


def test_what_is_not_compared_promises_nothing_under_the_mode_none() -> None:
    """Without a promise there is nothing to break, yet the step counts as breaking for users."""
    found = unjudged(Compatibility.NONE)

    assert found.verdict is Verdict.COMPATIBLE
    assert found.breaking


def test_one_participant_has_one_turn_at_a_time() -> None:
    """Who keeps one child busy gets no second one, and keeps nobody else from a turn."""
    turns = Turns(at_once=2)

    with turns.turn("p"):
        with pytest.raises(ComparisonsBusy), turns.turn("p"):
            pass
        with turns.turn("q"), pytest.raises(ComparisonsBusy), turns.turn("r", seconds=0.01):
            pass

    with turns.turn("p") as one, turns.turn("q") as other:
        assert one is not other
