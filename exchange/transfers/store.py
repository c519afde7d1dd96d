"""The only SQL about transfers. Nothing here decides anything."""

from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, case, col, exists, func, not_, or_, select, update
from sqlmodel.sql.expression import Select

from contracts.clock import epoch_ms
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.model import OPEN, State
from exchange.transfers.tables import ReceivedViewRow, TransferRow

SWEEP_LIMIT = 200
_OPEN = tuple(state.value for state in OPEN)


class Usage(NamedTuple):
    """How a subscription is used now."""

    open_grants: int
    owed_receipts: int


NO_USAGE = Usage(0, 0)


class Totals(NamedTuple):
    """All transfers counted; ``bytes`` are those that consumers signed for."""

    granted: int
    done: int
    expired: int
    aborted: int
    bytes: int


def find_transfer(session: Session, grant: str) -> TransferRow | None:
    """Give one transfer."""
    return session.get(TransferRow, grant)


def save_transfer(session: Session, row: TransferRow) -> None:
    """Insert or update a transfer."""
    session.add(row)
    session.flush()


def note_view(session: Session, row: TransferRow, view: str) -> None:
    """Write down that a consumer received these bytes; the first grant they came under stays."""
    if session.get(ReceivedViewRow, (row.consumer, view)) is None:
        session.add(ReceivedViewRow(consumer=row.consumer, view=view, grant_id=row.grant_id))


def received_under(session: Session, consumer: str, view: str) -> str | None:
    """Give the grant under which a participant received some bytes; None where it did not."""
    row = session.get(ReceivedViewRow, (consumer, view))
    return None if row is None else row.grant_id


def open_transfer(session: Session, subscription: str, release: int, now: datetime) -> TransferRow | None:
    """Give the newest open, unexpired transfer of a release under a subscription."""
    query = (
        select(TransferRow)
        .where(
            col(TransferRow.subscription) == subscription,
            col(TransferRow.release) == release,
            col(TransferRow.state).in_(_OPEN),
            col(TransferRow.expires_at) > epoch_ms(now),
        )
        .order_by(col(TransferRow.seq).desc())
        .limit(1)
    )
    return session.exec(query).first()


def usage_of(session: Session, subscription: str, release: int, now: datetime) -> Usage:
    """Count a subscription's open grants, and its expired ones that lack only the consumer's receipt.

    A release that was received in the end owes nothing, and the debt of ``release`` itself does not count: a
    consumer whose download broke off settles it by receiving that release again.
    """
    asked = {"subscription": subscription, "release": release, "now_ms": epoch_ms(now)}
    return Usage(*session.exec(_usage(), params=asked).one())


def usage_about(session: Session, dataset: str, now: datetime) -> dict[str, Usage]:
    """Count as ``usage_of`` does, for a release that is not out yet, over all subscriptions to a dataset."""
    here = col(TransferRow.subscription).in_(
        select(SubscriptionRow.subscription).where(col(SubscriptionRow.dataset) == dataset)
    )
    received = aliased(TransferRow)
    is_open, lacks_receipt = _open_and_lacking(epoch_ms(now))
    is_owed = and_(
        lacks_receipt,
        ~exists().where(
            col(received.subscription) == col(TransferRow.subscription),
            col(received.release) == col(TransferRow.release),
            col(received.state) == State.DONE.value,
        ),
    )
    rows = session.exec(
        select(
            TransferRow.subscription,
            func.sum(case((is_open, 1), else_=0)),
            func.sum(case((is_owed, 1), else_=0)),
        )
        .where(here)
        .group_by(col(TransferRow.subscription))
    )
    return {name: Usage(int(open_grants), int(owed)) for name, open_grants, owed in rows}


def overdue(session: Session, now: datetime) -> list[str]:
    """Name open transfers past their expiry, oldest first, a page of them."""
    query = (
        select(TransferRow.grant_id)
        .where(col(TransferRow.state).in_(_OPEN), col(TransferRow.expires_at) <= epoch_ms(now))
        .order_by(col(TransferRow.expires_at))
        .limit(SWEEP_LIMIT)
    )
    return list(session.exec(query))


def states(session: Session) -> dict[str, str]:
    """Give the state of every transfer, by grant."""
    return dict(session.exec(select(TransferRow.grant_id, TransferRow.state)).all())


def transfers_not_done(session: Session) -> list[TransferRow]:
    """List the transfers that no ``done`` has closed, by subscription and number."""
    query = (
        select(TransferRow)
        .where(col(TransferRow.state) != State.DONE.value)
        .order_by(col(TransferRow.subscription), col(TransferRow.seq))
    )
    return list(session.exec(query))


def mark_done(session: Session, cut: int) -> None:
    """Give every ``done`` transfer that no cut has found so far to ``cut``."""
    found = col(TransferRow.state) == State.DONE.value
    session.connection().execute(
        update(TransferRow).where(found, col(TransferRow.cut).is_(None)).values(cut=cut)
    )


def done_in_cut(session: Session, cut: int, participant: str) -> list[TransferRow]:
    """List the transfers of a participant that ``cut`` found done, by subscription and number."""
    query = (
        select(TransferRow)
        .where(
            col(TransferRow.cut) == cut,
            or_(col(TransferRow.provider) == participant, col(TransferRow.consumer) == participant),
        )
        .order_by(col(TransferRow.subscription), col(TransferRow.seq))
    )
    return list(session.exec(query))


def open_grant_between(session: Session, consumer: str, provider: str, now: datetime) -> str | None:
    """Name an open, unexpired grant between the two; the relay carries nothing without one."""
    query = (
        select(TransferRow.grant_id)
        .where(
            col(TransferRow.consumer) == consumer,
            col(TransferRow.provider) == provider,
            col(TransferRow.state).in_(_OPEN),
            col(TransferRow.expires_at) > epoch_ms(now),
        )
        .limit(1)
    )
    return session.exec(query).first()


def totals(session: Session) -> Totals:
    """Count all transfers by how they stand."""
    rows = session.exec(
        select(TransferRow.state, func.count(), func.sum(TransferRow.size_bytes)).group_by(
            col(TransferRow.state)
        )
    )
    found = {state: (count, int(size or 0)) for state, count, size in rows}
    nothing = (0, 0)
    return Totals(
        granted=sum(count for count, _ in found.values()),
        done=found.get(State.DONE.value, nothing)[0],
        expired=found.get(State.EXPIRED.value, nothing)[0],
        aborted=found.get(State.ABORTED.value, nothing)[0],
        bytes=found.get(State.DONE.value, nothing)[1],
    )


@cache
def _usage() -> Select[int, int]:
    """Write the query of ``usage_of`` once: every transfer asks it, and writing takes longer than running."""
    here = col(TransferRow.subscription) == bindparam("subscription")
    is_open, lacks_receipt = _open_and_lacking(bindparam("now_ms"))
    received = select(TransferRow.release).where(here, col(TransferRow.state) == State.DONE.value)
    count = select(func.count()).select_from(TransferRow)
    open_grants = count.where(here, is_open)
    owed = count.where(
        here,
        col(TransferRow.release) != bindparam("release"),
        col(TransferRow.release).not_in(received),
        lacks_receipt,
    )
    return select(open_grants.scalar_subquery(), owed.scalar_subquery())


def _open_and_lacking(now_ms: int | BindParameter[int]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Tell the open transfers, and those past their time that lack only the consumer's receipt.

    A grant past its time owes its receipt whether or not the sweep has logged the expiry yet.
    """
    is_over = col(TransferRow.expires_at) <= now_ms
    is_unsettled = col(TransferRow.state).in_(_OPEN)
    lacks_receipt = and_(
        col(TransferRow.provider_receipt).is_not(None),
        col(TransferRow.consumer_receipt).is_(None),
        or_(col(TransferRow.state) == State.EXPIRED.value, and_(is_unsettled, is_over)),
    )
    return and_(is_unsettled, not_(is_over)), lacks_receipt
