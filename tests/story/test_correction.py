"""An objection between real processes: raised, answered, corrected, heard of, received and closed."""

from pathlib import Path
from typing import Any

import pytest

from exchange.demo.stage import wait_for
from nodes.control import ControlClient
from tests.story.small_alliance import CONSUMER, DATASET, PROVIDER, SmallAlliance, readings

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


def in_state(node: ControlClient, name: str, state: str) -> dict[str, Any] | None:
    """Give an objection once a node knows that it is in a state."""
    rows = node.get("/local/objections")["objections"]
    return next((row for row in rows if (row["objection"], row["state"]) == (name, state)), None)


def publish_correction(small: SmallAlliance, file: Path, release: int, name: str) -> dict[str, Any]:
    """Publish a file in the place of an earlier release."""
    body = {"path": str(file), "dataset": DATASET, "corrects": release, "objections": [name]}
    lines = list(small.alliance.node(PROVIDER.slug).stream_ndjson("/local/publish", body))
    result: dict[str, Any] = lines[-1]["result"]
    return result


def replaced(node: ControlClient, release: int) -> int | None:
    """Tell what replaces a received release, once the node was told; it asks nobody for this list."""
    rows = node.get("/local/received", {"dataset": DATASET})["received"]
    found: int | None = next(row["replaced_by"] for row in rows if row["release"] == release)
    return found


def test_an_objection_leads_to_a_correction_that_arrives(shared: SmallAlliance) -> None:
    """The whole way, with every statement over the wire and the news over the mailbox."""
    provider, consumer = (shared.alliance.node(player.slug) for player in (PROVIDER, CONSUMER))
    release = shared.publish(readings(shared.home / "input", 701))["release"]
    shared.pull()
    shared.drain()
    raised = consumer.post(
        "/local/objections",
        {
            "dataset": DATASET,
            "release": release,
            "fault": "wrong-value",
            "words": "row 3 contradicts the certificate of calibration",
            "records": [{"row": 3, "pointer": "/ph", "expected": "8.1"}],
        },
    )
    name = raised["objection"]
    wait_for("the provider to hear of it", lambda: in_state(provider, name, "open"))
    received = provider.get(f"/local/objections/{name}")
    provider.post(f"/local/objections/{name}/acknowledge", {"words": "we look into it"})
    provider.post(f"/local/objections/{name}/verify", {})
    published = publish_correction(shared, readings(shared.home / "input", 702), release, name)
    by = wait_for("the consumer to hear of the correction", lambda: replaced(consumer, release))
    alarms = [alarm["facts"] for alarm in consumer.get("/local/events")["alarms"]]
    before = provider.get(f"/local/objections/{name}")["recipients"]
    shared.pull()
    shared.drain()
    after = provider.get(f"/local/objections/{name}")["recipients"]
    closed = consumer.post(f"/local/objections/{name}/close", {"words": "thank you"})
    steps = provider.get(f"/local/objections/{name}")["steps"]

    assert received["words"] == "row 3 contradicts the certificate of calibration"
    assert [(one["row"], one["expected"], one["as_delivered"]) for one in received["disputed"]] == [
        (3, "8.1", True)
    ]
    assert (by, published["corrects"]) == (published["release"], release)
    assert {"dataset": DATASET, "release": release, "replaced_by": by} in alarms
    assert [(one["participant"], one["received"]) for one in before] == [(shared.consumer_id, False)]
    assert [(one["received"], one["told_at"] is not None) for one in after] == [(True, True)]
    assert closed["state"] == "closed"
    assert [one["step"] for one in steps] == ["acknowledge", "verify", "close"]
    assert steps[-1]["words"] == "thank you"
    assert (
        shared.alliance.operator("auditor").get("/operator/objections")["objections"][0]["overdue"] is False
    )
