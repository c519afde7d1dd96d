"""The decisions of which an entry came, with the questions that were asked: to be replayed and explained.

They stand beside the log and may be erased. A row commits in the unit that appends the entry, so that there
is no grant without its question; questions that led to nothing, and refusals that are only counted, are not
kept.
"""

from dataclasses import dataclass
from typing import Self

import orjson
from pydantic import TypeAdapter
from sqlmodel import Session

from audit.log.unit import Unit
from contracts.canonical import canonical_bytes
from contracts.clock import epoch_ms
from contracts.messages import Obligation
from exchange.policies import store
from exchange.policies.store import Which
from exchange.policies.tables import DecisionRow
from policies.decision import Decision, Question, Reason
from policies.guard import Undecided, outgoing
from policies.reasons import explain

ANY = Which()

_OBLIGATIONS: TypeAdapter[list[Obligation]] = TypeAdapter(list[Obligation])


@dataclass(frozen=True, slots=True)
class Kept:
    """One decision as it was kept; ``question`` and ``answer`` are canonical JSON."""

    decision: str
    at_ms: int
    participant: str
    dataset: str
    action: str
    purpose: str
    outcome: str
    policy: str
    engine: str
    revision: str
    question: str
    answer: str
    origin: str
    index: int

    @classmethod
    def of(cls, row: DecisionRow) -> Self:
        """Read a row."""
        return cls(
            decision=row.decision,
            at_ms=row.at,
            participant=row.participant,
            dataset=row.dataset,
            action=row.action,
            purpose=row.purpose,
            outcome=row.outcome,
            policy=row.policy,
            engine=row.engine,
            revision=row.revision,
            question=row.question,
            answer=row.answer,
            origin=row.origin,
            index=row.idx,
        )

    def asked(self) -> Question:
        """Give the question; raise Invalid for one of another version."""
        return Question.read(orjson.loads(self.question))

    @property
    def codes(self) -> list[str]:
        """List the reason codes."""
        return [item["code"] for item in orjson.loads(self.answer)["reasons"]]

    def reasons(self) -> tuple[Reason, ...]:
        """Give the reasons in words; raise UnknownReason for a code that no longer has any."""
        return tuple(explain(item["code"], item["args"]) for item in orjson.loads(self.answer)["reasons"])

    def obligations(self) -> tuple[Obligation, ...]:
        """Give what a permit imposed."""
        return tuple(_OBLIGATIONS.validate_python(orjson.loads(self.answer)["obligations"]))


def keep(unit: Unit, question: Question, decision: Decision) -> None:
    """Keep a decision beside the entry that this unit appended last; facts that cannot be written are not."""
    document = written(question)
    if document is None:
        return
    store.add_decision(
        unit.session,
        DecisionRow(
            decision=decision.decision_id,
            at=epoch_ms(unit.now),
            participant=question.participant.id,
            dataset=question.dataset.dataset,
            action=question.action,
            purpose=question.purpose,
            outcome=decision.outcome,
            policy=decision.policy_digest,
            engine=decision.engine,
            revision=decision.revision,
            question=document.decode(),
            answer=canonical_bytes(decision.answer()).decode(),
            origin=unit.origin,
            idx=unit.indexes[-1],
        ),
    )


def written(question: Question) -> bytes | None:
    """Write a question's document; None for odd facts, of which a refusal came."""
    try:
        return outgoing(question)
    except Undecided:
        return None


def find_decision(session: Session, decision: str) -> Kept | None:
    """Give one decision; None where it was never kept, or was erased."""
    row = store.find_decision(session, decision)
    return None if row is None else Kept.of(row)


def decisions(session: Session, which: Which = ANY) -> list[Kept]:
    """List decisions, newest first."""
    return [Kept.of(row) for row in store.decisions(session, which)]
