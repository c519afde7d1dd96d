"""Emergencies at a provider: known from signed events only, signed for at once where the record opted in."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import Unavailable
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    AgreementOffer,
    Application,
    BadMessage,
    Emergency,
    Grant,
    Scope,
    SecurityEvent,
    Severity,
    Sharing,
    Text,
)
from nodes.broker import Broker
from nodes.emergencies import NoEmergencyKnown, check_emergency, fresh_emergency, in_force, known_emergency
from nodes.offers import answer_offer, held_applications, own_agreements, refuse
from nodes.page import gather, render
from nodes.publishing.datasets import latest_record
from nodes.receiving.apply import apply_for, subscribe
from nodes.signed import peek_statement
from nodes.trusting.places import PlaceUnproven
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


def covering(world: World) -> Emergency | None:
    """Give the emergency that the provider knows for its dataset."""
    latest = latest_record(world.provider, DATASET)
    assert latest is not None
    return fresh_emergency(world.provider, latest.statement)


def test_an_emergency_is_signed_for_at_once(world: World) -> None:
    """The record opted in, the event is known, and the terms end with the emergency: no person is needed."""
    opted_in(world)
    declare(world)

    assert answer_offer(world.provider, offered(world)).outcome == "signed"
    assert [one["role"] for one in own_agreements(world.provider)] == ["provider"]


@pytest.mark.parametrize(
    "changes",
    [{"emergency": False}, {"purposes": [PURPOSE, "flood-forecast"], "emergency": False}],
)
def test_a_record_that_did_not_opt_in_waits_for_a_person(world: World, changes: dict[str, Any]) -> None:
    """Whoever did not opt in decides in an emergency as in ordinary times."""
    opted_in(world, **changes)
    declare(world)

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_in_ordinary_times_a_person_is_asked(world: World) -> None:
    """Agreements can be made ahead, and then a person signs them."""
    opted_in(world)

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_another_purpose_is_no_emergency(world: World) -> None:
    """An emergency opens nothing but what is done in its name."""
    opted_in(world, purposes=[])
    declare(world)
    world.exchange.offer = None
    view = apply_for(world.consumer, world.request())
    application = peek_statement(view.application_envelope, Application)
    terms = world.exchange.terms(application, expires_at=world.clock.now() + timedelta(days=1))
    offer = AgreementOffer(
        application_envelope=application.text, agreement_payload=terms.canonical().decode()
    )

    assert answer_offer(world.provider, offer).outcome == "held"


def test_terms_that_outlast_the_emergency_wait_for_a_person(world: World) -> None:
    """What nobody was asked about ends with the emergency."""
    opted_in(world)
    declare(world)

    assert answer_offer(world.provider, offered(world, THREE_DAYS + timedelta(seconds=1))).outcome == "held"
    assert answer_offer(world.provider, offered(world, THREE_DAYS)).outcome == "signed"


def test_an_emergency_that_ended_signs_nothing(world: World) -> None:
    """An early end is heard of before anything is signed."""
    opted_in(world)
    over(world, declare(world))

    assert answer_offer(world.provider, offered(world)).outcome == "held"


def test_what_waits_for_a_person_stays_with_that_person(world: World) -> None:
    """A refusal is not overtaken by an emergency that is declared later."""
    opted_in(world)
    offer = offered(world)
    held = answer_offer(world.provider, offer)
    (row,) = held_applications(world.provider)
    declare(world)
    still_held = answer_offer(world.provider, offer)
    refuse(world.provider, row.application, [Text(zh="不同意", en="no")], "li-wei")

    assert (held.outcome, still_held.outcome) == ("held", "held")
    assert answer_offer(world.provider, offer).outcome == "refused"


def test_in_silence_nothing_is_signed_and_nobody_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the newest events are not to be had the offer stays unanswered; it comes again later."""
    opted_in(world)
    declare(world)
    offer = offered(world)

    def silent(_broker: Broker, _since: int) -> None:
        raise Unavailable("the exchange is silent")

    with monkeypatch.context() as patch:
        patch.setattr(Broker, "events", silent)
        with pytest.raises(Unavailable):
            answer_offer(world.provider, offer)

    assert own_agreements(world.provider) == []
    assert held_applications(world.provider) == []
    assert answer_offer(world.provider, offer).outcome == "signed"


def test_an_emergency_that_the_log_does_not_hold_opens_nothing(world: World) -> None:
    """An event for one node's eyes is not enough: the log that all watch must hold the statement."""
    opted_in(world)
    found = declare(world)
    del world.exchange.statements[found.content_digest()]

    with pytest.raises(NoEmergencyKnown):
        answer_offer(world.provider, offered(world))
    assert own_agreements(world.provider) == []


def test_another_entry_proves_no_emergency(world: World) -> None:
    """The entry that is shown must name this very statement."""
    opted_in(world)
    record(world, declare(world), "sha256:" + "1" * 64)

    with pytest.raises(PlaceUnproven):
        answer_offer(world.provider, offered(world))


@pytest.mark.parametrize(
    ("scope", "is_covered"),
    [
        ({"territories": ["510000"]}, True),
        ({"territories": ["51"]}, True),
        ({"territories": ["420000", "510000"]}, True),
        ({"territories": ["420000"]}, False),
        ({"territories": ["510100"]}, False),
        ({"territories": ["510000"], "themes": ["noise"]}, False),
        ({"territories": ["510000"], "datasets": [DATASET]}, True),
        ({"territories": ["510000"], "datasets": ["another-dataset"]}, False),
        ({"territories": ["420000"], "datasets": [DATASET]}, False),
    ],
)
def test_an_emergency_covers_what_it_names(world: World, scope: dict[str, Any], is_covered: bool) -> None:
    """A territory covers those below it and no other; themes and datasets narrow it."""
    opted_in(world)
    declare(world, scope=Scope.model_validate(scope))

    assert (covering(world) is not None) == is_covered


def test_a_provider_without_a_territory_is_covered_by_name_only() -> None:
    """A bank or a ministry lies in no province; its dataset can be named."""
    everywhere, named = Scope(territories=["51"]), Scope(territories=["51"], datasets=["loans"])

    assert not everywhere.covers(dataset="loans", theme="credit", territory=None)
    assert named.covers(dataset="loans", theme="credit", territory=None)


def test_the_longest_emergency_counts_and_time_ends_it(world: World) -> None:
    """Of several that cover a dataset the one that lasts longest is given; each is over by itself."""
    opted_in(world)
    declare(world)
    longer = declare(world, until=world.clock.now() + timedelta(days=20))

    assert covering(world) == longer
    latest = latest_record(world.provider, DATASET)
    assert latest is not None
    late = world.clock.now() + timedelta(days=20)
    assert known_emergency(world.provider, latest.statement, late) is None


@pytest.mark.parametrize("seconds", [0, -1, 30 * 86400 + 1])
def test_no_statement_says_more_than_thirty_days(world: World, seconds: int) -> None:
    """The time box is part of the shape: neither exchange nor node can write or read another."""
    good = emergency(world).model_dump(mode="json")
    begin = emergency(world).declared_at
    good["until"] = (begin + timedelta(seconds=seconds)).isoformat()

    with pytest.raises(BadMessage, match="at most 30 days"):
        Emergency.parse(orjson.dumps(good))


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"emergency": "m-aaaaaaaaaaaa"},
        {"emergency": "m-aaaaaaaaaaaa", "statement": "{}"},
        {"emergency": "m-aaaaaaaaaaaa", "statement": 7},
    ],
)
def test_an_event_without_a_good_statement_declares_nothing(
    world: World, facts: dict[str, int | str]
) -> None:
    """Nor does one whose statement is about another emergency than the event."""
    now = world.clock.now()
    other = told(emergency(world)) | {"emergency": "m-aaaaaaaaaaaa"}
    events = [
        SecurityEvent(
            number=1,
            event=new_id(Kind.EVENT),
            event_class="emergency.declared",
            severity=Severity.HIGH,
            subject=None,
            title=Text(zh="紧急", en="emergency"),
            facts=one,
            at=now,
        )
        for one in (facts, other)
    ]

    assert in_force(events, now) == []


def grant_for(world: World, **changes: Any) -> Grant:
    """Write a grant as the exchange would, for the emergency or for what ``changes`` say."""
    digest = "sha256:" + "0" * 64
    now = world.clock.now()
    values = {
        "grant": new_id(Kind.GRANT),
        "subscription": new_id(Kind.SUBSCRIPTION),
        "seq": 1,
        "provider": world.provider.participant,
        "consumer": world.consumer.participant,
        "consumer_key": world.consumer.node_key.public.text,
        "dataset": DATASET,
        "release": 1,
        "manifest": digest,
        "agreement": new_id(Kind.AGREEMENT),
        "agreement_digest": digest,
        "record": digest,
        "purpose": PURPOSE,
        "obligations": [],
        "policy": digest,
        "decision": new_id(Kind.DECISION),
        "salt": "5a" * 32,
        "issued_at": now,
        "expires_at": now + timedelta(minutes=10),
    }
    return Grant.model_validate({**values, **changes})


def test_a_grant_for_an_emergency_that_nobody_declared_is_refused(world: World) -> None:
    """The exchange cannot make up an emergency for one consumer: the alliance would hear of it."""
    opted_in(world)
    latest = latest_record(world.provider, DATASET)
    assert latest is not None
    refused = grant_for(world)
    with pytest.raises(NoEmergencyKnown):
        check_emergency(world.provider, refused, latest.statement)
    found = declare(world)

    check_emergency(world.provider, refused, latest.statement)
    check_emergency(world.provider, grant_for(world, purpose="flood-forecast"), latest.statement)
    late = grant_for(world, expires_at=found.until + timedelta(seconds=1))
    with pytest.raises(NoEmergencyKnown):
        check_emergency(world.provider, late, latest.statement)
    over(world, found)
    with pytest.raises(NoEmergencyKnown):
        check_emergency(world.provider, refused, latest.statement)


def test_a_delivery_is_refused_without_the_emergency(world: World) -> None:
    """The check stands in the way of every delivery: what was granted for an emergency ends with it."""
    opted_in(world, sharing=Sharing.UNCONDITIONAL)
    world.publish()
    found = declare(world)
    apply_for(world.consumer, world.request(purpose=PURPOSE))
    logged = world.granted(subscribe(world.consumer, DATASET).subscription)
    over(world, found)

    answer = world.present(logged)

    assert (answer.status_code, answer.json()["code"]) == (403, "no-emergency-known")


def test_people_at_the_node_see_what_is_in_force(world: World) -> None:
    """The node's page names the emergencies that it has heard of, and those that are over no more."""
    found = declare(world)
    world.provider.events.refresh()
    during = render(gather(world.provider))
    over(world, found)
    world.provider.events.refresh()

    assert f"沱江水污染 Pollution of the Tuo · {found.emergency}" in during
    assert "紧急状态 emergency in force" not in render(gather(world.provider))
