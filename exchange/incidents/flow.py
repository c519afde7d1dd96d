"""Use cases of security events: record one inside another room's unit, and list them.

An event is numbered without gaps and signed by the exchange; its row and its ``sec.event`` entry commit with
whatever caused it.
"""

from audit.dsse import sign
from audit.entry import Entry, EntryKind
from audit.unit import Unit
from contracts.clock import epoch_ms
from contracts.identifiers import Kind, new_id
from contracts.messages import EventList, SecurityEvent
from exchange.incidents import store
from exchange.incidents.tables import EventRow
from exchange.parts import Alarm, Parts


def record_alarm(parts: Parts, unit: Unit, alarm: Alarm) -> int:
    """Number, sign and log an event inside ``unit``; give its number.

    The caller announces the number to the mailbox once the unit has committed.
    """
    event = SecurityEvent(
        number=store.last_number(unit.session) + 1,
        event=new_id(Kind.EVENT),
        event_class=alarm.event_class,
        severity=alarm.severity,
        subject=alarm.subject,
        title=alarm.title,
        facts=dict(alarm.facts),
        at=unit.now,
    )
    envelope = sign(SecurityEvent.payload_type, event.canonical(), [parts.statement_key])
    fields = {
        "eid": event.event,
        "cls": event.event_class,
        "sev": event.severity.value,
        "part": event.subject,
        "dig": event.content_digest(),
    }
    index = unit.append(Entry(EntryKind.SECURITY_EVENT, unit.now, fields))
    row = EventRow(
        number=event.number,
        event=event.event,
        event_class=event.event_class,
        severity=event.severity.value,
        subject=event.subject,
        title_zh=event.title.zh,
        title_en=event.title.en,
        envelope=envelope.encode().decode(),
        entry=index,
        at=epoch_ms(event.at),
    )
    store.add_event(unit.session, row)
    return event.number


def events(parts: Parts, since: int) -> EventList:
    """List the signed events after a number, oldest first."""
    with parts.database.read() as session:
        return EventList(events=[row.envelope for row in store.events_since(session, since)])
