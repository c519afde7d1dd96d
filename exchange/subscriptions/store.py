"""The only SQL about subscriptions. Nothing here decides anything."""

from sqlmodel import Session, col, or_, select

from contracts.messages import SubscriptionView
from exchange.subscriptions.tables import SubscriptionRow


def find_subscription(session: Session, subscription: str) -> SubscriptionRow | None:
    """Give one subscription."""
    return session.get(SubscriptionRow, subscription)


def under_agreement(session: Session, agreement: str) -> SubscriptionRow | None:
    """Give the subscription under an agreement."""
    return session.exec(
        select(SubscriptionRow).where(col(SubscriptionRow.agreement) == agreement)
    ).one_or_none()


def subscriptions_of(session: Session, participant: str) -> list[SubscriptionRow]:
    """List the subscriptions in which a participant is consumer or provider, by id."""
    query = (
        select(SubscriptionRow)
        .where(
            or_(col(SubscriptionRow.consumer) == participant, col(SubscriptionRow.provider) == participant)
        )
        .order_by(col(SubscriptionRow.subscription))
    )
    return list(session.exec(query))


def subscriptions_about(session: Session, dataset: str) -> list[SubscriptionRow]:
    """List the subscriptions to a dataset, by id."""
    query = (
        select(SubscriptionRow)
        .where(col(SubscriptionRow.dataset) == dataset)
        .order_by(col(SubscriptionRow.subscription))
    )
    return list(session.exec(query))


def started_subscriptions(session: Session) -> list[SubscriptionRow]:
    """List the subscriptions that had at least one transfer."""
    return list(session.exec(select(SubscriptionRow).where(col(SubscriptionRow.next_seq) > 1)))


def add_subscription(session: Session, row: SubscriptionRow) -> None:
    """Keep a new subscription."""
    session.add(row)
    session.flush()


def view(row: SubscriptionRow) -> SubscriptionView:
    """Show a subscription to its parties."""
    return SubscriptionView(
        subscription=row.subscription,
        agreement=row.agreement,
        dataset=row.dataset,
        provider=row.provider,
        consumer=row.consumer,
        next_seq=row.next_seq,
        cursor=row.cursor,
    )
