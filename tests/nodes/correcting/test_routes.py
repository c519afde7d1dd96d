"""Corrections over HTTP at a node: news from the exchange alone, and acts of its own people alone."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from audit.httpsig import sign_request
from audit.keys.signing import SigningKey
from contracts.messages import CorrectionNews
from nodes.correcting import store
from nodes.node import Node
from tests.nodes.correcting.corrections_exchange import CorrectionsExchange
from tests.nodes.correcting.disputes import exchange_of, received
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.sharing import DATASET, DIRECT, AppTransport, World, rows, write_source

OBJECTION = {
    "dataset": DATASET,
    "release": 1,
    "fault": "wrong-value",
    "words": "the probe was out of the water",
    "records": [{"row": 3, "pointer": "/ph", "expected": "8.1"}],
}


@pytest.fixture
def provider(world: World) -> Iterator[Person]:
    """Give somebody at the provider's node."""
    person = Person(world, world.provider)
    with person.client:
        yield person


@pytest.fixture
def consumer(world: World) -> Iterator[Person]:
    """Give somebody at the consumer's node."""
    person = Person(world, world.consumer)
    with person.client:
        yield person


def bring(world: World, key: SigningKey, keyid: str, news: CorrectionNews) -> httpx.Response:
    """Send news to the provider's node."""
    body = news.canonical()
    headers = sign_request("POST", f"{DIRECT}/corrections", body, key=key, keyid=keyid, clock=world.clock)
    with httpx.Client(transport=AppTransport(world.app), base_url=DIRECT) as client:
        return client.post("/corrections", content=body, headers=headers)


def known(node: Node) -> int:
    """Count the objections that a node knows without asking anybody."""
    return len(store.newest(node))


def test_only_the_exchange_brings_news(world: World, consumer: Person) -> None:
    """A member with a good key brings none; the exchange's own is kept before it is answered."""
    received(world)
    name = consumer.post("objections", OBJECTION)["objection"]
    news = CorrectionNews(objections=[exchange_of(world).view(name)], corrections=[])
    refused = bring(world, world.consumer.node_key, world.consumer.participant, news)
    before = known(world.provider)
    taken = bring(world, world.exchange.statement_key, "exchange", news)

    assert (refused.status_code, refused.json()["code"], before) == (401, "wrong-caller", 0)
    assert (taken.status_code, known(world.provider)) == (204, 1)


def test_people_take_an_objection_all_the_way(world: World, provider: Person, consumer: Person) -> None:
    """Raised, acknowledged, verified, corrected and closed by the people of both nodes."""
    received(world)
    name = consumer.post("objections", OBJECTION)["objection"]
    path = f"objections/{name}"
    provider.post(f"{path}/acknowledge")
    provider.post(f"{path}/verify", {"words": "the probe was out indeed"})
    source = write_source(world.folder / "mended.ndjson", rows(41))
    body = {"path": str(source), "dataset": DATASET, "corrects": 1, "objections": [name]}
    published = provider.stream("publish", body)[-1]["result"]
    shown = provider.get(path)
    closed = consumer.post(f"{path}/close")
    world.clock.advance(1)
    (line,) = consumer.get("objections", state="closed")["objections"]

    assert (published["release"], published["corrects"]) == (2, 1)
    assert (shown["state"], shown["role"], shown["correction"]) == ("corrected", "provider", 2)
    assert [one["as_delivered"] for one in shown["disputed"]] == [True]
    assert shown["recipients"] == provider.get(f"datasets/{DATASET}/releases/2/recipients")["recipients"]
    assert (closed["state"], line["objection"]) == ("closed", name)
    assert [step["words"] for step in consumer.get(path)["steps"]][1] == "the probe was out indeed"


def test_the_list_says_where_the_exchange_is_silent(
    world: World, exchange: CorrectionsExchange, consumer: Person
) -> None:
    """What is known here is shown; nobody takes it for the newest."""
    received(world)
    consumer.post("objections", OBJECTION)
    fresh = consumer.get("objections")["fresh"]
    exchange.down = True
    answer = consumer.get("objections")

    assert (fresh, answer["fresh"], len(answer["objections"])) == (True, False, 1)


def test_an_unanswered_objection_is_overdue_by_itself(world: World, consumer: Person) -> None:
    """The node counts from the term that it was told, whether or not it hears more."""
    received(world)
    consumer.post("objections", OBJECTION)
    world.clock.advance(14 * 86400)
    (line,) = consumer.get("objections")["objections"]

    assert line["overdue"] is True


def test_what_does_not_fit_is_refused(world: World, consumer: Person) -> None:
    """A rejection has reasons; an objection is settled by a correction; a row counts from 1."""
    received(world)
    alone = {"path": "x", "dataset": DATASET, "objections": ["o-aaaaaaaaaaaa"]}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("objections", OBJECTION | {"fault": "ugly"}),
        ("objections", OBJECTION | {"records": [{"row": 0}]}),
        ("objections", OBJECTION | {"release": 9}),
        ("objections/o-aaaaaaaaaaaa/acknowledge", {}),
        ("objections/o-aaaaaaaaaaaa/reject", {}),
        ("publish", alone),
    ]

    assert [consumer.post(path, body)["code"] for path, body in asked] == [
        "bad-message",
        "bad-message",
        "release-not-held",
        "no-such-objection",
        "bad-message",
        "invalid",
    ]
