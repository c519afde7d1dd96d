"""Declared emergencies as this node knows them: from signed events, proved to be logged, and nobody's word.

The exchange is not believed when it says that there is an emergency: it must have told the alliance so, in
a numbered event, and the log that all provinces watch must hold the statement. A node that has not heard of
one, or has heard that it is over, acts as in ordinary times.
"""

from collections.abc import Iterable
from datetime import datetime

import structlog

from audit.log.entry import EntryKind
from contracts.errors import Invalid, NotFound, Refused
from contracts.messages import (
    EMERGENCY_DECLARED,
    EMERGENCY_ENDED,
    EMERGENCY_PURPOSE,
    MAX_EMERGENCY,
    RESPONDING_SECTOR,
    DatasetRecord,
    Emergency,
    Grant,
    Member,
    SecurityEvent,
)
from nodes.node import Node
from nodes.trusting.places import Places

log = structlog.get_logger(__name__)


class NoEmergencyKnown(Refused):
    """The grant is for an emergency that this node has not heard of, or that is over."""

    code = "no-emergency-known"
    title_zh = "本节点未获知该紧急状态,或其已结束"
    next_zh = "稍后重试;若仍被拒绝,与交换中心核对安全事件编号(headwaters events list)。"
    next_en = "Try again in a moment; then compare event numbers with the exchange (headwaters events list)."


def fresh_emergency(node: Node, record: DatasetRecord) -> Emergency | None:
    """Give the emergency that covers an own dataset now, after the newest events were read.

    Raises ExchangeSilent, EventMissing or SignatureInvalid, for what may have ended is not believed in
    silence; NoEmergencyKnown or PlaceUnproven where the log does not hold the statement.
    """
    node.events.refresh()
    found = known_emergency(node, record, node.clock.now())
    if found is None:
        return None
    places = Places(node.database, node.broker, node.trust.see_checkpoint)
    try:
        places.of(found.content_digest(), EntryKind.EMERGENCY_DECLARE)
    except NotFound as error:
        raise NoEmergencyKnown(f"the log does not hold {found.emergency}") from error
    return found


def known_emergency(node: Node, record: DatasetRecord, at: datetime) -> Emergency | None:
    """Give the emergency that covers an own dataset at a moment, the one that lasts longest; None without."""
    territory = node.identity.profile.admin_code
    covering = [
        (one.until, one.emergency, one)
        for one in in_force(node.events.received_since(at - MAX_EMERGENCY), at)
        if one.scope.covers(dataset=record.dataset, theme=record.theme, territory=territory)
    ]
    return max(covering, key=lambda found: found[:2])[2] if covering else None


def heard_of(node: Node) -> list[Emergency]:
    """List the emergencies in force as far as this node has heard, wherever they are; calls nobody."""
    now = node.clock.now()
    return in_force(node.events.received_since(now - MAX_EMERGENCY), now)


def in_force(events: Iterable[SecurityEvent], at: datetime) -> list[Emergency]:
    """Give the emergencies that were declared and not ended, and whose time includes a moment."""
    declared: dict[str, Emergency] = {}
    for event in events:
        name = event.facts.get("emergency")
        if event.event_class == EMERGENCY_DECLARED and (found := _statement(event)) is not None:
            declared[found.emergency] = found
        elif event.event_class == EMERGENCY_ENDED and isinstance(name, str):
            declared.pop(name, None)
    return [one for one in declared.values() if one.declared_at <= at < one.until]


def is_waived(record: DatasetRecord, purpose: str, consumer: Member) -> bool:
    """Say whether a record lets this consumer in without its conditions while an emergency is declared."""
    responds = purpose == EMERGENCY_PURPOSE and consumer.profile.sector == RESPONDING_SECTOR
    return record.emergency and responds


def check_emergency(node: Node, grant: Grant, record: DatasetRecord) -> None:
    """Raise NoEmergencyKnown where a grant is for an emergency that is unknown here, or outlasts it."""
    if grant.purpose != EMERGENCY_PURPOSE:
        return
    known = fresh_emergency(node, record)
    if known is None or grant.expires_at > known.until:
        raise NoEmergencyKnown(f"{grant.grant} is for an emergency until {grant.expires_at.isoformat()}")


def _statement(event: SecurityEvent) -> Emergency | None:
    """Read the statement that an event carries; one that does not fit declares nothing."""
    text = event.facts.get("statement")
    try:
        found = Emergency.parse(str(text).encode())
    except Invalid as error:
        log.warning("emergency_unreadable", number=event.number, code=error.code)
        return None
    return found if found.emergency == event.facts.get("emergency") else None
