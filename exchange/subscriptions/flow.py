"""Use cases of subscriptions: open one under an agreement, list them, list the releases they may receive."""

from functools import partial

from audit.log.unit import Unit
from contracts.identifiers import Kind, new_id
from contracts.messages import ReleaseList, SubscriptionRequest, SubscriptionView
from exchange.agreements.store import find_agreement
from exchange.catalog.store import releases_since
from exchange.identity import Caller
from exchange.parts import Parts
from exchange.subscriptions import model, store
from exchange.subscriptions.tables import SubscriptionRow


async def subscribe(parts: Parts, caller: Caller, request: SubscriptionRequest) -> SubscriptionView:
    """Open the subscription under an agreement, or find it again.

    Raises AgreementUnknown unless the caller is the agreement's consumer, AgreementNotInForce.
    """
    committed = await parts.log.commit(partial(_open, caller.participant, request.agreement))
    return committed.value


def subscriptions(parts: Parts, caller: Caller) -> list[SubscriptionView]:
    """List the subscriptions in which the caller is consumer or provider."""
    with parts.database.read() as session:
        return [store.view(row) for row in store.subscriptions_of(session, caller.participant)]


def releases(parts: Parts, caller: Caller, name: str, since: int) -> ReleaseList:
    """List the releases of a subscription's feed after a number; raise SubscriptionUnknown."""
    with parts.database.read() as session:
        row = store.find_subscription(session, name)
        if row is None or caller.participant not in {row.consumer, row.provider}:
            raise model.SubscriptionUnknown(f"{name} is not a subscription of this participant")
        return ReleaseList(releases=releases_since(session, row.dataset, since))


def _open(consumer: str, name: str, unit: Unit) -> SubscriptionView:
    session = unit.session
    agreement = model.check_in_force(find_agreement(session, name), consumer=consumer, now=unit.now)
    row = store.under_agreement(session, name)
    if row is None:
        row = SubscriptionRow(
            subscription=new_id(Kind.SUBSCRIPTION),
            agreement=name,
            consumer=agreement.consumer,
            provider=agreement.provider,
            dataset=agreement.dataset,
            next_seq=1,
            last_leaf=None,
            cursor=0,
        )
        store.add_subscription(session, row)
    return store.view(row)
