"""The only SQL about emergencies. Nothing here decides anything."""

from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from contracts.clock import epoch_ms, from_epoch_ms
from contracts.messages import Emergency
from exchange.emergencies.model import DeclaredEmergency, EmergencyUnknown, Review, Use
from exchange.emergencies.tables import EmergencyRow, EmergencyUseRow
from nodes.signed import peek_statement

PAGE = 200


def find(session: Session, emergency: str) -> DeclaredEmergency:
    """Give one emergency; raise EmergencyUnknown."""
    row = session.get(EmergencyRow, emergency)
    if row is None:
        raise EmergencyUnknown(f"{emergency} is not on record", emergency=emergency)
    return _declared(row)


def newest(session: Session) -> list[DeclaredEmergency]:
    """List the newest emergencies, newest first."""
    query = select(EmergencyRow).order_by(col(EmergencyRow.declared_at).desc(), col(EmergencyRow.emergency))
    return [_declared(row) for row in session.exec(query.limit(PAGE))]


def unsettled(session: Session, now: datetime) -> list[DeclaredEmergency]:
    """List the emergencies that are in force, not noted as ended, or not reviewed, oldest first."""
    query = (
        select(EmergencyRow)
        .where(
            or_(
                col(EmergencyRow.over_at) > epoch_ms(now),
                col(EmergencyRow.ended_why).is_(None),
                col(EmergencyRow.finding).is_(None),
            )
        )
        .order_by(col(EmergencyRow.declared_at), col(EmergencyRow.emergency))
    )
    return [_declared(row) for row in session.exec(query)]


def in_force(session: Session, now: datetime) -> list[DeclaredEmergency]:
    """List the emergencies that hold at a moment, by their ids."""
    query = (
        select(EmergencyRow)
        .where(col(EmergencyRow.declared_at) <= epoch_ms(now), col(EmergencyRow.over_at) > epoch_ms(now))
        .order_by(col(EmergencyRow.emergency))
    )
    return [_declared(row) for row in session.exec(query)]


def save(session: Session, emergency: DeclaredEmergency) -> None:
    """Insert or replace an emergency."""
    review = emergency.review
    session.merge(
        EmergencyRow(
            emergency=emergency.statement.emergency,
            envelope=emergency.envelope,
            declared_by=emergency.declared_by,
            declared_at=epoch_ms(emergency.statement.declared_at),
            over_at=epoch_ms(emergency.over_at),
            ended_why=emergency.ended_why,
            reviewed_by=None if review is None else review.by,
            reviewed_at=None if review is None else epoch_ms(review.at),
            finding=None if review is None else review.finding,
            words=None if review is None else review.words,
            reminded=emergency.reminded,
        )
    )
    session.flush()


def add_use(session: Session, emergency: str, use: Use) -> None:
    """Keep that a grant was made under an emergency."""
    session.add(
        EmergencyUseRow(
            grant_id=use.grant,
            emergency=emergency,
            provider=use.provider,
            consumer=use.consumer,
            dataset=use.dataset,
            release=use.release,
            at=epoch_ms(use.at),
            expires_at=epoch_ms(use.expires_at),
        )
    )
    session.flush()


def emergency_of_grant(session: Session, grant: str) -> str | None:
    """Name the emergency under which a grant was made; None for one of ordinary times."""
    row = session.get(EmergencyUseRow, grant)
    return None if row is None else row.emergency


def uses(session: Session, emergency: str) -> list[Use]:
    """List what was granted under an emergency, oldest first."""
    query = (
        select(EmergencyUseRow)
        .where(col(EmergencyUseRow.emergency) == emergency)
        .order_by(col(EmergencyUseRow.at), col(EmergencyUseRow.grant_id))
    )
    return [_use(row) for row in session.exec(query)]


def count_uses(session: Session, emergency: str) -> int:
    """Count what was granted under an emergency."""
    return session.exec(
        select(func.count()).select_from(EmergencyUseRow).where(col(EmergencyUseRow.emergency) == emergency)
    ).one()


def _declared(row: EmergencyRow) -> DeclaredEmergency:
    review = None
    if row.finding is not None:
        review = Review(
            by=row.reviewed_by or "",
            at=from_epoch_ms(row.reviewed_at or 0),
            finding="justified" if row.finding == "justified" else "unjustified",
            words=row.words or "",
        )
    return DeclaredEmergency(
        # It is the exchange's own statement, and the row is the exchange's own.
        statement=peek_statement(row.envelope, Emergency).statement,
        envelope=row.envelope,
        declared_by=row.declared_by,
        ended_at=None if row.ended_why is None else from_epoch_ms(row.over_at),
        ended_why=row.ended_why,
        review=review,
        reminded=row.reminded,
    )


def _use(row: EmergencyUseRow) -> Use:
    return Use(
        grant=row.grant_id,
        provider=row.provider,
        consumer=row.consumer,
        dataset=row.dataset,
        release=row.release,
        at=from_epoch_ms(row.at),
        expires_at=from_epoch_ms(row.expires_at),
    )
