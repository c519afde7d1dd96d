"""The books of a node: what it sent and received, written down with each receipt that it signs.

They are the node's own memory, apart from anything the exchange says; heads and counts are held against them.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from audit.completeness.counts import CountedTransfer
from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from contracts.clock import epoch_ms
from contracts.messages import Grant, LoggedGrant, Receipt, ReceiptRole
from nodes.counting.book_tables import BookRow, JudgedCutRow
from nodes.signed import Signed, peek_statement


def enter(
    session: Session, logged: LoggedGrant, own: Signed[Receipt], provider: Signed[Receipt], now: datetime
) -> None:
    """Write down a transfer in the transaction that keeps this side's receipt ``own``.

    The grant was verified by the caller. A receipt for the same view that is signed anew takes the place of
    the one before.
    """
    grant = peek_statement(logged.grant_envelope, Grant).statement
    known = session.get(BookRow, (grant.grant, own.statement.role.value))
    session.merge(
        BookRow(
            grant_id=grant.grant,
            role=own.statement.role.value,
            subscription=grant.subscription,
            seq=grant.seq,
            origin=Checkpoint.parse(parse_note(logged.checkpoint.encode()).text).origin,
            entry=logged.index,
            receipt=provider.digest,
            own_receipt=own.digest,
            size_bytes=own.statement.view_size_bytes,
            at=epoch_ms(now) if known is None else known.at,
            cut=None if known is None else known.cut,
        )
    )


def transfers(session: Session) -> list[BookRow]:
    """List every transfer in the books, by subscription and number."""
    return list(session.exec(select(BookRow).order_by(col(BookRow.subscription), col(BookRow.seq))))


def newest_judged(session: Session) -> JudgedCutRow | None:
    """Give the newest cut that was judged."""
    return session.exec(select(JudgedCutRow).order_by(col(JudgedCutRow.number).desc()).limit(1)).first()


def judged(session: Session) -> list[JudgedCutRow]:
    """List the cuts that were judged, oldest first."""
    return list(session.exec(select(JudgedCutRow).order_by(col(JudgedCutRow.number))))


def unproved(session: Session) -> list[JudgedCutRow]:
    """List the cuts whose count is not proved to be in the log, oldest first."""
    query = select(JudgedCutRow).where(
        col(JudgedCutRow.count).is_not(None), col(JudgedCutRow.proved).is_(False)
    )
    return list(session.exec(query.order_by(col(JudgedCutRow.number))))


def counted(rows: Iterable[BookRow]) -> list[CountedTransfer]:
    """Give rows of the books as they are counted."""
    return [
        CountedTransfer(
            subscription=row.subscription,
            role="provider" if row.role == ReceiptRole.PROVIDER else "consumer",
            seq=row.seq,
            grant=row.grant_id,
            size_bytes=row.size_bytes,
            receipt=row.receipt,
        )
        for row in rows
    ]
