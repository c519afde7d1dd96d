"""The security events that this node holds: signed by the exchange, numbered without gaps, kept for good.

Every event is verified under the pinned key before it is kept, and an event that is missing stops the
reading: silence about an incident must be visible.
"""

from datetime import datetime

import structlog
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from audit.database import Database
from contracts.clock import Clock, epoch_ms
from contracts.errors import Corrupt
from contracts.messages import SecurityEvent
from nodes.broker import Broker
from nodes.signed import peek_statement
from nodes.tables import EventRow
from nodes.trusting.trust import Trust

log = structlog.get_logger(__name__)


class EventMissing(Corrupt):
    """The exchange left out a security event."""

    code = "event-missing"
    title_zh = "交换中心的安全事件编号有缺口"
    next_zh = "联系交换中心与其他省,核对缺失编号的事件。"
    next_en = "Ask the exchange and other provinces for the event with the missing number."


class EventBook:
    """The verified events, in the order of their numbers."""

    def __init__(self, *, database: Database, broker: Broker, trust: Trust, clock: Clock) -> None:
        self._database = database
        self._broker = broker
        self._trust = trust
        self._clock = clock

    def newest(self) -> int:
        """Give the number of the newest event, 0 before the first."""
        with self._database.read() as session:
            return _newest(session)

    def refresh(self) -> list[SecurityEvent]:
        """Fetch, verify and keep what is new; raise EventMissing, SignatureInvalid or ExchangeSilent."""
        since = self.newest()
        fresh: list[SecurityEvent] = []
        for envelope in self._broker.events(since).events:
            event = self._trust.exchange_statement(envelope, SecurityEvent).statement
            if event.number != since + len(fresh) + 1:
                raise EventMissing(f"event {event.number} came after {since + len(fresh)}")
            self._keep(event, envelope)
            fresh.append(event)
            log.info(
                "security_event", number=event.number, event_id=event.event, severity=event.severity.value
            )
        return fresh

    def after(self, since: int = 0) -> list[SecurityEvent]:
        """List the events with a number above ``since``, oldest first."""
        return self._events(col(EventRow.number) > since)

    def received_since(self, moment: datetime) -> list[SecurityEvent]:
        """List the events that came after a moment, in the order of their numbers."""
        return self._events(col(EventRow.received_at) >= epoch_ms(moment))

    def _events(self, wanted: ColumnElement[bool]) -> list[SecurityEvent]:
        with self._database.read() as session:
            rows = session.exec(select(EventRow).where(wanted).order_by(col(EventRow.number))).all()
        return [peek_statement(row.envelope, SecurityEvent).statement for row in rows]

    def _keep(self, event: SecurityEvent, envelope: str) -> None:
        with self._database.transaction() as session:
            # Two refreshes may overlap; the first to come keeps the event.
            if session.get(EventRow, event.number) is None:
                session.add(
                    EventRow(
                        number=event.number,
                        event=event.event,
                        envelope=envelope,
                        received_at=epoch_ms(self._clock.now()),
                    )
                )


def _newest(session: Session) -> int:
    return session.exec(select(func.max(EventRow.number))).one() or 0
