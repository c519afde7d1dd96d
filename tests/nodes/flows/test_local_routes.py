"""What people do at their node: signed by the person, on this machine, with the right role."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from audit.httpsig import RequestSigner
from audit.keys.signing import SigningKey, load_key
from contracts.clock import epoch_ms
from contracts.messages import Role, Sharing
from nodes.app import create_app
from nodes.node import Node
from nodes.signed import sign_statement
from tests.nodes.sharing import (
    CONTRACT,
    DATASET,
    PURPOSE,
    AppTransport,
    World,
    declaration,
    rows,
    write_source,
)

LOCAL = "http://127.0.0.1:8002"


class Person:
    """Somebody at a node, as the command line speaks for them."""

    def __init__(
        self, world: World, node: Node, *, name: str = "li-wei", key: SigningKey | None = None
    ) -> None:
        signer = RequestSigner(
            key or load_key(node.home.person_key(name)), f"person:{name}", clock=world.clock
        )
        transport = AppTransport(create_app(node, [LOCAL]), peer="127.0.0.1")
        self.client = httpx.Client(base_url=LOCAL, auth=signer, transport=transport)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/local/{path}", params=query).json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.client.post(f"/local/{path}", content=orjson.dumps(body or {})).json()

    def stream(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.client.post(f"/local/{path}", content=orjson.dumps(body))
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [orjson.loads(line) for line in answer.content.splitlines()]


@pytest.fixture
def provider(world: World) -> Iterator[Person]:
    person = Person(world, world.provider)
    with person.client:
        yield person


@pytest.fixture
def consumer(world: World) -> Iterator[Person]:
    person = Person(world, world.consumer)
    with person.client:
        yield person


def declared(provider: Person, **changes: Any) -> None:
    provider.post("contracts", {"contract": CONTRACT})
    provider.post("datasets", declaration(**changes).model_dump(mode="json"))


def application() -> dict[str, Any]:
    return {
        "dataset": DATASET,
        "purpose": PURPOSE,
        "basis": "防洪法",
        "scenario": "flood forecast",
        "scope": "internal",
        "until": "2027-01-01T00:00:00.000Z",
    }


def published(world: World, provider: Person, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    source = write_source(world.folder / "buoy.ndjson", records)
    return provider.stream("publish", {"path": str(source), "dataset": DATASET})


def test_the_whole_work_of_two_provinces(
    world: World, provider: Person, consumer: Person, tmp_path: Path
) -> None:
    """Declare, publish, find, apply, agree, subscribe and pull, with the fields that the commands show."""
    declared(provider)
    lines = published(world, provider, [*rows(5), {**rows(1)[0], "ph": "neutral"}])
    found = consumer.get("catalog", q="buoy")["datasets"][0]
    applied = consumer.post("applications", application())
    subscribed = consumer.post("subscriptions", {"dataset": DATASET})
    world.exchange.relayed = world.relay
    pulled = consumer.stream("pull", {"dataset": DATASET, "to": str(tmp_path)})[-1]["result"]

    assert lines[-1]["result"]["published"] == 5
    assert lines[0]["progress"] == {"rows": 6, "of": None}
    assert (found["dataset"], found["releases"], found["provider_name"]["en"]) == (DATASET, 1, "Sichuan")
    assert (applied["state"], applied["role"]) == ("agreed", "consumer")
    assert subscribed["dataset"] == DATASET
    assert pulled["cursor"] == 1
    assert pulled["files"][0]["path"] == str(tmp_path / f"{DATASET}-1.parquet")
    assert pulled["files"][0]["proof_path"] is None


def test_rejected_rows_are_listed_and_shown(world: World, provider: Person) -> None:
    """The clerk who published sees every reason."""
    declared(provider)
    published(world, provider, [*rows(2), {**rows(1)[0], "ph": 99}])

    listed = provider.get("quarantine", dataset=DATASET)
    shown = provider.get(f"quarantine/{listed['rows'][0]['id']}")

    assert listed["total"] == 1
    assert {"id", "dataset", "row", "pointer", "rule", "value"} <= listed["rows"][0].keys()
    assert shown["record"]["ph"] == 99


def test_a_held_application_is_listed_and_answered(world: World, provider: Person, consumer: Person) -> None:
    """A person sees what waits, and approves it in their own name."""
    declared(provider, sharing=Sharing.CONDITIONAL)
    name = consumer.post("applications", application())["application"]

    listed = provider.get("applications")["applications"][0]
    approved = provider.post(f"applications/{name}/approve")

    assert (listed["state"], listed["role"]) == ("held", "provider")
    assert approved["state"] == "agreed"
    assert provider.get("agreements")["agreements"][0]["role"] == "provider"


def test_a_refusal_carries_its_reasons(world: World, provider: Person, consumer: Person) -> None:
    """The consumer reads why."""
    declared(provider, sharing=Sharing.CONDITIONAL)
    name = consumer.post("applications", application())["application"]
    reasons = [{"zh": "用途不符", "en": "Not this purpose."}]

    provider.post(f"applications/{name}/refuse", {"reasons": reasons})

    listed = consumer.get("applications")["applications"][0]
    assert (listed["state"], listed["reasons"]) == ("refused", reasons)


def test_a_failure_of_long_work_is_the_last_line(world: World, provider: Person) -> None:
    """A stream that has begun ends with the problem, in both languages."""
    declared(provider)

    last = published(world, provider, [{**rows(1)[0], "ph": 99}])[-1]["problem"]

    assert last["code"] == "empty-release"
    assert last["title_zh"]


def test_an_unexpected_failure_keeps_its_detail(
    world: World, provider: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither stack nor value leaves the process."""
    declared(provider)

    def fail(*_: object) -> None:
        raise ValueError("a secret")

    monkeypatch.setattr("nodes.local_routes.publish", fail)
    last = published(world, provider, rows(1))[-1]["problem"]

    assert last["code"] == "internal"
    assert "secret" not in orjson.dumps(last).decode()


def test_the_status_counts_what_there_is(world: World, provider: Person, consumer: Person) -> None:
    """One look says how the node stands."""
    declared(provider)
    published(world, provider, [*rows(2), {**rows(1)[0], "ph": 99}])

    status = provider.get("status")

    assert status["participant"] == world.provider.participant
    assert (status["datasets"], status["quarantined"], status["outbox"]) == ([DATASET], 1, 0)


def test_lists_are_there_even_when_they_are_empty(provider: Person) -> None:
    """A fresh node answers every question."""
    assert provider.get("subscriptions") == {"subscriptions": []}
    assert provider.get("outbox") == {"rows": []}
    assert provider.get("events") == {"events": [], "alarms": []}
    assert provider.get("datasets") == {"datasets": []}
    assert provider.get("agreements") == {"agreements": []}


def test_a_catalog_entry_is_verified_before_it_is_shown(
    world: World, provider: Person, consumer: Person
) -> None:
    """A record that the exchange made up is not shown as the provider's."""
    declared(provider)
    shown = consumer.get(f"catalog/{DATASET}")
    record = world.exchange.records[DATASET].statement
    world.exchange.records[DATASET] = sign_statement(record, world.exchange.statement_key)

    assert shown["record"]["place"] == "Brisbane River"
    assert consumer.get(f"catalog/{DATASET}")["code"] == "signature-invalid"


ACTS: list[Callable[[Person], Any]] = [
    lambda person: person.post("contracts", {"contract": CONTRACT}),
    lambda person: person.post("datasets", {}),
    lambda person: person.post("publish", {}),
    lambda person: person.post("applications", {}),
    lambda person: person.post("applications/q-222222222222/approve"),
    lambda person: person.post("applications/q-222222222222/refuse"),
    lambda person: person.post("subscriptions", {}),
    lambda person: person.post("pull", {}),
]


@pytest.mark.parametrize("act", ACTS)
def test_an_auditor_reads_and_does_not_act(world: World, act: Callable[[Person], Any]) -> None:
    """Administration, audit and operation are different roles."""
    key = SigningKey.generate()
    at_ms = epoch_ms(world.clock.now())
    world.provider.people.register("wang-fang", key.public, [Role.AUDITOR], at_ms=at_ms)
    auditor = Person(world, world.provider, name="wang-fang", key=key)
    with auditor.client:
        assert auditor.get("outbox") == {"rows": []}
        assert act(auditor)["code"] == "role-missing"


def test_people_act_on_this_machine_only(world: World) -> None:
    """A person's signature from elsewhere opens nothing."""
    app = create_app(world.provider, [LOCAL])
    signer = RequestSigner(
        load_key(world.provider.home.person_key("li-wei")), "person:li-wei", clock=world.clock
    )
    with httpx.Client(base_url=LOCAL, auth=signer, transport=AppTransport(app)) as client:
        assert client.get("/local/status").json()["code"] == "not-local"
