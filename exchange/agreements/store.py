"""The only SQL about applications and agreements. Nothing here decides anything."""

from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from contracts.clock import epoch_ms
from exchange.agreements.model import AgreementState, Turn
from exchange.agreements.tables import AgreementRow, ApplicationRow

_OPEN = (Turn.PROVIDER.value, Turn.CONSUMER.value)
PAGE = 1000


def find_application(session: Session, application: str) -> ApplicationRow | None:
    """Give one application."""
    return session.get(ApplicationRow, application)


def add_application(session: Session, row: ApplicationRow) -> None:
    """Keep a new application."""
    session.add(row)
    session.flush()


def applications_of(session: Session, participant: str) -> list[ApplicationRow]:
    """List the newest applications in which a participant is consumer or provider, oldest of them first."""
    query = (
        select(ApplicationRow)
        .where(or_(col(ApplicationRow.consumer) == participant, col(ApplicationRow.provider) == participant))
        .order_by(col(ApplicationRow.opened_at).desc(), col(ApplicationRow.application))
        .limit(PAGE)
    )
    return list(session.exec(query))[::-1]


def count_open(session: Session, consumer: str) -> int:
    """Count a consumer's applications that are not settled."""
    return session.exec(
        select(func.count())
        .select_from(ApplicationRow)
        .where(col(ApplicationRow.consumer) == consumer, col(ApplicationRow.turn).in_(_OPEN))
    ).one()


def count_since(session: Session, consumer: str, since: datetime) -> int:
    """Count a consumer's applications, settled or not, that were opened after ``since``."""
    return session.exec(
        select(func.count())
        .select_from(ApplicationRow)
        .where(col(ApplicationRow.consumer) == consumer, col(ApplicationRow.opened_at) > epoch_ms(since))
    ).one()


def waiting_applications(session: Session) -> list[str]:
    """Name the applications that wait for a node and not for a person, oldest first."""
    query = (
        select(ApplicationRow.application)
        .where(col(ApplicationRow.turn).in_(_OPEN), col(ApplicationRow.held).is_(False))
        .order_by(col(ApplicationRow.opened_at))
    )
    return list(session.exec(query))


def find_agreement(session: Session, agreement: str) -> AgreementRow | None:
    """Give one agreement."""
    return session.get(AgreementRow, agreement)


def add_agreement(session: Session, row: AgreementRow) -> None:
    """Keep a new agreement."""
    session.add(row)
    session.flush()


def agreements_about(session: Session, dataset: str, now: datetime) -> list[AgreementRow]:
    """List the agreements about a dataset that have neither ended nor expired, by id."""
    query = (
        select(AgreementRow)
        .where(
            col(AgreementRow.dataset) == dataset,
            col(AgreementRow.state) == AgreementState.ACTIVE.value,
            col(AgreementRow.expires_at) > epoch_ms(now),
        )
        .order_by(col(AgreementRow.agreement))
    )
    return list(session.exec(query))
