"""Use cases of emergencies: declare, end, review, and show what was granted meanwhile.

Each step is one commit: the row, its entry, and the event from which every node hears of it. What was granted
under an emergency ends with it: its grants expire by then, and open ones are revoked when it ends early.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from audit.commitment import commit, new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json, canonical_bytes
from contracts.clock import epoch_ms
from contracts.identifiers import Kind, new_id
from contracts.messages import Emergency, EmergencyList, Finding, Role, Scope, Text
from exchange.emergencies import model, store
from exchange.emergencies.model import DeclaredEmergency, Review, Use
from exchange.evidence import admin_act, conceal, log_statement
from exchange.identity import Person
from exchange.incidents.flow import record_alarm
from exchange.members.store import add_revocation
from exchange.parts import Parts
from nodes.signed import sign_again, sign_statement

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """One emergency with everything that was granted under it."""

    emergency: DeclaredEmergency
    uses: tuple[Use, ...]


async def declare(
    parts: Parts, person: Person, *, title: Text, why: str, scope: Scope, life: timedelta
) -> DeclaredEmergency:
    """Declare an emergency of at most thirty days; raise ReviewIsOverdue or TooManyEmergencies."""

    def unit(unit: Unit) -> tuple[DeclaredEmergency, int]:
        model.check_declarer(person.name, store.unsettled(unit.session, unit.now), unit.now)
        statement = Emergency(
            emergency=new_id(Kind.EMERGENCY),
            title=title,
            why=why,
            scope=scope,
            declared_at=unit.now,
            until=unit.now + life,
        )
        signed = sign_statement(statement, parts.statement_key)
        declared = DeclaredEmergency(statement, signed.text, person.name)
        store.save(unit.session, declared)
        fields: dict[str, Json] = {
            "eme": statement.emergency,
            "dig": signed.digest,
            "until": epoch_ms(statement.until),
            **_acting(person, Role.ADMINISTRATOR),
        }
        log_statement(unit, signed.digest, Entry(EntryKind.EMERGENCY_DECLARE, unit.now, fields))
        return declared, record_alarm(parts, unit, model.declared_alarm(statement))

    declared, event = (await parts.log.commit(unit)).value
    parts.mailbox.announce(events=event)
    log.info("emergency_declared", emergency=declared.statement.emergency)
    return declared


async def end(parts: Parts, person: Person, emergency: str, why: str) -> DeclaredEmergency:
    """End an emergency early; the log commits to ``why``. Raises EmergencyUnknown or EmergencyOver."""

    def unit(unit: Unit) -> tuple[DeclaredEmergency, int]:
        before = store.find(unit.session, emergency)
        if not before.is_in_force(unit.now):
            raise model.EmergencyOver(f"{emergency} was over at {before.over_at.isoformat()}")
        digest = conceal(unit.session, why.encode(), salt=new_salt(), now=unit.now)
        unit.append(admin_act(unit, person, "emergency.end", digest))
        ended = replace(before, ended_at=unit.now, ended_why=model.BY_ADMINISTRATOR)
        return ended, _end(parts, unit, ended, _acting(person, Role.ADMINISTRATOR))

    ended, event = (await parts.log.commit(unit)).value
    parts.mailbox.announce(events=event)
    log.info("emergency_ended", emergency=emergency)
    return ended


async def review(
    parts: Parts, person: Person, emergency: str, *, finding: Finding, words: str
) -> DeclaredEmergency:
    """Put on record what an auditor found afterwards.

    Raises EmergencyUnknown, EmergencyInForce, EmergencyReviewed or OwnReview.
    """

    def unit(unit: Unit) -> tuple[DeclaredEmergency, list[int]]:
        before, events = store.find(unit.session, emergency), []
        model.check_review(before, person.name, unit.now)
        if before.is_unnoted(unit.now):
            before = before.ended_by_time()
            events.append(_end(parts, unit, before, {}))
        reviewed = replace(before, review=Review(person.name, unit.now, finding, words))
        store.save(unit.session, reviewed)
        said = canonical_bytes({"emergency": emergency, "finding": finding, "words": words})
        grants = store.count_uses(unit.session, emergency)
        fields: dict[str, Json] = {
            "eme": emergency,
            "why": finding,
            "n": grants,
            "dig": conceal(unit.session, said, salt=new_salt(), now=unit.now),
            **_acting(person, Role.AUDITOR),
        }
        unit.append(Entry(EntryKind.EMERGENCY_REVIEW, unit.now, fields))
        events.append(record_alarm(parts, unit, model.reviewed_alarm(emergency, finding, grants)))
        return reviewed, events

    reviewed, events = (await parts.log.commit(unit)).value
    parts.mailbox.announce(events=max(events))
    log.info("emergency_reviewed", emergency=emergency, finding=finding)
    return reviewed


async def keep_time(parts: Parts) -> int:
    """Note the end of emergencies whose time is over, and warn once of overdue reviews; give how many.

    A background task calls it. An emergency is over at its time whether or not this has run.
    """
    now = parts.clock.now()
    with parts.database.read() as session:
        waiting = store.unsettled(session, now)
    if not any(one.is_unnoted(now) or one.wants_reminder(now) for one in waiting):
        return 0
    events = (await parts.log.commit(partial(_keep_time, parts))).value
    if events:
        parts.mailbox.announce(events=max(events))
    return len(events)


def declared(parts: Parts) -> list[DeclaredEmergency]:
    """List the newest emergencies, newest first."""
    with parts.database.read() as session:
        return store.newest(session)


def shown(parts: Parts, emergency: str) -> Shown:
    """Give one emergency and what was granted under it; raise EmergencyUnknown."""
    with parts.database.read() as session:
        return Shown(store.find(session, emergency), tuple(store.uses(session, emergency)))


def in_force(parts: Parts) -> EmergencyList:
    """Give the signed statements of the emergencies in force, under the exchange's present key."""
    with parts.database.read() as session:
        found = store.in_force(session, parts.clock.now())
    return EmergencyList(
        emergencies=[sign_again(one.envelope, Emergency, parts.statement_key) for one in found]
    )


def _keep_time(parts: Parts, unit: Unit) -> list[int]:
    events = []
    for one in store.unsettled(unit.session, unit.now):
        current = one
        if current.is_unnoted(unit.now):
            current = current.ended_by_time()
            events.append(_end(parts, unit, current, {}))
        if current.wants_reminder(unit.now):
            store.save(unit.session, replace(current, reminded=True))
            events.append(record_alarm(parts, unit, model.overdue_alarm(current.statement.emergency)))
    return events


def _end(parts: Parts, unit: Unit, ended: DeclaredEmergency, acting: dict[str, Json]) -> int:
    """Write what an end leads to: the row, open grants revoked, the entry, the event; give its number."""
    session, emergency = unit.session, ended.statement.emergency
    store.save(session, ended)
    still_open = [use.grant for use in store.uses(session, emergency) if use.expires_at > unit.now]
    for grant in still_open:
        add_revocation(session, "grant", grant, unit.now)
    why = ended.ended_why or model.TIME_OVER
    fields: dict[str, Json] = {"eme": emergency, "why": why, "n": len(still_open), **acting}
    unit.append(Entry(EntryKind.EMERGENCY_END, unit.now, fields))
    return record_alarm(parts, unit, model.ended_alarm(emergency, why, len(still_open)))


def _acting(person: Person, role: Role) -> dict[str, Json]:
    return {"act": commit(person.salt, person.name.encode()), "role": role.value}
