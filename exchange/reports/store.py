"""The only SQL of the auditor's room: entries by kind, participant and time, and what concerns a dataset.

Everything here reads, by indexes wherever the question names a day; nothing here decides. A place is an
entry's number over all shards.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, literal
from sqlalchemy import func as sql
from sqlalchemy import select as select_columns
from sqlmodel import Session, and_, col, or_, select

from audit.log.entry import EntryKind
from audit.log.log_store import NoSuchEntry
from audit.log.tables import AuditTable
from contracts.clock import epoch_ms
from exchange.agreements.tables import AgreementRow
from exchange.catalog.tables import RecordRow
from exchange.incidents.tables import DenialRow
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.tables import TransferRow

TRANSFERS_PAGE = 500

_ENTRY = AuditTable.metadata.tables["log_entry"]


class FoundLeaf(NamedTuple):
    """One entry as it is stored, and its place over all shards."""

    place: int
    leaf: bytes


def find_leaves(
    connection: Connection,
    *,
    kind: str | None,
    mention: bytes | None,
    since: datetime | None,
    until: datetime | None,
) -> Generator[FoundLeaf]:
    """Give entries from ``since`` up to ``until`` (excluded), newest first, without reading ahead.

    ``mention`` is a run of bytes that stands in the leaf.
    """
    query = select_columns(_ENTRY.c.idx, _ENTRY.c.leaf)
    if kind is not None:
        query = query.where(_ENTRY.c.kind == kind)
    if since is not None:
        query = query.where(_ENTRY.c.at >= epoch_ms(since))
    if until is not None:
        query = query.where(_ENTRY.c.at < epoch_ms(until))
    if mention is not None:
        query = query.where(_mentions(connection, mention))
    query = query.order_by(_ENTRY.c.at.desc(), _ENTRY.c.idx.desc())
    with connection.execution_options(yield_per=500).execute(query) as rows:
        for row in rows:
            yield FoundLeaf(*row)


def _mentions(connection: Connection, mention: bytes) -> ColumnElement[Any]:  # Any: a number either way
    """Search bytes in bytes; the two dialects call it differently."""
    if connection.dialect.name == "sqlite":
        return sql.instr(_ENTRY.c.leaf, literal(mention)) > 0
    return sql.position(literal(mention).op("IN")(_ENTRY.c.leaf)) > 0


def leaf_at(connection: Connection, place: int) -> bytes:
    """Give the bytes of the entry at a place; raise NoSuchEntry."""
    found: bytes | None = connection.execute(
        select_columns(_ENTRY.c.leaf).where(_ENTRY.c.idx == place)
    ).scalar_one_or_none()
    if found is None:
        raise NoSuchEntry(f"the log has no entry {place}")
    return found


def places_of_day(connection: Connection, since: datetime, until: datetime) -> range:
    """Give the places of a day's entries; for a day without any, the empty range where they would stand."""
    of_day = and_(_ENTRY.c.at >= epoch_ms(since), _ENTRY.c.at < epoch_ms(until))
    first, last = connection.execute(
        select_columns(sql.min(_ENTRY.c.idx), sql.max(_ENTRY.c.idx)).where(of_day)
    ).one()
    if first is not None:
        return range(first, last + 1)
    after = (
        select_columns(_ENTRY.c.idx).where(_ENTRY.c.at >= epoch_ms(until)).order_by(_ENTRY.c.at, _ENTRY.c.idx)
    )
    following = connection.execute(after.limit(1)).scalar_one_or_none()
    if following is None:
        following = (connection.execute(select_columns(sql.max(_ENTRY.c.idx))).scalar_one() or -1) + 1
    return range(following, following)


def given_up(connection: Connection, subscription: str, places: range) -> list[int]:
    """Give the places of a subscription's expiries and aborts among some places, in order."""
    kinds = [EntryKind.EXPIRE.value, EntryKind.ABORT.value]
    query = (
        select_columns(_ENTRY.c.idx)
        .where(
            _ENTRY.c.kind.in_(kinds),
            _ENTRY.c.idx >= places.start,
            _ENTRY.c.idx < places.stop,
            _mentions(connection, f'"sub":"{subscription}"'.encode()),
        )
        .order_by(_ENTRY.c.idx)
    )
    return list(connection.execute(query).scalars())


def neighbours(session: Session, subscription: str, places: range) -> tuple[int | None, int | None]:
    """Give the places of the last grant or closing before some places, and of the first one after them."""
    here = col(TransferRow.subscription) == subscription
    before: list[int] = []
    after: list[int] = []
    for column in (col(TransferRow.entry), col(TransferRow.closed_entry)):
        last = select(column).where(here, column < places.start).order_by(column.desc()).limit(1)
        first = select(column).where(here, column >= places.stop).order_by(column).limit(1)
        before += [place for place in session.exec(last) if place is not None]
        after += [place for place in session.exec(first) if place is not None]
    return max(before, default=None), min(after, default=None)


def transfers_in(session: Session, subscription: str, places: range) -> list[TransferRow]:
    """List the transfers of a subscription that were granted or closed at one of some places."""
    here = col(TransferRow.subscription) == subscription
    found: dict[str, TransferRow] = {}
    for column in (col(TransferRow.entry), col(TransferRow.closed_entry)):
        query = select(TransferRow).where(here, column >= places.start, column < places.stop)
        found.update({row.grant_id: row for row in session.exec(query.order_by(column))})
    return list(found.values())


def subscriptions_to(session: Session, dataset: str) -> list[SubscriptionRow]:
    """List the subscriptions to a dataset."""
    query = select(SubscriptionRow).where(col(SubscriptionRow.dataset) == dataset)
    return list(session.exec(query.order_by(col(SubscriptionRow.subscription))))


def agreements_on(session: Session, dataset: str, since: datetime, before: int) -> list[AgreementRow]:
    """List the agreements on a dataset that were signed before a place and in force after a moment."""
    query = select(AgreementRow).where(
        col(AgreementRow.dataset) == dataset,
        col(AgreementRow.entry) < before,
        col(AgreementRow.expires_at) > epoch_ms(since),
        or_(col(AgreementRow.ended_at).is_(None), col(AgreementRow.ended_at) >= epoch_ms(since)),
    )
    return list(session.exec(query.order_by(col(AgreementRow.entry))))


def end_of_agreement(connection: Connection, row: AgreementRow) -> int | None:
    """Give the place of the entry that ended an agreement."""
    query = select_columns(_ENTRY.c.idx).where(
        _ENTRY.c.kind == EntryKind.AGREEMENT_END.value,
        _ENTRY.c.at == row.ended_at,
        _mentions(connection, f'"{row.agreement}"'.encode()),
    )
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found


def denials_of(session: Session, dataset: str, since: datetime, until: datetime) -> list[int]:
    """Give the places of refusals that concern a dataset."""
    query = select(DenialRow.entry).where(
        col(DenialRow.dataset) == dataset,
        col(DenialRow.at) >= epoch_ms(since),
        col(DenialRow.at) < epoch_ms(until),
        col(DenialRow.entry).is_not(None),
    )
    return sorted(place for place in session.exec(query) if place is not None)


def record_before(session: Session, dataset: str, place: int) -> RecordRow | None:
    """Give the record of a dataset that stood before a place, else its first one."""
    here = select(RecordRow).where(col(RecordRow.dataset) == dataset)
    newest = here.where(col(RecordRow.entry) < place).order_by(col(RecordRow.number).desc()).limit(1)
    return session.exec(newest).first() or session.exec(here.order_by(col(RecordRow.number)).limit(1)).first()


def transfers_after(session: Session, grant: str) -> list[TransferRow]:
    """List a page of all transfers by grant; ``grant`` is the last one of the page before."""
    query = select(TransferRow).where(col(TransferRow.grant_id) > grant)
    return list(session.exec(query.order_by(col(TransferRow.grant_id)).limit(TRANSFERS_PAGE)))


def record_with(session: Session, dataset: str, digest: str) -> RecordRow | None:
    """Give the record of a dataset with this digest."""
    query = select(RecordRow).where(col(RecordRow.dataset) == dataset, col(RecordRow.digest) == digest)
    return session.exec(query).first()
