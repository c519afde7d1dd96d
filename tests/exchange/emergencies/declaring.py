"""People who declare, end and review emergencies, and an alliance with data that opted in."""

from datetime import timedelta
from typing import Any

from contracts.messages import (
    EMERGENCY_PURPOSE,
    Condition,
    Role,
    Scope,
    SecurityEvent,
    SubscriptionView,
    Text,
)
from exchange.emergencies import flow
from exchange.emergencies.model import DeclaredEmergency
from exchange.identity import Person
from exchange.incidents import flow as incidents
from nodes.signed import peek_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import DATASET, Alliance

SICHUAN = Scope(territories=["510000"])
TITLE = Text(zh="沱江水污染", en="Pollution of the Tuo")
DAY = timedelta(days=1)


def person(name: str, *roles: Role) -> Person:
    """Give a person of the exchange's."""
    return Person(name, frozenset(roles), name.encode().ljust(32, b"\0"))


WANG = person("wang", Role.ADMINISTRATOR)
ZHAO = person("zhao", Role.ADMINISTRATOR)
LIU = person("liu", Role.AUDITOR)


def declare(
    alliance: Alliance,
    by: Person = WANG,
    *,
    life: timedelta = DAY,
    scope: Scope = SICHUAN,
) -> DeclaredEmergency:
    """Declare an emergency."""
    return alliance.run(
        flow.declare(alliance.parts, by, title=TITLE, why="ammonia at three intakes", scope=scope, life=life)
    )


def later(alliance: Alliance, by: timedelta) -> None:
    """Let time pass."""
    alliance.clock.advance(by.total_seconds())


def end(alliance: Alliance, emergency: str, by: Person = WANG) -> DeclaredEmergency:
    """End it early."""
    return alliance.run(flow.end(alliance.parts, by, emergency, "the intakes are clean"))


def review(alliance: Alliance, emergency: str, by: Person = LIU, **changes: Any) -> DeclaredEmergency:
    """Judge it."""
    values = {"finding": "justified", "words": "all eleven grants were for the intakes"}
    return alliance.run(flow.review(alliance.parts, by, emergency, **{**values, **changes}))


def keep_time(alliance: Alliance) -> int:
    """Run the background task once."""
    return alliance.run(flow.keep_time(alliance.parts))


def events(alliance: Alliance) -> list[SecurityEvent]:
    """Read the alliance's events."""
    listed = incidents.events(alliance.parts, 0).events
    return [peek_statement(one, SecurityEvent).statement for one in listed]


def prepared(alliance: Alliance, **record: Any) -> tuple[Participant, Participant, SubscriptionView]:
    """Let a provider in Sichuan share what nobody else meets the conditions of, but in an emergency.

    The agreement was made ahead. Gives provider, consumer and subscription.
    """
    provider, consumer = alliance.join(), alliance.join()
    values = {
        "purposes": [EMERGENCY_PURPOSE, "joint-control"],
        "conditions": [Condition(networks=["192.0.2.0/24"])],
        "emergency": True,
    }
    alliance.declare(provider, **{**values, **record})
    alliance.publish(provider, 2)
    view = alliance.apply(consumer, DATASET, purpose=EMERGENCY_PURPOSE)
    return provider, consumer, alliance.subscribe(consumer, view.agreement)
