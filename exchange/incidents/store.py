"""The only SQL about denials and security events. Nothing here decides anything."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from contracts.clock import epoch_ms, from_epoch_ms
from exchange.incidents.model import Denied, Overflow
from exchange.incidents.tables import DenialRow, EventRow, RollUpRow

PAGE = 1000
_BY_POLICY = ("apply", "transfer")


def add_denial(
    session: Session, participant: str, dataset: str, act: str, *, at: datetime, entry: int | None
) -> None:
    """Keep one refusal; ``entry`` is None when it has no log entry of its own."""
    session.add(DenialRow(participant=participant, dataset=dataset, act=act, at=epoch_ms(at), entry=entry))
    session.flush()


def count_logged(session: Session, participant: str, since: datetime) -> int:
    """Count a participant's refusals by the policy after ``since`` that have an entry of their own."""
    return session.exec(
        select(func.count())
        .select_from(DenialRow)
        .where(
            col(DenialRow.participant) == participant,
            col(DenialRow.act).in_(_BY_POLICY),
            col(DenialRow.at) > epoch_ms(since),
            col(DenialRow.entry).is_not(None),
        )
    ).one()


def denials_since(session: Session, participant: str, since: datetime) -> list[Denied]:
    """List a participant's refusals by the policy after ``since``, oldest first."""
    query = (
        select(DenialRow.dataset, DenialRow.at)
        .where(
            col(DenialRow.participant) == participant,
            col(DenialRow.act).in_(_BY_POLICY),
            col(DenialRow.at) > epoch_ms(since),
        )
        .order_by(col(DenialRow.at))
    )
    return [Denied(dataset, from_epoch_ms(at)) for dataset, at in session.exec(query)]


def uncounted(session: Session) -> dict[str, list[datetime]]:
    """List the moments of refusals without an entry, oldest first, by participant."""
    query = (
        select(DenialRow.participant, DenialRow.at)
        .where(col(DenialRow.entry).is_(None))
        .order_by(col(DenialRow.at))
    )
    moments: dict[str, list[datetime]] = {}
    for participant, at in session.exec(query):
        moments.setdefault(participant, []).append(from_epoch_ms(at))
    return moments


def roll_up(session: Session, overflow: Overflow, entry: int) -> None:
    """Replace the refusals of a window by the one entry that counts them."""
    since, until = epoch_ms(overflow.since), epoch_ms(overflow.until)
    session.execute(
        delete(DenialRow).where(
            col(DenialRow.participant) == overflow.participant,
            col(DenialRow.entry).is_(None),
            col(DenialRow.at).between(since, until),
        )
    )
    session.add(
        RollUpRow(
            entry=entry, participant=overflow.participant, count=overflow.count, since=since, until=until
        )
    )


def count_denials(session: Session) -> int:
    """Count all refusals: those with an entry, those rolled up, and those that still wait for a roll-up."""
    rows = session.exec(select(func.count()).select_from(DenialRow)).one()
    rolled = session.exec(select(func.sum(RollUpRow.count))).one()
    return rows + int(rolled or 0)


def last_number(session: Session) -> int:
    """Give the number of the newest event; 0 before the first."""
    return session.exec(select(func.max(EventRow.number))).one() or 0


def add_event(session: Session, row: EventRow) -> None:
    """Keep one event."""
    session.add(row)
    session.flush()


def last_alarm_at(session: Session, event_class: str, subject: str | None) -> datetime | None:
    """Give the moment of the newest event of a class about a participant, or with None about nobody."""
    query = (
        select(EventRow.at)
        .where(col(EventRow.event_class) == event_class, col(EventRow.subject) == subject)
        .order_by(col(EventRow.number).desc())
        .limit(1)
    )
    at = session.exec(query).first()
    return None if at is None else from_epoch_ms(at)


def events_since(session: Session, since: int) -> list[EventRow]:
    """List up to a page of events with a number above ``since``, oldest first."""
    query = select(EventRow).where(col(EventRow.number) > since).order_by(col(EventRow.number)).limit(PAGE)
    return list(session.exec(query))


def newest_events(session: Session, limit: int) -> list[EventRow]:
    """List the newest events, newest first."""
    return list(session.exec(select(EventRow).order_by(col(EventRow.number).desc()).limit(limit)))
