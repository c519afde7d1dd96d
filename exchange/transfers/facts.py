"""The facts of a transfer: agreement, subscription and usage beside those of participant and dataset."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from contracts.clock import epoch_ms
from contracts.messages import Agreement, TransferRequest
from exchange.agreements.facts import (
    CurrentDataset,
    Gathered,
    current_dataset,
    emergency_of,
    participant_facts,
)
from exchange.agreements.model import AgreementUnknown
from exchange.agreements.store import find_agreement
from exchange.agreements.tables import AgreementRow
from exchange.catalog.store import find_release
from exchange.catalog.tables import ReleaseRow
from exchange.subscriptions.model import SubscriptionUnknown
from exchange.subscriptions.store import find_subscription
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers import store
from exchange.transfers.model import ReleaseUnknown
from nodes.signed import Signed, peek_statement
from policies.decision import Question
from policies.facts import AgreementFacts, SubscriptionFacts


@dataclass(frozen=True, slots=True)
class Ground:
    """What a transfer stands on, read in one session."""

    subscription: SubscriptionRow
    agreement: AgreementRow
    terms: Signed[Agreement]
    dataset: CurrentDataset
    release: ReleaseRow


def ground_of(session: Session, consumer: str, request: TransferRequest) -> Ground:
    """Read the ground of a request.

    Raises SubscriptionUnknown, ReleaseUnknown, AgreementUnknown or DatasetUnknown.
    """
    subscription = find_subscription(session, request.subscription)
    if subscription is None or subscription.consumer != consumer:
        raise SubscriptionUnknown(f"{request.subscription} is not a subscription of this consumer")
    release = find_release(session, subscription.dataset, request.release)
    if release is None:
        raise ReleaseUnknown(f"{subscription.dataset} has no release {request.release}")
    agreement = find_agreement(session, subscription.agreement)
    if agreement is None:
        raise AgreementUnknown(f"{subscription.agreement} is not on record")
    return Ground(
        subscription=subscription,
        agreement=agreement,
        # Both signatures were verified when the agreement was concluded; the row is the exchange's own.
        terms=peek_statement(agreement.envelope, Agreement),
        dataset=current_dataset(session, subscription.dataset),
        release=release,
    )


def gather_transfer(
    session: Session,
    now: datetime,
    *,
    consumer: str,
    request: TransferRequest,
    address: str | None = None,
) -> Gathered[Ground]:
    """Ask whether this consumer may receive this release now; raises as ``ground_of`` does."""
    ground = ground_of(session, consumer, request)
    terms = ground.terms.statement
    usage = store.usage_of(session, request.subscription, request.release, now)
    question = Question(
        action="transfer",
        now_ms=epoch_ms(now),
        participant=participant_facts(session, consumer),
        dataset=ground.dataset.facts,
        purpose=terms.purpose,
        agreement=AgreementFacts.of(terms, state=ground.agreement.state, record=ground.dataset.record.digest),
        subscription=SubscriptionFacts(
            state=ground.agreement.state,
            owed_receipts=usage.owed_receipts,
            open_grants=usage.open_grants,
        ),
        emergency=emergency_of(session, now, ground.dataset, terms.purpose),
        address=address,
    )
    return Gathered(question, ground)
