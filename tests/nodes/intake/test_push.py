"""Rows that programs push, and what people do with sources: over HTTP, as they come from outside."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from nodes.app import create_app
from nodes.bodies import DEFAULT_LIMIT_BYTES
from nodes.intake import push_routes, spool
from nodes.intake.flow import tick
from nodes.intake.model import (
    FolderSettings,
    NewSource,
    PieceState,
    PushSettings,
    RowsWaiting,
    SourceNameTaken,
    WrongSourceKind,
)
from nodes.intake.sources import add_source, list_sources, remove_source, renew_token, show_source
from nodes.intake.spool import find_source, land
from nodes.intake.tables import PieceRow
from nodes.publishing.datasets import DatasetNotDeclared
from tests.nodes.flows.test_local_routes import Person
from tests.nodes.intake.feeding import (
    NAME,
    add,
    add_folder,
    add_push,
    add_station,
    batch,
    once_each,
    pieces,
    put,
    released,
    run_source,
    spooled,
)
from tests.nodes.sharing import DATASET, AppTransport, World

BASE = "https://node.example"
NDJSON = "application/x-ndjson"


class Sender:
    """A program somewhere that pushes rows."""

    def __init__(self, world: World, token: str) -> None:
        self._client = httpx.Client(
            base_url=BASE, transport=AppTransport(create_app(world.provider, [BASE]), peer="198.51.100.9")
        )
        self._token = token

    def push(self, rows: bytes, *, name: str = NAME, **headers: str) -> httpx.Response:
        said = {"authorization": f"Bearer {self._token}", "content-type": NDJSON} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        return self._client.post(f"/sources/{name}/rows", content=rows, headers=said)


@pytest.fixture
def sender(world: World) -> Sender:
    return Sender(world, add_push(world))


@pytest.fixture
def operator(world: World) -> Iterator[Person]:
    person = Person(world, world.provider)
    with person.client:
        yield person


def test_pushed_rows_are_durable_when_they_are_answered(world: World, sender: Sender) -> None:
    """202 says where they are: named by their digest, in the spool, for the next release."""
    answer = sender.push(batch(1, 3))

    assert answer.status_code == 202
    assert answer.json() == {
        "source": NAME,
        "batch": pieces(world.provider)[0].sha256,
        "sha256": pieces(world.provider)[0].sha256,
        "rows": 3,
        "repeated": False,
    }
    assert spooled(world.provider)[0].read_bytes() == batch(1, 3)
    run_source(world)
    assert released(world.provider) == once_each(1, 3)


def test_a_batch_may_be_sent_again(world: World, sender: Sender) -> None:
    """A sender that heard no answer repeats itself, and nothing is twice."""
    first, second = (sender.push(batch(1, 3), idempotency_key="hour 4") for _ in range(2))
    other = sender.push(batch(4, 3), idempotency_key="hour 4")
    run_source(world)

    assert (first.json()["repeated"], second.json()["repeated"]) == (False, True)
    assert (other.status_code, other.json()["code"]) == (409, "batch-key-taken")
    assert released(world.provider) == once_each(1, 3)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Bearer hws_" + "A" * 43},
        {"authorization": "Basic aHdz"},
        {"name": "another"},
        {"name": "stations"},
    ],
)
def test_without_the_source_s_own_token_nothing_is_taken(
    world: World, sender: Sender, headers: dict[str, str]
) -> None:
    """An unknown source and a wrong token look the same from outside."""
    add(world, PushSettings(), name="stations")

    answer = sender.push(batch(1, 1), **headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "token-refused")
    assert pieces(world.provider) == []


def test_the_token_is_not_kept(world: World) -> None:
    """The database knows a digest, by which nobody can push."""
    token = add_push(world)

    assert token not in repr(find_source(world.provider, NAME))
    assert Sender(world, find_source(world.provider, NAME).token or "").push(batch(1, 1)).status_code == 401


def test_a_new_token_ends_the_old_one(world: World) -> None:
    """A token that went astray is replaced."""
    old = add_push(world)
    new = renew_token(world.provider, NAME).token or ""

    assert Sender(world, old).push(batch(1, 1)).status_code == 401
    assert Sender(world, new).push(batch(1, 1)).status_code == 202


@pytest.mark.parametrize(
    ("rows", "headers", "status", "code"),
    [
        (b"", {}, 400, "bad-rows"),
        (b"\xff\n", {}, 400, "bad-rows"),
        (b"{}\n", {"content_type": "application/json"}, 400, "push-unfit"),
        (b"{}\n", {"content_encoding": "gzip"}, 400, "push-unfit"),
        (b"{}\n", {"idempotency_key": "x" * 201}, 400, "bad-rows"),
    ],
)
def test_what_is_no_batch_is_refused(
    world: World, sender: Sender, rows: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """A sender hears at once what no release could ever use."""
    answer = sender.push(rows, **headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert pieces(world.provider) == []


def test_a_batch_has_a_limit(world: World, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be larger than other requests, and still not any size; a full spool asks for patience."""
    large = b"{}\n" * (DEFAULT_LIMIT_BYTES // 3 + 1)

    assert sender.push(large).status_code == 202
    assert sender.push(b"{" + b" " * push_routes.MAX_PUSH_BYTES).status_code == 413
    monkeypatch.setattr(spool, "MAX_SPOOL_BYTES", len(large))
    full = sender.push(batch(1, 1))
    assert (full.status_code, full.json()["code"]) == (503, "spool-full")


def test_a_source_of_another_kind_takes_no_push(world: World) -> None:
    """There is no token for it, and none can be made."""
    add_station(world)

    assert Sender(world, "hws_" + "A" * 43).push(batch(1, 1)).status_code == 401
    with pytest.raises(WrongSourceKind):
        renew_token(world.provider, NAME)


def test_people_add_look_run_and_remove(world: World, operator: Person) -> None:
    """A whole life of a source over loopback; the token is in the first answer only."""
    world.declare()
    new = {"name": NAME, "dataset": DATASET, "settings": {"kind": "push"}, "every_seconds": 3600}
    added = operator.post("sources", new)
    land(world.provider, NAME, batch(1, 3))
    listed = operator.get("sources")["sources"]
    ran = operator.stream(f"sources/{NAME}/run", {})[-1]["result"]
    shown = operator.get(f"sources/{NAME}")
    removed = operator.post(f"sources/{NAME}/remove")

    assert added["token"].startswith("hws_")
    assert [(one["source"], one["waiting"]) for one in listed] == [(NAME, 1)]
    assert (ran["rows"], ran["releases"]) == (3, [1])
    assert [lot["state"] for lot in shown["lots"]] == ["released"]
    assert added["token"] not in str(listed) + str(shown)
    assert removed == {"source": NAME, "discarded": 0}
    assert operator.get(f"sources/{NAME}")["code"] == "no-such-source"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Bad Name", "dataset": DATASET, "settings": {"kind": "push"}},
        {"name": NAME, "dataset": DATASET, "settings": {"kind": "ftp"}},
        {"name": NAME, "dataset": DATASET, "settings": {"kind": "push", "path": "/"}},
        {"name": NAME, "dataset": DATASET, "settings": {"kind": "push"}, "every_seconds": -1},
        {"name": NAME, "dataset": DATASET, "settings": {"kind": "folder", "path": "/", "marker": "/ok"}},
    ],
)
def test_a_description_that_is_none_is_refused(world: World, operator: Person, body: dict[str, Any]) -> None:
    """Unknown kinds, strange names and settings of another kind do not make a source."""
    world.declare()

    assert operator.post("sources", body)["code"] in {"bad-message", "bad-request"}
    assert list_sources(world.provider) == []


def test_strangers_have_no_business_with_sources(world: World, operator: Person) -> None:
    """Without a person's signature the list is closed."""
    del operator
    client = httpx.Client(
        base_url="http://127.0.0.1:8002",
        transport=AppTransport(create_app(world.provider, ["http://127.0.0.1:8002"]), peer="127.0.0.1"),
    )

    assert client.get("/local/sources").status_code == 401


def test_a_name_is_one_source(world: World) -> None:
    """Two sources never share a name, and a dataset must be declared first."""
    add_push(world)

    with pytest.raises(SourceNameTaken):
        add_push(world)
    with pytest.raises(DatasetNotDeclared):
        add_source(world.provider, NewSource(name="other", dataset="nothing", settings=PushSettings()))


def test_rows_that_wait_are_not_dropped_by_accident(world: World) -> None:
    """Removing asks for a word of its own; what was dropped so may land again elsewhere."""
    add_push(world)
    land(world.provider, NAME, batch(1, 3))

    with pytest.raises(RowsWaiting):
        remove_source(world.provider, NAME)
    assert remove_source(world.provider, NAME, discard=True) == {"source": NAME, "discarded": 1}
    add_push(world)
    land(world.provider, NAME, batch(1, 3))
    run_source(world)
    assert released(world.provider) == once_each(1, 3)


def test_refused_rows_are_not_dropped_by_accident(world: World) -> None:
    """Rows that were acknowledged and then refused as a whole stay until somebody says otherwise."""
    add_push(world)
    world.declare(synthetic=False)
    land(world.provider, NAME, batch(1, 3))
    with world.provider.database.transaction() as session:
        piece = session.get_one(PieceRow, pieces(world.provider)[0].id)
        piece.state = PieceState.REFUSED
        session.add(piece)

    assert run_source(world).lots == []
    with pytest.raises(RowsWaiting):
        remove_source(world.provider, NAME)
    assert [lot.rows_read for lot in run_source(world, again=True).lots] == [3]
    assert remove_source(world.provider, NAME)["discarded"] == 0


def test_sources_that_are_due_run_by_themselves(world: World) -> None:
    """Each at its own pace; one that cannot keeps no other waiting, and is tried again."""
    folder = add_folder(world)
    remove_source(world.provider, NAME)

    add(world, FolderSettings(path=str(folder)), name="a-folder", every_seconds=600)
    add(world, PushSettings(), name="b-push", every_seconds=600)
    add(world, PushSettings(), name="c-by-hand")
    land(world.provider, "b-push", batch(1, 3))
    land(world.provider, "c-by-hand", batch(100, 3))
    folder.rename(folder.with_name("away"))

    first, at_once = tick(world.provider), tick(world.provider)
    folder.with_name("away").rename(folder)
    put(world, folder / "x.ndjson", batch(4, 2))
    world.clock.advance(60)
    later = tick(world.provider)

    assert (first, at_once, later) == (1, 0, 1)
    assert released(world.provider) == once_each(1, 5)
    assert [one["trouble"] for one in list_sources(world.provider)] == [None, None, None]


def test_an_unexpected_fault_is_noted_and_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that breaks in a way nobody foresaw says so without its data, and the node goes on."""
    add(world, PushSettings(), every_seconds=600)
    monkeypatch.setattr("nodes.intake.flow.publish_next", _break)

    assert tick(world.provider) == 0
    assert show_source(world.provider, NAME)["trouble"] == "internal: ZeroDivisionError"


def _break(*_: object) -> None:
    raise ZeroDivisionError("a secret value")


def test_old_keys_are_let_go(world: World) -> None:
    """Batches that were released long ago leave the database; those that wait never do."""
    add_push(world)
    land(world.provider, NAME, batch(1, 3))
    run_source(world)
    world.clock.advance(36 * 86_400)
    run_source(world)

    assert pieces(world.provider) == []
