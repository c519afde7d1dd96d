"""What this node found wrong by itself: numbered, kept for good, and told by nobody else.

The exchange's security events come from the exchange; an alarm is this node's own finding, also about the
exchange. The same fact is kept once, however often it is found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlmodel import Session, col, func, select

from audit.database import Database
from contracts.canonical import Json, canonical_bytes, digest, parse_canonical
from contracts.clock import Clock, epoch_ms, from_epoch_ms
from contracts.messages import Severity, Text
from nodes.witnessing.network_tables import AlarmRow

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LocalAlarm:
    """One finding; ``facts`` are counts, ids and digests, never a person or a row."""

    number: int
    event_class: str
    severity: Severity
    title: Text
    facts: Mapping[str, int | str]
    at: datetime


class Alarms:
    """The findings of one node, in the order of their numbers; safe to share between threads."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def raise_alarm(
        self, event_class: str, severity: Severity, title: Text, facts: Mapping[str, int | str]
    ) -> None:
        """Keep a finding, durable before this returns; the same class with the same facts is kept once.

        It is a write transaction of its own, so call it outside any other.
        """
        known = digest({"class": event_class, "facts": dict(facts)})
        with self._database.transaction() as session:
            if session.exec(select(AlarmRow).where(AlarmRow.digest == known)).first() is not None:
                return
            number = _newest(session) + 1
            session.add(
                AlarmRow(
                    number=number,
                    digest=known,
                    event_class=event_class,
                    severity=severity.value,
                    title_zh=title.zh,
                    title_en=title.en,
                    facts=canonical_bytes(dict(facts)).decode(),
                    at=epoch_ms(self._clock.now()),
                )
            )
        log.warning(
            "local_alarm",
            number=number,
            event_class=event_class,
            severity=severity.value,
            facts=dict(facts),
        )

    def newest(self) -> int:
        """Give the number of the newest alarm, 0 before the first."""
        with self._database.read() as session:
            return _newest(session)

    def after(self, n: int = 0) -> list[LocalAlarm]:
        """List the alarms with a number above ``n``, oldest first."""
        with self._database.read() as session:
            rows = session.exec(
                select(AlarmRow).where(col(AlarmRow.number) > n).order_by(col(AlarmRow.number))
            ).all()
        return [_read(row) for row in rows]


def _newest(session: Session) -> int:
    return session.exec(select(func.max(AlarmRow.number))).one() or 0


def _read(row: AlarmRow) -> LocalAlarm:
    return LocalAlarm(
        number=row.number,
        event_class=row.event_class,
        severity=Severity(row.severity),
        title=Text(zh=row.title_zh, en=row.title_en),
        facts=_facts(parse_canonical(row.facts.encode())),
        at=from_epoch_ms(row.at),
    )


def _facts(value: Json) -> dict[str, int | str]:
    if not isinstance(value, dict):
        raise TypeError("facts are an object")
    return {name: fact for name, fact in value.items() if isinstance(fact, int | str)}
