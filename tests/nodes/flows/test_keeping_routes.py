"""Tracing and purging over loopback, each by a person with the right role."""

import pytest

from audit.keys.signing import SigningKey
from contracts.clock import epoch_ms
from contracts.messages import Expiry, PurposeBinding, Role, Watermark
from nodes.node import Node
from nodes.receiving.pull import PullOptions, pull
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import DATASET, PURPOSE, World


@pytest.fixture
def received(world: World) -> str:
    """Have the consumer receive a marked release that may be kept for a day; give its path."""
    world.exchange.obligations = lambda terms: [
        Watermark(recipient=terms.consumer),
        PurposeBinding(purpose=terms.purpose),
        Expiry(days=1),
    ]
    world.ready()
    return str(pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files[0].path)


def auditor(world: World, node: Node) -> Person:
    key = SigningKey.generate()
    node.people.register("wang-fang", key.public, [Role.AUDITOR], at_ms=epoch_ms(world.clock.now()))
    return Person(world, node, name="wang-fang", key=key)


def test_a_file_is_traced_with_the_recipients_name(world: World, received: str) -> None:
    """Any person of the provider may ask; the answer names who, under which grant, and when."""
    answer = Person(world, world.provider).post("trace", {"path": received})

    (recipient,) = answer["recipients"]
    (delivery,) = answer["deliveries"]
    name = world.consumer.identity.profile.name
    assert (answer["by"], answer["same"]) == ("mark", "bytes")
    assert recipient == {"participant": world.consumer.participant, "name": name.model_dump()}
    assert (delivery["dataset"], delivery["release"], delivery["purpose"]) == (DATASET, 1, PURPOSE)


def test_the_consumer_cannot_read_the_providers_mark(world: World, received: str) -> None:
    """Another node answers that it cannot tell."""
    answer = Person(world, world.consumer).post("trace", {"path": received})

    assert answer["code"] == "not-traced"


def test_what_is_held_is_listed_and_what_is_due_is_deleted(world: World, received: str) -> None:
    """The list says until when; the purge says what went."""
    person = Person(world, world.consumer)
    (held,) = person.get("received", dataset=DATASET)["received"]
    none = person.post("received/purge", {})
    world.clock.advance(86400)
    due = person.get("status")["received_due"]
    planned = person.post("received/purge", {"dry_run": True})
    done = person.post("received/purge", {})

    assert (held["path"], held["purpose"], held["due"]) == (received, PURPOSE, False)
    assert none["files"] == []
    assert (due, person.get("status")["received_due"]) == (1, 0)
    assert (planned["files"], planned["dry_run"]) == ([received], True)
    assert (done["files"], done["left"]) == ([received], [])
    assert person.get("received")["received"][0]["purged_at"] is not None
    assert person.get("received", dataset="another-set")["received"] == []


def test_an_auditor_traces_and_lists_but_deletes_nothing(world: World, received: str) -> None:
    """Reading needs any role, deleting the operator's."""
    found = auditor(world, world.provider).post("trace", {"path": received})
    person = auditor(world, world.consumer)
    world.clock.advance(86400)

    refusal = person.post("received/purge", {})

    assert found["by"] == "mark"
    assert person.get("received")["received"][0]["due"]
    assert refusal["code"] == "role-missing"
