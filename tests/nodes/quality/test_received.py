"""Who received a whole release counts again, and tells a provider that counted otherwise."""

import pytest

from contracts.messages import Manifest, PurposeFields
from nodes.publishing.datasets import declare_dataset
from nodes.quality.received import DIFFERS, check_counts
from nodes.receiving.pull import Pulled, PullOptions, pull
from tests.nodes.quality.conftest import ruled
from tests.nodes.sharing import DATASET, NARROW, PURPOSE, World, declaration, rows


def received(world: World) -> Pulled:
    world.agree()
    return pull(world.consumer, DATASET, PullOptions(connect=world.direct))


def alarms(world: World) -> list[str]:
    return [one.event_class for one in world.consumer.alarms.after()]


def test_an_honest_provider_raises_no_alarm(ruled_world: World) -> None:
    """The same contract and rows give the same counts."""
    ruled_world.publish()

    received(ruled_world)

    assert alarms(ruled_world) == []


@pytest.mark.parametrize("records", [None, 7])
def test_a_provider_that_hides_findings_is_noticed(ruled_world: World, records: int | None) -> None:
    """Findings that were left out of the manifest, or made smaller, are an alarm that names the rule."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "contracts.quality.report.Report.counts",
            lambda report: [
                rule.count().model_copy(update={"records": records})
                for rule in report.rules
                if rule.records and records is not None
            ],
        )
        ruled_world.publish()

    received(ruled_world)

    (alarm,) = ruled_world.consumer.alarms.after()
    assert alarm.event_class == DIFFERS
    assert alarm.facts["rule"] == "stuck-temperature"
    assert alarm.facts["rules"] == 2


def test_a_view_that_hides_fields_is_not_held_against_the_counts(ruled_world: World) -> None:
    """What the rules look at may be hidden, so nothing is compared."""
    hidden = PurposeFields(purpose=PURPOSE, fields=[name for name in NARROW if name != "temperature"])
    declare_dataset(
        ruled_world.provider,
        declaration(contract="river-quality", purposes=[PURPOSE], purpose_fields=[hidden]),
    )
    ruled_world.publish(rows(40))

    files = received(ruled_world).files

    assert "temperature" in files[0].redacted
    assert alarms(ruled_world) == []


def test_a_release_that_was_not_examined_is_not_compared(ruled_world: World) -> None:
    """Older nodes say nothing of quality, and that is no lie."""
    manifest: Manifest = ruled_world.publish().manifest.statement
    path = received(ruled_world).files[0].path
    silent = manifest.model_copy(update={"quality": None, "findings": []})

    differing = check_counts(ruled_world.consumer, path, manifest.distribution.sha256, ruled(), silent)

    assert differing == []
