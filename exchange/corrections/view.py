"""How an objection stands at a moment: its term in working days, its steps, and whom a correction reached."""

from datetime import datetime

from sqlmodel import Session

from contracts.clock import from_epoch_ms
from contracts.messages import (
    AWAITS_OBJECTOR,
    AWAITS_PROVIDER,
    FiledStep,
    ObjectionState,
    ObjectionView,
    Recipient,
)
from contracts.workdays.calendar import Term, WorkingDays
from exchange.catalog.store import find_release
from exchange.corrections import store
from exchange.corrections.model import ANSWER_DAYS, CLOSE_DAYS, ancestors, successors
from exchange.corrections.tables import ObjectionRow


def show(
    session: Session, row: ObjectionRow, calendar: WorkingDays, now: datetime, *, reader: str
) -> ObjectionView:
    """Show an objection to one of its sides; only the provider reads who else received the data."""
    term = answer_term(row, calendar)
    answered = None if row.answered_at is None else from_epoch_ms(row.answered_at)
    correction = None if row.correction is None else find_release(session, row.dataset, row.correction)
    whom = None
    if row.correction is not None and reader == row.provider:
        whom = recipients(session, row.dataset, row.correction)
    return ObjectionView(
        objection=row.objection,
        state=ObjectionState(row.state),
        envelope=row.envelope,
        sealed=row.sealed,
        steps=[
            FiledStep(envelope=one.envelope, sealed=one.sealed) for one in store.steps(session, row.objection)
        ],
        due_at=term.at,
        guessed_years=list(term.guessed_years),
        overdue=is_late(row, term, now if answered is None else answered),
        answered_at=answered,
        correction=None if correction is None else correction.envelope,
        closed_why=row.closed_why,
        recipients=whom,
    )


def recipients(session: Session, dataset: str, number: int) -> list[Recipient]:
    """List whom a correction has to reach: told of it or not, holding it or what replaced it since or not."""
    replaced = store.replaced(session, dataset)
    told = {one.participant: one for one in store.told(session, dataset, number)}
    # Who received the old release only after it was corrected saw the correction in the same feed.
    had = store.recipients(session, dataset, ancestors(number, replaced))
    had |= {who: one.release for who, one in told.items()}
    have = store.holders(session, dataset, successors(number, replaced) | {number})
    return [
        Recipient(
            participant=who,
            release=release,
            told_at=_moment(told[who].told_at) if who in told else None,
            received=who in have,
        )
        for who, release in sorted(had.items())
    ]


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_epoch_ms(at)


def answer_term(row: ObjectionRow, calendar: WorkingDays) -> Term:
    """Give the term within which the provider answers."""
    return calendar.term(from_epoch_ms(row.opened_at), ANSWER_DAYS)


def wants_reminder(row: ObjectionRow, calendar: WorkingDays, now_ms: int) -> bool:
    """Say whether the answer is overdue and nobody was told."""
    if row.reminded or ObjectionState(row.state) not in AWAITS_PROVIDER:
        return False
    return is_late(row, answer_term(row, calendar), from_epoch_ms(now_ms))


def is_over(row: ObjectionRow, calendar: WorkingDays, now_ms: int) -> bool:
    """Say whether the objector has let its time for a word about the answer pass."""
    if row.answered_at is None or ObjectionState(row.state) not in AWAITS_OBJECTOR:
        return False
    return from_epoch_ms(now_ms) >= calendar.term(from_epoch_ms(row.answered_at), CLOSE_DAYS).at


def is_late(row: ObjectionRow, term: Term, at: datetime) -> bool:
    """Say whether an answer at a moment is beyond the term; what was withdrawn needs none."""
    return row.state != ObjectionState.WITHDRAWN.value and at >= term.at
