"""Use cases of security events: record one inside another room's unit, and list them.

An event is numbered without gaps and signed by the exchange; its row and its ``sec.event`` entry commit with
whatever caused it.
"""

from audit.formats.dsse import Envelope, pae, parse_envelope, sign
from audit.keys.signing import PublicKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.clock import epoch_ms
from contracts.identifiers import Kind, new_id
from contracts.messages import EventList, PastKey, SecurityEvent
from exchange.incidents import store
from exchange.incidents.tables import EventRow
from exchange.members.store import past_keys
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
    """List the signed events after a number, oldest first, each under the exchange's present key."""
    with parts.database.read() as session:
        envelopes = [row.envelope for row in store.events_since(session, since)]
        past = past_keys(session, None) if envelopes else []
    return EventList(events=[_signed_again(parts, envelope, past) for envelope in envelopes])


def _signed_again(parts: Parts, envelope: str, past: list[PastKey]) -> str:
    """Vouch with the present key for an event that a former one signed; whoever was away needs both."""
    key, signed = parts.statement_key, parse_envelope(envelope.encode())
    if any(name == key.key_id for name, _ in signed.signatures):
        return envelope
    former = {one.key_id: one for one in (PublicKey.from_text(each.key) for each in past)}
    signed.verified_by(former, {name for name, _ in signed.signatures})
    line = (key.key_id, key.sign(pae(signed.payload_type, signed.payload)))
    return Envelope(signed.payload_type, signed.payload, (*signed.signatures, line)).encode().decode()
