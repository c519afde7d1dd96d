"""Whether one record schema admits every record of another: proved, refuted with a record, or undecided.

Three parties must agree before containment counts as proved. Our search finds no record that would refute it,
``jsonschema_rs`` does not deny it (``canonicalize(...).covers``, which its makers call experimental), and no
example record refutes it. A record that refutes always wins, for the row engine has judged it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jsonschema_rs

from contracts.compatibility.judge import admits
from contracts.compatibility.outcome import NOTHING, Found, Schema
from contracts.compatibility.search import find

Record = dict[str, Any]  # Any: a record holds whatever its schema admits


class Answer(StrEnum):
    """What is known of a containment."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Containment:
    """The answer, and where it is no, a value that the narrower schema admits and the wider one refuses."""

    answer: Answer
    witness: Any = None  # Any: any JSON value; a record where the schemas are of records


def contains(wider: Schema, narrower: Schema, *, examples: Sequence[Record] = ()) -> Containment:
    """Tell whether every value that ``narrower`` admits is admitted by ``wider``.

    ``examples`` are records to begin with: a witness is shown as an example changed as little as will do.
    """
    for example in examples:
        if _refutes(wider, narrower, example):
            return Containment(Answer.REFUTED, example)
    outcome = find([narrower, {"not": wider}])
    if isinstance(outcome, Found):
        return Containment(Answer.REFUTED, _plainest(wider, narrower, outcome.value, examples))
    second = _second_opinion(wider, narrower)
    if outcome == NOTHING:
        return Containment(Answer.UNDECIDED if second is Answer.REFUTED else Answer.PROVED)
    return Containment(Answer.PROVED if second is Answer.PROVED else Answer.UNDECIDED)


def _refutes(wider: Schema, narrower: Schema, value: Any) -> bool:  # Any: any JSON value
    return admits([narrower], value) is True and admits([wider], value) is False


def _second_opinion(wider: Schema, narrower: Schema) -> Answer:
    try:
        wide, narrow = (
            jsonschema_rs.canonicalize(
                schema, draft=jsonschema_rs.Draft202012, validate_formats=True, offline=True
            )
            for schema in (wider, narrower)
        )
        verdict = wide.covers(narrow)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError):
        return Answer.UNDECIDED
    return {"yes": Answer.PROVED, "no": Answer.REFUTED}.get(str(verdict), Answer.UNDECIDED)


def _plainest(
    wider: Schema,
    narrower: Schema,
    witness: Any,  # Any: any JSON value
    examples: Sequence[Record],
) -> Any:  # Any: as the witness
    """Give an example with as few of the witness's fields as still refute, or else the witness."""
    if not isinstance(witness, dict):
        return witness
    for example in examples:
        if admits([narrower], example) is True:
            return _nearer(wider, narrower, witness, example)
    return witness


def _nearer(wider: Schema, narrower: Schema, witness: Record, example: Mapping[str, Any]) -> Record:
    current = dict(witness)
    for name in sorted({*witness, *example}):
        nearer = {key: value for key, value in current.items() if key != name}
        if name in example:
            nearer[name] = example[name]
        if _refutes(wider, narrower, nearer):
            current = nearer
    return {name: current[name] for name in sorted(current, key=lambda key: _place(key, example))}


def _place(name: str, example: Mapping[str, Any]) -> tuple[int, str]:
    order = list(example)
    return (order.index(name) if name in example else len(order), name)
