"""What the exchange's own people see of objections: who answers whom by when, and nothing of the data."""

from dataclasses import dataclass
from datetime import datetime

from contracts.clock import from_epoch_ms
from contracts.messages import ObjectionState
from exchange.corrections import store, view
from exchange.corrections.calendar import working_days
from exchange.parts import Parts


@dataclass(frozen=True, slots=True)
class Overview:
    """One objection and its legal clock."""

    objection: str
    state: ObjectionState
    objector: str
    provider: str
    opened_at: datetime
    due_at: datetime
    guessed_years: tuple[int, ...]
    answered_at: datetime | None
    overdue: bool


def overview(parts: Parts) -> list[Overview]:
    """List the newest objections, newest first."""
    calendar, now = working_days(parts.settings), parts.clock.now()
    with parts.database.read() as session:
        rows = store.newest(session)
    shown = []
    for row in rows:
        term = view.answer_term(row, calendar)
        answered = None if row.answered_at is None else from_epoch_ms(row.answered_at)
        shown.append(
            Overview(
                objection=row.objection,
                state=ObjectionState(row.state),
                objector=row.objector,
                provider=row.provider,
                opened_at=from_epoch_ms(row.opened_at),
                due_at=term.at,
                guessed_years=term.guessed_years,
                answered_at=answered,
                overdue=view.is_late(row, term, answered or now),
            )
        )
    return shown
