"""Quality findings between real processes: signed, seen in the catalogue, heard of, and counted again."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from contracts import library
from contracts.messages import Text
from exchange.demo.scenes_sharing import PURPOSE, apply_for, publish_file, pull, subscribe
from exchange.demo.stage import wait_for
from tests.story.small_alliance import BUOYS, CONSUMER, PROVIDER, SmallAlliance

DATASET, CONTRACT = "stuck-readings", "buoys-with-rules"
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


def contract() -> str:
    """Write the buoys' contract with one rule that asks for an event."""
    rule = {
        "id": "stuck-ph",
        "title": {"zh": "pH 六次不变", "en": "pH the same six times"},
        "kind": "stuck",
        "fields": ["ph"],
        "records": 6,
        "severity": "error",
        "event": True,
    }
    document = orjson.loads(library.load(BUOYS.contract).canonical())
    return orjson.dumps(document | {"id": CONTRACT, "version": "1.0.0", "quality": [rule]}).decode()


def heard(small: SmallAlliance) -> list[dict[str, Any]] | None:
    events = small.alliance.node(CONSUMER.slug).get("/local/events")["events"]
    return [one for one in events if one["event_class"] == "quality.finding"] or None


def test_a_finding_goes_from_the_provider_to_everybody_concerned(shared: SmallAlliance) -> None:
    """The rows are published, the alliance hears of the rule, and the consumer finds the same again."""
    provider, consumer = (shared.alliance.node(slug) for slug in (PROVIDER.slug, CONSUMER.slug))
    provider.post("/local/contracts", {"contract": contract()})
    planned = replace(BUOYS, dataset=DATASET, contract=CONTRACT, title=Text(zh="卡滞", en="Stuck"))
    provider.post("/local/datasets", planned.declaration())
    example = library.load(BUOYS.contract).example_row()
    file = shared.home / "input" / "stuck.ndjson"
    rows = [example | {"local_time": f"2026-06-01T{hour:02d}:00", "ph": 7.5} for hour in range(8)]
    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    published = publish_file(shared.alliance, PROVIDER.slug, DATASET, file)
    (event,) = wait_for("the event", lambda: heard(shared))
    catalogued = consumer.get(f"/local/catalog/{DATASET}")["quality"]
    before = consumer.get(f"/local/quality/{DATASET}")
    application = apply_for(shared.alliance, CONSUMER.slug, DATASET, PURPOSE)
    subscribe(shared.alliance, CONSUMER.slug, DATASET, application)
    pull(shared.alliance, CONSUMER.slug, DATASET)
    shared.drain()
    after = consumer.get(f"/local/quality/{DATASET}")
    own = provider.get(f"/local/quality/{DATASET}")

    assert (published["published"], published["quarantined"]) == (8, 0)
    assert (event["facts"]["rule"], event["facts"]["records"]) == ("stuck-ph", 8)
    assert [one["records"] for one in catalogued["findings"]] == [8]
    assert (before["report"], before["findings"]) == (None, [])
    assert after["differing"] == []
    assert after["findings"] == own["findings"]
    assert own["findings"][0]["value"] == "7.5"
