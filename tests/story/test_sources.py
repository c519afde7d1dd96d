"""A dataset that feeds itself, between real processes: pushed, dropped into a folder, killed, received."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import polars as pl
import pytest

from contracts import library
from exchange.demo.processes import run
from exchange.demo.stage import wait_for
from tests.story.small_alliance import BUOYS, DATASET, PROVIDER, SmallAlliance, readings

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


def records(first: int, count: int) -> bytes:
    """Make a batch of readings that the contract admits."""
    example = library.load(BUOYS.contract).example_row()
    return b"".join(orjson.dumps(example | {"record_number": n}) + b"\n" for n in range(first, first + count))


def push(small: SmallAlliance, token: str, first: int) -> dict[str, Any]:
    """Push five rows as a program outside does."""
    answer = httpx.post(
        f"{small.alliance.nodes[PROVIDER.slug].address}/sources/pushed/rows",
        content=records(first, 5),
        headers={
            "authorization": f"Bearer {token}",
            "content-type": "application/x-ndjson",
            "idempotency-key": f"from {first}",
        },
        trust_env=False,
        timeout=20,
    )
    assert answer.status_code == 202, answer.text
    landed: dict[str, Any] = answer.json()
    return landed


def headwaters(small: SmallAlliance, *words: str) -> Any:
    """Run a command of the provider's operator; give its JSON."""
    done = run("source", *words, "--home", small.alliance.node_home(PROVIDER.slug), "--json")
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def test_a_dataset_feeds_itself(shared: SmallAlliance, tmp_path: Path) -> None:
    """Rows that were acknowledged outlive a kill -9, are released by the node alone, and are received."""
    place = ["--kind", "folder", "--path", str(tmp_path), "--settle", "0", "--every", "1"]
    token = headwaters(shared, "add", "pushed", "--dataset", DATASET, "--kind", "push")["token"]
    headwaters(shared, "add", "watched", "--dataset", DATASET, *place)
    try:
        push(shared, token, 900_001)
        node = shared.alliance.nodes[PROVIDER.slug]
        node.kill()
        node.start()
        again = push(shared, token, 900_001)
        readings(tmp_path, 801)
        wait_for("the release of the folder", lambda: _released(headwaters(shared, "show", "watched")))
        done = headwaters(shared, "run", "pushed")
        listed = headwaters(shared, "list")
        shared.drain()
        files = shared.pull()["files"]
        numbers = [n for file in files for n in pl.read_parquet(file["path"])["record_number"].to_list()]
    finally:
        for name in ("pushed", "watched"):
            headwaters(shared, "remove", name, "--discard")
        shared.drain()

    assert again["repeated"] is True
    assert (done["rows"], len(done["releases"])) == (5, 1)
    assert [(one["source"], one["kind"], one["waiting"]) for one in listed] == [
        ("pushed", "push", 0),
        ("watched", "folder", 0),
    ]
    assert [numbers.count(n) for n in range(900_001, 900_006)] == [1] * 5


def _released(source: dict[str, Any]) -> bool | None:
    return True if source["lots"] and source["lots"][0]["state"] == "released" else None
