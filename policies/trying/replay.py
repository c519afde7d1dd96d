"""Ask questions of the past again under another policy, and say what would have come out otherwise.

Pure: two judges, the same questions. What counts is what a person must know before another policy decides:
refusals that would be permits, obligations that would hide less, permits that would be refusals.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from contracts.canonical import Json
from contracts.messages import Obligation
from contracts.strictness import is_met
from policies.decision import Decision, Question

Judge: TypeAlias = Callable[[Question], Decision]
Difference = Literal["permitted", "weakened", "refused", "tightened", "reasons"]
WIDENING: tuple[Difference, ...] = ("permitted", "weakened")
SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Flip:
    """One question that comes out otherwise; ``name`` is that of the decision which was made on it."""

    name: str
    difference: Difference
    dataset: str
    purpose: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def document(self) -> dict[str, Json]:
        """Write the flip for a person or a script."""
        return {
            "decision": self.name,
            "difference": self.difference,
            "dataset": self.dataset,
            "purpose": self.purpose,
            "before": list(self.before),
            "after": list(self.after),
        }


@dataclass(slots=True)
class Replayed:
    """What a replay found: how many came out how, and the first samples of each difference."""

    asked: int = 0
    same: int = 0
    counts: dict[Difference, int] = field(default_factory=dict)
    samples: list[Flip] = field(default_factory=list)

    @property
    def widens(self) -> bool:
        """Say whether anything would be permitted, or shown, that was not before."""
        return any(self.counts.get(kind, 0) for kind in WIDENING)

    def add(self, name: str, question: Question, before: Decision, after: Decision) -> None:
        """Count one question."""
        self.asked += 1
        difference = difference_between(before, after)
        if difference is None:
            self.same += 1
            return
        count = self.counts[difference] = self.counts.get(difference, 0) + 1
        if count <= SAMPLES:
            place = (question.dataset.dataset, question.purpose)
            self.samples.append(Flip(name, difference, *place, tuple(before.codes), tuple(after.codes)))

    def document(self) -> dict[str, Json]:
        """Write the report: every difference has its count, the widening ones first."""
        kinds: tuple[Difference, ...] = (*WIDENING, "refused", "tightened", "reasons")
        return {
            "asked": self.asked,
            "same": self.same,
            **{kind: self.counts.get(kind, 0) for kind in kinds},
            "widens": self.widens,
            "samples": [flip.document() for flip in self.samples],
        }


def replay(before: Judge, after: Judge, asked: Iterable[tuple[str, Question]]) -> Replayed:
    """Put each named question to both judges."""
    report = Replayed()
    for name, question in asked:
        report.add(name, question, before(question), after(question))
    return report


def difference_between(before: Decision, after: Decision) -> Difference | None:
    """Say how ``after`` differs from ``before``; None where it does not."""
    match (before.allowed, after.allowed):
        case (False, True):
            return "permitted"
        case (True, False):
            return "refused"
        case (True, True) if before.obligations != after.obligations:
            return "weakened" if is_weaker(before.obligations, after.obligations) else "tightened"
        case _:
            return None if sorted(before.codes) == sorted(after.codes) else "reasons"


def is_weaker(before: tuple[Obligation, ...], after: tuple[Obligation, ...]) -> bool:
    """Say whether ``after`` fails to demand something that ``before`` demanded; in doubt it does."""
    return not all(is_met(duty, after) for duty in before)
