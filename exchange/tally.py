"""How much there is of everything, counted over all rooms, for the status page and the operator."""

from sqlmodel import Session

from contracts.clock import epoch_ms
from contracts.messages import SecurityEvent
from exchange.catalog import store as catalog
from exchange.incidents import store as incidents
from exchange.parts import RecentEvent, Tally
from exchange.transfers import store as transfers
from nodes.signed import peek_statement

RECENT_EVENTS = 10


def tally(session: Session) -> Tally:
    """Count datasets, releases, transfers, denials and events, and read the newest events."""
    datasets, releases, rows = catalog.totals(session)
    moved = transfers.totals(session)
    return Tally(
        datasets=datasets,
        releases=releases,
        rows=rows,
        granted=moved.granted,
        denied=incidents.count_denials(session),
        done=moved.done,
        expired=moved.expired,
        aborted=moved.aborted,
        bytes=moved.bytes,
        events=incidents.last_number(session),
        recent=tuple(_recent(row.envelope) for row in incidents.newest_events(session, RECENT_EVENTS)),
    )


def _recent(envelope: str) -> RecentEvent:
    event = peek_statement(envelope, SecurityEvent).statement
    return RecentEvent(event.number, event.severity, event.title, epoch_ms(event.at))
