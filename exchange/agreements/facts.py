"""The facts about participants and datasets, as the policy asks for them; read in one session, never cached.

A dataset's facts come from the record that its provider signed, and its fields from the registered contract.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlmodel import Session

from contracts.clock import epoch_ms
from contracts.messages import Application, DatasetRecord
from exchange.agreements.model import OwnDataset
from exchange.catalog import store as catalog
from exchange.catalog.model import ContractUnknown, DatasetUnknown
from exchange.catalog.tables import DatasetRow
from exchange.emergencies.facts import emergency_facts
from exchange.members.store import find_standing
from nodes.signed import Signed, peek_statement
from policies.decision import Question
from policies.facts import (
    ApplicationFacts,
    DatasetFacts,
    EmergencyFacts,
    FieldFacts,
    ParticipantFacts,
)

G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Gathered(Generic[G]):
    """A question, and the ground that its facts were read from in the same session."""

    question: Question
    ground: G


@dataclass(frozen=True, slots=True)
class CurrentDataset:
    """A dataset as it stands: its row, its provider's signed record, and what the policy is told."""

    row: DatasetRow
    record: Signed[DatasetRecord]
    facts: DatasetFacts


def participant_facts(session: Session, participant: str) -> ParticipantFacts:
    """Read who asks; raise UnknownMember."""
    member = find_standing(session, participant)
    return ParticipantFacts.of(participant, member.status, member.profile)


def current_dataset(session: Session, dataset: str) -> CurrentDataset:
    """Read a dataset with its facts; raise DatasetUnknown."""
    row = catalog.find_dataset(session, dataset)
    if row is None:
        raise DatasetUnknown(f"{dataset} is not in the catalogue", dataset=dataset)
    contract = catalog.known_contract(session, row.contract, row.contract_version)
    if contract is None:
        raise ContractUnknown(f"{row.contract} {row.contract_version} is not registered")
    # Its signature was verified when the record came in; the row is the exchange's own.
    record = peek_statement(row.envelope, DatasetRecord)
    provider = find_standing(session, row.provider)
    facts = DatasetFacts.of(
        record.statement,
        provider_status=provider.status,
        provider=provider.profile,
        fields=tuple(FieldFacts(name, level) for name, level in contract.fields.items()),
    )
    return CurrentDataset(row, record, facts)


def emergency_of(
    session: Session, now: datetime, dataset: CurrentDataset, purpose: str
) -> EmergencyFacts | None:
    """Give the emergency in force that covers a dataset and is the purpose; None in ordinary times."""
    theme = dataset.record.statement.theme
    return emergency_facts(session, now, dataset=dataset.facts, theme=theme, purpose=purpose)


def gather_application(
    session: Session, now: datetime, *, application: Application, address: str | None = None
) -> Gathered[CurrentDataset]:
    """Ask whether this application may be made; raise DatasetUnknown, UnknownMember or OwnDataset."""
    dataset = current_dataset(session, application.dataset)
    if dataset.row.provider == application.consumer:
        raise OwnDataset(f"{application.dataset} is the applicant's own")
    question = Question(
        action="apply",
        now_ms=epoch_ms(now),
        participant=participant_facts(session, application.consumer),
        dataset=dataset.facts,
        purpose=application.purpose,
        application=ApplicationFacts.of(application.until),
        emergency=emergency_of(session, now, dataset, application.purpose),
        address=address,
    )
    return Gathered(question, dataset)
