"""Emergencies declared to nodes under test, and what is asked in their name."""

from datetime import timedelta
from typing import Any

from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    AgreementOffer,
    Application,
    Emergency,
    Scope,
    Sharing,
    Text,
)
from nodes.emergencies import fresh_emergency
from nodes.publishing.datasets import latest_record
from nodes.receiving.apply import apply_for
from nodes.signed import peek_statement
from tests.nodes.sharing import DATASET, World

PURPOSE = "emergency-response"
THREE_DAYS = timedelta(days=3)


def emergency(world: World, **changes: Any) -> Emergency:
    """Write an emergency in the provider's territory that began a minute ago."""
    now = world.clock.now()
    values = {
        "emergency": new_id(Kind.EMERGENCY),
        "title": Text(zh="沱江水污染", en="Pollution of the Tuo"),
        "why": "ammonia above the limit at three intakes",
        "scope": Scope(territories=["510000"]),
        "declared_at": now - timedelta(minutes=1),
        "until": now + THREE_DAYS,
    }
    return Emergency.model_validate({**values, **changes})


def declare(world: World, **changes: Any) -> Emergency:
    """Let the exchange declare an emergency to the alliance."""
    found = emergency(world, **changes)
    world.exchange.add_event(event_class="emergency.declared", facts=told(found))
    record(world, found, found.content_digest())
    return found


def record(world: World, found: Emergency, digest: str) -> None:
    """Let the log hold an emergency under a digest."""
    fields: dict[str, Json] = {
        "eme": found.emergency,
        "dig": digest,
        "until": epoch_ms(found.until),
        "act": "sha256:" + "0" * 64,
        "role": "administrator",
    }
    index = world.exchange.append(Entry(EntryKind.EMERGENCY_DECLARE, world.clock.now(), fields))
    world.exchange.statements[found.content_digest()] = index


def told(found: Emergency) -> dict[str, int | str]:
    """Give the facts of the event that declares an emergency."""
    return {"emergency": found.emergency, "statement": found.canonical().decode()}


def over(world: World, found: Emergency) -> None:
    """Let the exchange tell that an emergency is over."""
    world.exchange.add_event(event_class="emergency.ended", facts={"emergency": found.emergency})


def opted_in(world: World, **changes: Any) -> None:
    """Declare a conditional dataset that opted in to emergencies."""
    values = {"sharing": Sharing.CONDITIONAL, "purposes": [PURPOSE], "emergency": True}
    world.declare(**{**values, **changes})


def offered(world: World, expires_in: timedelta = timedelta(days=2), **changes: Any) -> AgreementOffer:
    """Apply in the emergency's name, and let the exchange offer terms that end with it."""
    world.exchange.offer = None
    view = apply_for(world.consumer, world.request(purpose=PURPOSE))
    application = peek_statement(view.application_envelope, Application)
    expires_at = world.clock.now() + expires_in
    terms = world.exchange.terms(application, expires_at=expires_at, **changes)
    return AgreementOffer(application_envelope=application.text, agreement_payload=terms.canonical().decode())


def into_finance(world: World) -> None:
    """Let the directory say that the consumer is a bank."""
    member = world.exchange.members[world.consumer.participant]
    profile = member.profile.model_copy(update={"sector": "finance"})
    world.exchange.set_member(member.model_copy(update={"profile": profile}))
    world.provider.trust.refresh_directory()


def covering(world: World) -> Emergency | None:
    """Give the emergency that the provider knows for its dataset."""
    latest = latest_record(world.provider, DATASET)
    assert latest is not None
    return fresh_emergency(world.provider, latest.statement)
