"""The questions of a review: everybody who might use a dataset, for every purpose, with facts read once.

They are the questions that an application and a transfer would put, but that no act hangs on the answer: an
application is taken to run a year, a transfer to be of a release that is not out yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from contracts.clock import epoch_ms
from contracts.messages import EMERGENCY_PURPOSE, Agreement, MemberStatus, Text
from exchange.agreements.facts import CurrentDataset, current_dataset, emergency_of
from exchange.agreements.store import agreements_about
from exchange.members.model import MemberRecord
from exchange.members.store import find_member, list_members
from exchange.subscriptions.store import subscriptions_about
from exchange.transfers.store import NO_USAGE, usage_about
from nodes.signed import peek_statement
from policies.decision import Action, Question
from policies.facts import (
    AgreementFacts,
    ApplicationFacts,
    EmergencyFacts,
    ParticipantFacts,
    SubscriptionFacts,
)

ANY_PURPOSE: Final = "any"
"""Stands for any purpose, where a record offers its dataset for all of them and names none."""

APPLIED_FOR: Final = timedelta(days=365)
Key = tuple[str, str, str]
FIRST: Final[Key] = ("", "", "")
"""Stands before every case."""

_NOT_YET = frozenset({MemberStatus.INVITED, MemberStatus.PENDING, MemberStatus.REVOKED})


@dataclass(frozen=True, slots=True)
class Case:
    """One question, and what people call the participant that it is about."""

    question: Question
    name: Text

    @property
    def key(self) -> Key:
        """Order the cases of a review, and name the last one of a page."""
        agreement = self.question.agreement
        return (
            self.question.participant.id,
            self.question.purpose,
            "" if agreement is None else agreement.agreement,
        )


@dataclass(frozen=True, slots=True)
class Someone:
    """A participant that may act or might again."""

    facts: ParticipantFacts
    name: Text


@dataclass(frozen=True, slots=True)
class Standing:
    """An agreement that has not ended, with how its subscription is used."""

    agreement: AgreementFacts
    subscription: SubscriptionFacts


@dataclass(frozen=True, slots=True)
class Ground:
    """What a review of one dataset stands on, read in one session; ``address`` is where they ask from.

    People are in the order of their ids, agreements in that of consumer, purpose and id.
    """

    now_ms: int
    dataset: CurrentDataset
    people: tuple[Someone, ...]
    standing: tuple[Standing, ...]
    emergency: EmergencyFacts | None
    address: str | None

    @property
    def purposes(self) -> tuple[str, ...]:
        """Name the purposes to ask about: those that the record offers, else those that it speaks of."""
        facts = self.dataset.facts
        named = facts.purposes or {
            *(entry.purpose for entry in facts.purpose_fields),
            *(purpose for duty in facts.duties for purpose in duty.purposes),
            *(purpose for condition in facts.conditions for purpose in condition.purposes),
            *(one.agreement.purpose for one in self.standing),
        }
        return tuple(sorted(named)) or (ANY_PURPOSE,)

    def emergency_for(self, purpose: str) -> EmergencyFacts | None:
        """Give the declared emergency where it is the purpose."""
        return self.emergency if purpose == EMERGENCY_PURPOSE else None


def ground_about(
    session: Session,
    now: datetime,
    dataset: str,
    *,
    participant: str | None = None,
    address: str | None = None,
) -> Ground:
    """Read all that a review needs; with ``participant`` of that one only.

    Raises DatasetUnknown, ContractUnknown or UnknownMember.
    """
    current = current_dataset(session, dataset)
    members = list_members(session) if participant is None else [find_member(session, participant)]
    return Ground(
        now_ms=epoch_ms(now),
        dataset=current,
        people=tuple(
            _someone(record)
            for record in members
            if record.status not in _NOT_YET and record.participant != current.row.provider
        ),
        standing=_standing(session, now, current, participant),
        emergency=emergency_of(session, now, current, EMERGENCY_PURPOSE),
        address=address,
    )


def cases(
    ground: Ground, action: Action, *, purpose: str | None = None, after: Key = FIRST
) -> Iterator[Case]:
    """Give the questions of one action behind a key, in the order of their keys, as they are asked for."""
    found = _to_apply if action == "apply" else _to_receive
    return (case for case in found(ground, purpose, after) if case.key > after)


def _to_apply(ground: Ground, purpose: str | None, after: Key) -> Iterator[Case]:
    until = ApplicationFacts(ground.now_ms + int(APPLIED_FOR.total_seconds() * 1000))
    purposes = ground.purposes if purpose is None else (purpose,)
    for someone in ground.people:
        for one in purposes if someone.facts.id >= after[0] else ():
            question = Question(
                action="apply",
                now_ms=ground.now_ms,
                participant=someone.facts,
                dataset=ground.dataset.facts,
                purpose=one,
                application=until,
                emergency=ground.emergency_for(one),
                address=ground.address,
            )
            yield Case(question, someone.name)


def _to_receive(ground: Ground, purpose: str | None, _after: Key) -> Iterator[Case]:
    known = {someone.facts.id: someone for someone in ground.people}
    for one in ground.standing:
        someone = known.get(one.agreement.consumer)
        if someone is None or purpose not in {None, one.agreement.purpose}:
            continue
        question = Question(
            action="transfer",
            now_ms=ground.now_ms,
            participant=someone.facts,
            dataset=ground.dataset.facts,
            purpose=one.agreement.purpose,
            agreement=one.agreement,
            subscription=one.subscription,
            emergency=ground.emergency_for(one.agreement.purpose),
            address=ground.address,
        )
        yield Case(question, someone.name)


def _someone(record: MemberRecord) -> Someone:
    return Someone(
        ParticipantFacts.of(record.participant, record.status, record.profile), record.profile.name
    )


def _standing(
    session: Session, now: datetime, current: CurrentDataset, participant: str | None
) -> tuple[Standing, ...]:
    dataset = current.row.dataset
    usage = usage_about(session, dataset, now)
    subscribed = {row.agreement: row.subscription for row in subscriptions_about(session, dataset)}
    found = []
    for row in agreements_about(session, dataset, now):
        if participant not in {None, row.consumer}:
            continue
        used = usage.get(subscribed.get(row.agreement, ""), NO_USAGE)
        # Both signatures were verified when the agreement was concluded; the row is the exchange's own.
        terms = peek_statement(row.envelope, Agreement).statement
        found.append(
            Standing(
                AgreementFacts.of(terms, state=row.state, record=current.record.digest),
                SubscriptionFacts(
                    state=row.state, owed_receipts=used.owed_receipts, open_grants=used.open_grants
                ),
            )
        )
    return tuple(
        sorted(
            found, key=lambda one: (one.agreement.consumer, one.agreement.purpose, one.agreement.agreement)
        )
    )
