"""The quarantine at the node: read by any person, worked through by operators, from this machine only."""

from pathlib import Path

import httpx
import orjson
import pytest

from nodes.app import create_app
from tests.nodes.flows.test_local_routes import LOCAL, Person, consumer, declared, provider
from tests.nodes.sharing import DATASET, AppTransport, World, rows, write_source

__all__ = ["consumer", "provider"]


@pytest.fixture
def row(world: World, provider: Person) -> int:
    """Publish three good rows and leave one in quarantine."""
    declared(provider)
    path = write_source(world.folder / "buoy.ndjson", [*rows(3), {**rows(1, first=4)[0], "ph": "neutral"}])
    provider.stream("publish", {"path": str(path), "dataset": DATASET})
    found: int = provider.get("quarantine")["rows"][0]["id"]
    return found


def test_a_row_is_mended_and_released(provider: Person, row: int) -> None:
    """From the list to the next release over HTTP, with the counts on the way."""
    answer = provider.post(f"quarantine/{row}/resubmission", {"changes": {"ph": 7.4}})
    assert (answer["state"], answer["repeated"]) == ("resubmitted", False)
    (standing,) = provider.get("quarantine/standing")["datasets"]
    assert (standing["dataset"], standing["resubmitted"], standing["open"]) == (DATASET, 1, 0)
    assert provider.get("status")["quarantined"] == 1

    *_, last = provider.stream("quarantine/releases", {"dataset": DATASET})

    assert (last["result"]["release"], last["result"]["accepted"]) == (2, 1)
    assert provider.get(f"quarantine/{row}")["state"] == "accepted"
    assert provider.get("quarantine", state="open")["total"] == 0
    assert provider.get("status")["quarantined"] == 0


def test_a_whole_record_or_changes_and_nothing_else(provider: Person, row: int) -> None:
    """An empty offer is refused and says what is wanted."""
    assert provider.post(f"quarantine/{row}/resubmission", {})["code"] == "changes-unfit"
    whole = provider.post(f"quarantine/{row}/resubmission", {"record": rows(1, first=4)[0]})
    assert whole["state"] == "resubmitted"


def test_a_refused_record_names_every_reason(provider: Person, row: int) -> None:
    """The problem says in both languages what the contract wants."""
    problem = provider.post(f"quarantine/{row}/resubmission", {"changes": {"ph": 40}})

    assert (problem["status"], problem["code"]) == (400, "still-broken")
    assert problem["facts"]["reasons"] == ["/ph: pH 值:不得大于 14 pH must be at most 14"]


def test_a_row_is_withdrawn_with_a_reason(provider: Person, row: int) -> None:
    """Without one it is a bad message; with one it is closed."""
    assert provider.post(f"quarantine/{row}/withdrawal", {})["code"] == "bad-message"
    assert provider.post(f"quarantine/{row}/withdrawal", {"why": "sensor dry"})["state"] == "withdrawn"
    assert provider.post(f"quarantine/{row}/resubmission", {"changes": {"ph": 7}})["code"] == "row-closed"


def test_a_file_is_exported_and_offered(provider: Person, row: int, tmp_path: Path) -> None:
    """The refusals come with line, id, code and words; progress comes before the result."""
    path = tmp_path / "open.ndjson"
    assert provider.post("quarantine/exports", {"dataset": DATASET, "path": str(path)})["rows"] == 1
    line = orjson.loads(path.read_bytes())
    offers = [{**line, "record": {**line["record"], "ph": ph}} for ph in (99, 7.1)]
    path.write_bytes(b"".join(orjson.dumps(offer) + b"\n" for offer in offers))

    first, *_, last = provider.stream("quarantine/files", {"dataset": DATASET, "path": str(path)})

    assert first["progress"]["rows"] == 1
    result = last["result"]
    assert (result["mended"], result["repeated"], result["refused"]) == (1, 0, 1)
    assert (result["refusals"][0]["line"], result["refusals"][0]["code"]) == (1, "still-broken")
    assert result["refusals"][0]["reasons"]


def test_only_the_nodes_own_people_come_in(
    world: World, consumer: Person, provider: Person, row: int
) -> None:
    """A person of another node is nobody here."""
    stranger = httpx.Client(
        base_url=provider.client.base_url,
        auth=consumer.client.auth,
        transport=AppTransport(create_app(world.provider, [LOCAL]), peer="127.0.0.1"),
    )

    with stranger:
        answer = stranger.post(f"/local/quarantine/{row}/withdrawal", content=b'{"why":"x"}')

    assert answer.status_code == 401
    assert provider.get(f"quarantine/{row}")["state"] == "open"
