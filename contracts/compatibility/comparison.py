"""Compare two versions of a contract: the verdict under a mode, its witness, the changes, the version step.

BACKWARD asks whether the new version admits every record that the old one admits, FORWARD the reverse, FULL
both (Confluent Schema Registry, compatibility types). A verdict is proved, refuted by a witness record that
the row engine has judged, or undetermined; what is undetermined counts as breaking until a person says no.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from contracts.compatibility.bump import Bump, largest
from contracts.compatibility.change import Change, Effect
from contracts.compatibility.containment import Answer, Containment, Record, contains
from contracts.compatibility.governance import governance_changes
from contracts.compatibility.outcome import Schema
from contracts.compatibility.record_changes import BACKWARD_MODES, FORWARD_MODES, record_changes
from contracts.promises import Compatibility
from contracts.schema import Contract
from contracts.validation import RowValidator, Violation

Side = Literal["old", "new"]


class Verdict(StrEnum):
    """Whether the new version may follow the old one under a mode."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Witness:
    """A record that one version admits and the other refuses, and the rules it breaks there."""

    record: Record
    accepted_by: Side
    refused_by: Side
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found; ``breaking`` is what users have to be warned of.

    ``bump`` is the version step that the change deserves; ``bump_if_approved`` is what it deserves once a
    person has said that an undetermined change of the records breaks nothing.
    """

    mode: Compatibility
    verdict: Verdict
    witness: Witness | None
    changes: tuple[Change, ...]
    bump: Bump
    bump_if_approved: Bump

    @property
    def breaking(self) -> bool:
        """Tell whether the change takes something from those who use the contract."""
        return self.bump is Bump.MAJOR


def compare(old: Contract, new: Contract, mode: Compatibility | None = None) -> Comparison:
    """Compare two contracts under a mode; the old contract's own mode where none is given.

    The mode ``none`` asks nothing of the next version, so its verdict is compatible; the version number still
    tells the truth, and tells it as under ``backward``.
    """
    asked = mode or old.compatibility
    changes = [*record_changes(old.record, new.record, asked), *governance_changes(old, new)]
    told = Compatibility.BACKWARD if asked is Compatibility.NONE else asked
    verdict, side, record = compare_records(old.record, new.record, told, examples=_examples(old, new))
    witness = None if side is None else _witness(old, new, side, record)
    bumps = [_record_bump(change) for change in changes]
    if old.digest != new.digest and old.version == new.version:
        bumps.append(Bump.PATCH)
    told_compatible = largest(bumps)
    bump = told_compatible if verdict is Verdict.COMPATIBLE else Bump.MAJOR
    if asked is Compatibility.NONE:
        verdict, witness = Verdict.COMPATIBLE, None
    return Comparison(asked, verdict, witness, tuple(changes), bump, told_compatible)


def compare_records(
    old: Schema, new: Schema, mode: Compatibility, *, examples: Sequence[Record] = ()
) -> tuple[Verdict, Side | None, Any]:  # Any: any JSON value
    """Give the verdict on two record schemas, and where it is no, who admits the witness, and the witness."""
    answers: list[tuple[Side, Containment]] = []
    if mode in BACKWARD_MODES:
        answers.append(("old", contains(new, old, examples=examples)))
    if mode in FORWARD_MODES:
        answers.append(("new", contains(old, new, examples=examples)))
    for side, containment in answers:
        if containment.answer is Answer.REFUTED:
            return Verdict.INCOMPATIBLE, side, containment.witness
    if any(containment.answer is Answer.UNDECIDED for _, containment in answers):
        return Verdict.UNDETERMINED, None, None
    return Verdict.COMPATIBLE, None, None


def _record_bump(change: Change) -> Bump:
    """Weigh a change when the records are proved compatible: a part that seems narrower takes nothing."""
    if change.place.startswith("/record") and change.effect is Effect.TAKES:
        return Bump.MINOR
    return change.effect.bump


def _examples(old: Contract, new: Contract) -> list[Record]:
    return [old.example_row(), new.example_row()]


def _witness(old: Contract, new: Contract, accepted_by: Side, record: Record) -> Witness:
    refused_by: Side = "new" if accepted_by == "old" else "old"
    judge = RowValidator(new if refused_by == "new" else old)
    return Witness(record, accepted_by, refused_by, judge.violations(record))
