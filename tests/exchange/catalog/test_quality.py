"""What the catalogue says of quality, and what it refuses to believe."""

from typing import Any

import orjson
import pytest

from audit.log.entry import EntryKind
from contracts.canonical import sha256_hex
from contracts.messages import FindingCount, Manifest, QualityNote, SecurityEvent, Severity
from contracts.schema import Contract, parse_contract
from exchange.catalog import flow
from exchange.catalog.quality import EVENT_CLASS, FindingsDisagree
from exchange.incidents.flow import events
from nodes.signed import peek_statement, sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import CONTRACT, DATASET, Alliance

NOTE = QualityNote(
    report=sha256_hex(b"report"),
    expected=24,
    present=20,
    until="2026-03-01T23:00:00+08:00",
    latency_seconds=60,
)
STUCK = FindingCount(rule="stuck-humidity", kind="stuck", severity="error", records=12)
DRY = FindingCount(rule="dry", kind="plausible", severity="warning", records=3)


def ruled() -> Contract:
    """Make the contract with two rules, of which the first asks for an event."""
    title = {"zh": "规则", "en": "rule"}
    rules = [
        {
            "id": "stuck-humidity", "title": title, "kind": "stuck", "fields": ["humidity"], "records": 6,
            "severity": "error", "event": True,
        },
        {"id": "dry", "title": title, "kind": "plausible", "field": "humidity", "minimum": "5"},
    ]  # fmt: skip
    document = orjson.loads(CONTRACT.canonical()) | {"id": "air-with-rules", "quality": rules}
    return parse_contract(orjson.dumps(document))


RULED = ruled()


@pytest.fixture
def provider(alliance: Alliance) -> Participant:
    """Declare a dataset whose contract has rules."""
    node = alliance.join()
    alliance.run(flow.register_contract(alliance.parts, node.caller, alliance.registration(node, RULED)))
    record = alliance.record(node, contract=RULED.ref())
    alliance.run(flow.register_dataset(alliance.parts, node.caller, sign_statement(record, node.key).text))
    return node


def publish(alliance: Alliance, node: Participant, **changes: Any) -> Manifest:
    """Publish a release with what it says of its quality."""
    manifest = alliance.manifest(node, contract=RULED.ref(), **changes)
    envelope = sign_statement(manifest, node.key).text
    alliance.run(flow.publish_release(alliance.parts, node.caller, DATASET, envelope))
    return manifest


def heard(alliance: Alliance) -> list[SecurityEvent]:
    return [peek_statement(one, SecurityEvent).statement for one in events(alliance.parts, 0).events]


def test_the_catalogue_shows_what_the_newest_release_says(alliance: Alliance, provider: Participant) -> None:
    """Counts of the newest release, and in how many of the examined releases something was found."""
    first = publish(alliance, provider, quality=NOTE, findings=[STUCK, DRY])
    publish(alliance, provider, number=2, previous=first.content_digest(), quality=NOTE)

    entry = flow.dataset_entry(alliance.parts, DATASET)

    assert entry.quality is not None
    assert (entry.quality.release, entry.quality.findings) == (2, [])
    assert (entry.quality.releases_examined, entry.quality.releases_with_findings) == (2, 1)
    assert entry.quality.note == NOTE
    assert flow.search(alliance.parts, "", None).datasets == [entry]


def test_a_release_that_was_not_examined_has_no_quality(alliance: Alliance, provider: Participant) -> None:
    """The quality of an earlier release is not passed off as that of the newest."""
    first = publish(alliance, provider, quality=NOTE, findings=[DRY])
    publish(alliance, provider, number=2, previous=first.content_digest())

    assert flow.dataset_entry(alliance.parts, DATASET).quality is None


def test_a_rule_that_asks_for_it_raises_an_event(alliance: Alliance, provider: Participant) -> None:
    """The alliance hears of rule, dataset and count, and of no value; the log holds the event."""
    publish(alliance, provider, quality=NOTE, findings=[STUCK, DRY])

    (event,) = heard(alliance)

    assert (event.event_class, event.severity, event.subject) == (EVENT_CLASS, Severity.HIGH, provider.id)
    assert event.facts == {
        "dataset": DATASET, "release": 1, "rule": "stuck-humidity", "kind": "stuck", "records": 12,
        "rules": 1,
    }  # fmt: skip
    assert len(alliance.entries(EntryKind.SECURITY_EVENT)) == 1


def test_a_rule_that_asks_for_none_raises_none(alliance: Alliance, provider: Participant) -> None:
    """Most findings are only counted."""
    publish(alliance, provider, quality=NOTE, findings=[DRY])

    assert heard(alliance) == []


def test_the_same_release_again_raises_no_second_event(alliance: Alliance, provider: Participant) -> None:
    """What is sent again after a crash is written and told once."""
    for _ in range(2):
        publish(alliance, provider, quality=NOTE, findings=[STUCK])

    assert len(heard(alliance)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"findings": [STUCK]},
        {"quality": NOTE, "findings": [DRY.model_copy(update={"rule": "made-up"})]},
        {"quality": NOTE, "findings": [STUCK.model_copy(update={"severity": "info"})]},
        {"quality": NOTE, "findings": [STUCK.model_copy(update={"kind": "jump"})]},
        {"quality": NOTE, "findings": [DRY, STUCK]},
        {"quality": NOTE, "findings": [DRY, DRY]},
        {"quality": NOTE.model_copy(update={"present": 25})},
        {"quality": NOTE.model_copy(update={"expected": None})},
    ],
)
def test_findings_that_are_not_of_the_contract_are_refused(
    alliance: Alliance, provider: Participant, changes: dict[str, Any]
) -> None:
    """A severity cannot be talked down, a rule not made up, and nothing is written of such a release."""
    with pytest.raises(FindingsDisagree):
        publish(alliance, provider, **changes)

    assert flow.dataset_entry(alliance.parts, DATASET).latest_release == 0
    assert heard(alliance) == []
