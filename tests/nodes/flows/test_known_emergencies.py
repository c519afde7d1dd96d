"""Emergencies as a node knows them: from signed events that the log holds, and for their time."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    BadMessage,
    Emergency,
    Grant,
    Scope,
    SecurityEvent,
    Severity,
    Sharing,
    Text,
)
from nodes.emergencies import NoEmergencyKnown, check_emergency, in_force, known_emergency
from nodes.offers import answer_offer, own_agreements
from nodes.page import gather, render
from nodes.publishing.datasets import latest_record
from nodes.receiving.apply import apply_for, subscribe
from nodes.trusting.places import PlaceUnproven
from tests.nodes.declaring import (
    PURPOSE,
    covering,
    declare,
    emergency,
    offered,
    opted_in,
    over,
    record,
    told,
)
from tests.nodes.sharing import DATASET, World


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


def test_an_entry_of_another_kind_proves_no_emergency(world: World) -> None:
    """An emergency that stands in the log as something else is one that nobody else would see."""
    opted_in(world)
    found = declare(world)
    digest = found.content_digest()
    fields: dict[str, Json] = {"part": world.provider.participant, "dsc": digest, "n": 1, "dig": digest}
    disguise = Entry(EntryKind.DATASET_PUBLISH, world.clock.now(), fields)
    world.exchange.statements[digest] = world.exchange.append(disguise)

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
