"""What one participant may cost the others: applications are bounded, and silence holds up nobody else."""

import pytest

from audit.log.entry import EntryKind
from contracts.messages import ApplicationState
from exchange.agreements import flow, model
from tests.exchange.trading import Alliance


def test_open_applications_are_bounded(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer with too many unsettled applications opens no more, and the log does not grow."""
    monkeypatch.setattr(model, "MAX_OPEN_APPLICATIONS", 2)
    alliance.declare(alliance.join(manner="silent"))
    consumer, other = alliance.join(), alliance.join()
    for _ in range(2):
        alliance.apply(consumer)

    with pytest.raises(model.TooManyApplications):
        alliance.apply(consumer)

    assert alliance.apply(other).state is ApplicationState.WAITING
    assert len(alliance.entries(EntryKind.APPLICATION_OPEN)) == 3


def test_a_silent_node_is_asked_once_a_round(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many applications wait for a node that polls and never answers, a round waits for it once."""
    mute, prompt = alliance.join(manner="silent"), alliance.join(manner="silent")
    alliance.declare(mute)
    alliance.declare(prompt, "other-air")
    consumer = alliance.join()
    for _ in range(3):
        alliance.apply(consumer)
    waiting = alliance.apply(consumer, "other-air")
    prompt.manner = "sign"
    asked: list[str] = []

    def listen(participant: str) -> bool:
        asked.append(participant)
        return True

    monkeypatch.setattr(alliance.parts.mailbox, "is_listening", listen)

    alliance.run(flow.resume_waiting(alliance.parts))

    assert asked.count(mute.id) == 1
    settled = flow.application(alliance.parts, consumer.caller, waiting.application)
    assert settled.state is ApplicationState.AGREED


def test_applications_come_at_a_limited_rate(alliance: Alliance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applications that are refused at once are entries too, so a minute has room for so many."""
    monkeypatch.setattr(model, "MAX_APPLICATIONS_A_MINUTE", 2)
    alliance.declare(alliance.join(manner="refuse"))
    consumer = alliance.join()
    for _ in range(2):
        alliance.apply(consumer)

    with pytest.raises(model.TooManyApplications):
        alliance.apply(consumer)

    alliance.clock.advance(61)
    assert alliance.apply(consumer).state is ApplicationState.REFUSED
