"""Denials and events: logged at a limited rate, rolled up beyond it, noticed when they look like probing."""

from datetime import timedelta

import pytest

from audit.keys.signing import PublicKey
from audit.log.entry import EntryKind
from contracts.clock import epoch_ms
from contracts.errors import Refused
from contracts.messages import SecurityEvent, Severity, Sharing, Text
from exchange.incidents import flow, model, store
from exchange.incidents.denials import roll_up_denials
from exchange.incidents.model import Denied
from exchange.parts import Alarm
from nodes.signed import read_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import START, Alliance


@pytest.fixture
def prober(alliance: Alliance) -> Participant:
    """Give a consumer, and a provider with three datasets that are not shared."""
    provider = alliance.join()
    for name in ("air-1", "air-2", "air-3"):
        alliance.declare(provider, name, sharing=Sharing.NOT_SHARED)
    return alliance.join()


def _events(alliance: Alliance) -> list[SecurityEvent]:
    key = PublicKey(alliance.parts.statement_key.public_raw)
    found = flow.events(alliance.parts, 0).events
    return [read_statement(envelope, SecurityEvent, key).statement for envelope in found]


def _deny(alliance: Alliance, node: Participant, dataset: str) -> type[Exception]:
    with pytest.raises((Refused, model.TooManyDenials)) as refusal:
        alliance.apply(node, dataset)
    return refusal.type


def test_probing_raises_one_signed_event(alliance: Alliance, prober: Participant) -> None:
    """Denials on three datasets within a minute are one high event, in the commit of the third denial."""
    for name in ("air-1", "air-2", "air-3", "air-1"):
        _deny(alliance, prober, name)

    (event,) = _events(alliance)
    kinds = [entry.kind for entry in alliance.entries()][-5:]
    assert (event.number, event.event_class, event.severity) == (1, "access.probing", "high")
    assert event.subject == prober.id
    assert event.facts == {"datasets": 3, "denials": 3, "window_seconds": 60}
    assert kinds == [EntryKind.DENY] * 3 + [EntryKind.SECURITY_EVENT, EntryKind.DENY]
    (entry,) = alliance.entries(EntryKind.SECURITY_EVENT)
    assert entry.fields["dig"] == event.content_digest()
    assert alliance.parts.mailbox.heads.events == 1


def test_prober_is_reported_again_after_the_cool_down(alliance: Alliance, prober: Participant) -> None:
    """After ten minutes the same pattern is a new event with the next number."""
    for _ in range(2):
        for name in ("air-1", "air-2", "air-3"):
            _deny(alliance, prober, name)
        alliance.clock.advance(601)

    assert [event.number for event in _events(alliance)] == [1, 2]


def test_denials_beyond_the_limit_are_counted_and_rolled_up(alliance: Alliance, prober: Participant) -> None:
    """Thirty denials a minute have an entry; the others are answered 429 and share one entry per window."""
    answers = [_deny(alliance, prober, "air-1") for _ in range(33)]
    assert answers == [Refused] * 30 + [model.TooManyDenials] * 3
    assert len(alliance.entries(EntryKind.DENY)) == 30
    assert alliance.run(roll_up_denials(alliance.parts)) == 0

    alliance.clock.advance(120)
    assert alliance.run(roll_up_denials(alliance.parts)) == 1
    assert alliance.run(roll_up_denials(alliance.parts)) == 0

    (entry,) = alliance.entries(EntryKind.DENY_ROLLUP)
    moment = epoch_ms(START)
    assert dict(entry.fields) == {"cons": prober.id, "n": 3, "since": moment, "until": moment}
    with alliance.parts.database.read() as session:
        assert store.count_denials(session) == 33
    assert _deny(alliance, prober, "air-1") is Refused


def test_limit_is_for_each_participant(alliance: Alliance, prober: Participant) -> None:
    """One participant's denials do not hide another's."""
    for _ in range(31):
        _deny(alliance, prober, "air-1")

    assert _deny(alliance, alliance.join(), "air-1") is Refused


def test_probing_beyond_the_limit_is_noticed(alliance: Alliance, prober: Participant) -> None:
    """Burning the limit on one dataset does not hide probing of the others."""
    for name in ["air-1"] * 30 + ["air-2", "air-3"]:
        _deny(alliance, prober, name)

    assert [event.event_class for event in _events(alliance)] == ["access.probing"]


def test_events_are_numbered_without_gaps(alliance: Alliance) -> None:
    """Alarms of any room get the next number and are listed after a cursor, oldest first."""
    alarm = Alarm(
        event_class="log.quorum-lost",
        severity=Severity.MEDIUM,
        subject=None,
        title=Text(zh="见证不足", en="Quorum lost"),
        facts={"cosignatures": 4},
    )

    numbers = [alliance.run(alliance.parts.raise_alarm(alarm)) for _ in range(3)]

    assert numbers == [1, 2, 3]
    assert [event.number for event in _events(alliance)] == numbers
    assert len(flow.events(alliance.parts, 2).events) == 1


def _denied(*datasets_and_seconds: tuple[str, int]) -> list[Denied]:
    return [Denied(name, START - timedelta(seconds=ago)) for name, ago in datasets_and_seconds]


@pytest.mark.parametrize(
    ("denied", "last_seconds", "alarm"),
    [
        (_denied(("a", 9), ("b", 5), ("c", 0)), None, True),
        (_denied(("a", 59), ("b", 5), ("c", 0)), 600, True),
        (_denied(("a", 60), ("b", 5), ("c", 0)), None, False),
        (_denied(("a", 9), ("a", 5), ("b", 0)), None, False),
        (_denied(("a", 9), ("b", 5), ("c", 0)), 599, False),
    ],
)
def test_probing_rule(denied: list[Denied], last_seconds: int | None, alarm: object) -> None:
    """Three distinct datasets inside 60 seconds are probing, unless an alarm is younger than ten minutes."""
    last = None if last_seconds is None else START - timedelta(seconds=last_seconds)

    found = model.judge_probing("p-aaaaaaaaaaaa", denied, now=START, last_alarm_at=last)

    assert (found is not None) is alarm


def test_overflow_waits_for_its_window() -> None:
    """A window is rolled up once it and the next one are over, and holds only its own refusals."""
    moments = [START, START + timedelta(seconds=59), START + timedelta(seconds=60)]

    early = model.next_overflow("p-a", moments, START + timedelta(seconds=119))
    due = model.next_overflow("p-a", moments, START + timedelta(seconds=120))

    assert early is None
    assert due is not None
    assert (due.count, due.since, due.until) == (2, moments[0], moments[1])
    assert model.next_overflow("p-a", [], START) is None
