"""Who uses a provider's datasets under a contract version, and which fields they see lose something."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from contracts.compatibility.change import Effect
from contracts.compatibility.comparison import Comparison
from contracts.messages import Agreement, DatasetRecord, Impact, Usage
from contracts.schema import Contract
from exchange.agreements.tables import AgreementRow
from exchange.catalog.tables import DatasetRow
from exchange.subscriptions.tables import SubscriptionRow
from exchange.versions import model, store
from nodes.signed import peek_statement


@dataclass(frozen=True, slots=True)
class Compared:
    """Two contracts and what their comparison found."""

    old: Contract
    new: Contract
    found: Comparison

    def touched(self) -> tuple[frozenset[str], bool]:
        """Name the fields that lose something, and say whether something else is taken as well."""
        taken = [change for change in self.found.changes if change.effect is Effect.TAKES]
        fields = frozenset(change.field for change in taken if change.field is not None)
        return fields, any(change.field is None for change in taken)


def read_impact(session: Session, provider: str, compared: Compared, now: datetime) -> Impact:
    """List the subscriptions to a provider's datasets under the old contract, with what they see and lose."""
    old, new = compared.old, compared.new
    datasets = store.datasets_under(session, provider, old.id, old.version)
    touched, whole = compared.touched()
    answered = store.newest_notice(session, provider, old.digest, new.digest)
    acknowledged = frozenset() if answered is None else answered.acknowledged
    users = [
        _usage(dataset, subscription, agreement, old, touched, acknowledged)
        for dataset in datasets
        for subscription, agreement in store.active_subscriptions(session, dataset.dataset, now)
    ]
    return Impact(
        provider=provider,
        contract=old.ref(),
        successor=new.ref(),
        verdict=compared.found.verdict.value,
        bump=compared.found.bump.value,
        whole=whole,
        datasets=[dataset.dataset for dataset in datasets],
        users=users,
    )


def _usage(  # noqa: PLR0917 - the rows of one line, and what is the same for all
    dataset: DatasetRow,
    subscription: SubscriptionRow,
    agreement: AgreementRow,
    old: Contract,
    touched: frozenset[str],
    acknowledged: frozenset[str],
) -> Usage:
    record = peek_statement(dataset.envelope, DatasetRecord).statement
    purpose = peek_statement(agreement.envelope, Agreement).statement.purpose
    fields = model.seen_fields(record, purpose, old)
    return Usage(
        dataset=dataset.dataset,
        consumer=subscription.consumer,
        subscription=subscription.subscription,
        agreement=subscription.agreement,
        purpose=purpose,
        fields=fields,
        touched=[name for name in fields if name in touched],
        acknowledged=subscription.consumer in acknowledged,
    )
