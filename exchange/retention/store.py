"""The only SQL that erases: a page at a time, so that the log's writer is never held up for long.

Each function takes where the page before it ended, empties what is older than ``cutoff_ms`` and says where
this page ended; None when there is no more. Rows that others count or refer to stay, without their content.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, delete, exists, text, update
from sqlmodel import Session, col, or_, select

from audit.log.tables import LogEntry
from contracts.messages import ObjectionState
from exchange.agreements.model import Turn
from exchange.agreements.tables import AgreementRow, ApplicationRow
from exchange.corrections.tables import NewsRow, ObjectionRow, ObjectionStepRow
from exchange.emergencies.tables import EmergencyUseRow
from exchange.evidence import EvidenceRow
from exchange.incidents.tables import DenialRow
from exchange.policies.tables import DecisionRow
from exchange.subscriptions.tables import SubscriptionRow
from exchange.transfers.tables import TransferRow

PAGE = 500

Key: TypeAlias = str | int


class Page(NamedTuple):
    """How many rows were emptied, and the key at which the page ended."""

    erased: int
    last: Key | None


def overwrite(connection: Connection) -> None:
    """Have what is deleted overwritten with zeros; PostgreSQL does so when it vacuums."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete=ON"))


def erase_values(session: Session, cutoff_ms: int, _after: Key | None) -> Page:
    """Delete salts and values behind the log's commitments."""
    query = select(EvidenceRow.commitment).where(col(EvidenceRow.at) < cutoff_ms).limit(PAGE)
    names = list(session.exec(query))
    session.connection().execute(delete(EvidenceRow).where(col(EvidenceRow.commitment).in_(names)))
    return _page(names)


def erase_transfers(session: Session, cutoff_ms: int, after: Key | None) -> Page:
    """Empty transfers whose closing entry is old: the grant, both receipts, a dispute, an abort."""
    query = (
        select(TransferRow.grant_id)
        .join(LogEntry, col(LogEntry.idx) == col(TransferRow.closed_entry))
        .where(
            col(TransferRow.grant_id) > (after or ""),
            col(TransferRow.envelope) != "",
            col(LogEntry.at) < cutoff_ms,
        )
        .order_by(col(TransferRow.grant_id))
        .limit(PAGE)
    )
    names = list(session.exec(query))
    nothing: dict[str, Any] = {  # Any: columns of text, some of which may be null
        "envelope": "",
        "provider_receipt": None,
        "consumer_receipt": None,
        "disputed": None,
        "abort": None,
    }
    session.connection().execute(
        update(TransferRow).where(col(TransferRow.grant_id).in_(names)).values(nothing)
    )
    return _page(names)


def erase_agreements(session: Session, cutoff_ms: int, after: Key | None) -> Page:
    """Empty agreements that were over by then and have no transfer left with evidence."""
    kept = exists().where(
        col(TransferRow.agreement) == col(AgreementRow.agreement), col(TransferRow.envelope) != ""
    )
    query = (
        select(AgreementRow.agreement)
        .where(
            col(AgreementRow.agreement) > (after or ""),
            col(AgreementRow.envelope) != "",
            or_(col(AgreementRow.expires_at) < cutoff_ms, col(AgreementRow.ended_at) < cutoff_ms),
            ~kept,
        )
        .order_by(col(AgreementRow.agreement))
        .limit(PAGE)
    )
    names = list(session.exec(query))
    connection = session.connection()
    emptied = {"envelope": "", "dataset": "", "ended_why": None}
    connection.execute(update(AgreementRow).where(col(AgreementRow.agreement).in_(names)).values(emptied))
    connection.execute(
        update(SubscriptionRow).where(col(SubscriptionRow.agreement).in_(names)).values(dataset="")
    )
    return _page(names)


def erase_applications(session: Session, cutoff_ms: int, _after: Key | None) -> Page:
    """Delete applications that were refused, or whose agreement is empty."""
    emptied = exists().where(
        col(AgreementRow.agreement) == col(ApplicationRow.agreement), col(AgreementRow.envelope) == ""
    )
    query = (
        select(ApplicationRow.application)
        .where(
            col(ApplicationRow.opened_at) < cutoff_ms,
            or_(col(ApplicationRow.turn) == Turn.REFUSED.value, emptied),
        )
        .limit(PAGE)
    )
    names = list(session.exec(query))
    session.connection().execute(delete(ApplicationRow).where(col(ApplicationRow.application).in_(names)))
    return _page(names)


def erase_denials(session: Session, cutoff_ms: int, after: Key | None) -> Page:
    """Forget which dataset was refused; that there was a refusal stays counted."""
    query = (
        select(DenialRow.id)
        .where(col(DenialRow.id) > (after or 0), col(DenialRow.at) < cutoff_ms, col(DenialRow.dataset) != "")
        .order_by(col(DenialRow.id))
        .limit(PAGE)
    )
    names = [name for name in session.exec(query) if name is not None]
    session.connection().execute(update(DenialRow).where(col(DenialRow.id).in_(names)).values(dataset=""))
    return _page(names)


def erase_decisions(session: Session, cutoff_ms: int, _after: Key | None) -> Page:
    """Delete the policy's decisions and the questions that they answer."""
    query = select(DecisionRow.decision).where(col(DecisionRow.at) < cutoff_ms).limit(PAGE)
    names = list(session.exec(query))
    session.connection().execute(delete(DecisionRow).where(col(DecisionRow.decision).in_(names)))
    return _page(names)


def erase_emergency_uses(session: Session, cutoff_ms: int, _after: Key | None) -> Page:
    """Delete which grants were made under an emergency; the emergency and its review stay."""
    query = select(EmergencyUseRow.grant_id).where(col(EmergencyUseRow.at) < cutoff_ms).limit(PAGE)
    names = list(session.exec(query))
    session.connection().execute(delete(EmergencyUseRow).where(col(EmergencyUseRow.grant_id).in_(names)))
    return _page(names)


def erase_objections(session: Session, cutoff_ms: int, _after: Key | None) -> Page:
    """Delete objections that are settled, with every sealed word; which release replaces which stays."""
    settled = [ObjectionState.CLOSED.value, ObjectionState.WITHDRAWN.value]
    query = (
        select(ObjectionRow.objection)
        .where(col(ObjectionRow.opened_at) < cutoff_ms, col(ObjectionRow.state).in_(settled))
        .limit(PAGE)
    )
    names = list(session.exec(query))
    for row in (ObjectionStepRow, NewsRow, ObjectionRow):
        session.connection().execute(delete(row).where(col(row.objection).in_(names)))
    return _page(names)


def _page(names: Sequence[Key]) -> Page:
    return Page(len(names), names[-1] if len(names) == PAGE else None)
