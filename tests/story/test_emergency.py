"""An emergency between real processes: agreed without a person, delivered, over, judged; and a quarantine."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.errors import HeadwatersError
from contracts.messages import Sharing, Text
from exchange.demo.scenes_sharing import apply_for, publish_file, pull, subscribe
from exchange.demo.stage import wait_for
from tests.story.small_alliance import BUOYS, CONSUMER, PROVIDER, SmallAlliance, readings

DATASET, PURPOSE = "tuo-readings", "emergency-response"
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("story"), pytest.mark.timeout(180)]


def declare_dataset(small: SmallAlliance) -> None:
    """Declare and publish data whose conditions nobody meets but in an emergency."""
    planned = replace(
        BUOYS,
        dataset=DATASET,
        title=Text(zh="沱江浮标", en="Buoys of the Tuo"),
        sharing=Sharing.CONDITIONAL,
        purposes=(PURPOSE,),
        terms={"conditions": [{"networks": ["192.0.2.0/24"]}], "emergency": True},
    )
    small.alliance.node(PROVIDER.slug).post("/local/datasets", planned.declaration())
    publish_file(small.alliance, PROVIDER.slug, DATASET, readings(small.home / "input", 501))


def test_an_emergency_opens_data_for_its_time(shared: SmallAlliance) -> None:
    """No person is asked, the data arrives, and after the end nothing more does."""
    declare_dataset(shared)
    administrator, auditor = (shared.alliance.operator(name) for name in ("administrator", "auditor"))
    declared = administrator.post(
        "/operator/emergencies",
        {
            "title": {"zh": "沱江水污染", "en": "Pollution of the Tuo"},
            "why": "ammonia above the limit at three intakes",
            "scope": {"territories": ["510000"], "datasets": [DATASET]},
            "hours": 6,
        },
    )
    application = apply_for(shared.alliance, CONSUMER.slug, DATASET, PURPOSE)
    subscribe(shared.alliance, CONSUMER.slug, DATASET, application)
    received = pull(shared.alliance, CONSUMER.slug, DATASET)
    shared.drain()
    path = f"/operator/emergencies/{declared['emergency']}"
    administrator.post(f"{path}/end", {"why": "the intakes are clean"})
    publish_file(shared.alliance, PROVIDER.slug, DATASET, readings(shared.home / "input", 502))
    with pytest.raises(HeadwatersError) as refused:
        pull(shared.alliance, CONSUMER.slug, DATASET)
    auditor.post(f"{path}/review", {"finding": "justified", "words": "one release, for the intakes"})
    shown = auditor.get(path)

    assert [file["release"] for file in received["files"]] == [1]
    assert "no-emergency" in str(refused.value.facts["reasons"])
    assert (
        shared.alliance.node(PROVIDER.slug).get("/local/applications")["applications"][-1]["state"]
        == "agreed"
    )
    assert [(use["dataset"], use["release"]) for use in shown["grants"]] == [(DATASET, 1)]
    assert (shown["state"], shown["ended_why"]) == ("reviewed", "ended-by-administrator")


def test_a_quarantined_consumer_gets_nothing_more(shared: SmallAlliance) -> None:
    """While it is cut off nothing new reaches it; once it is resumed the rest follows."""
    shared.publish(readings(shared.home / "input", 601))
    shared.pull()
    shared.drain()
    shared.administer(shared.consumer_id, "quarantine", "its node may be in other hands")
    try:
        shared.publish(readings(shared.home / "input", 602))
        with pytest.raises(HeadwatersError) as refused:
            shared.pull()
    finally:
        shared.administer(shared.consumer_id, "resume")
    brought = wait_for("the rest", lambda: _pulled(shared))

    assert refused.value.code == "member-not-active"
    assert len(brought["files"]) == 1
    shared.drain()


def _pulled(small: SmallAlliance) -> dict[str, Any] | None:
    try:
        return small.pull()
    except HeadwatersError:
        return None
