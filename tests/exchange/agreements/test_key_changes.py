"""Agreements while keys change: both signatures are by keys that count when the agreement is logged."""

import pytest

from audit.formats.dsse import parse_envelope
from audit.log.entry import EntryKind
from contracts.messages import MemberStatus
from exchange.agreements import flow, signing
from exchange.members.store import find_member
from tests.exchange.rotating import revoke_participant, rotate_participant
from tests.exchange.trading import Alliance


def test_a_provider_that_replaced_its_key_is_asked_again(alliance: Alliance) -> None:
    """It signed, then replaced its key while the consumer was away: the agreement has a present signature."""
    provider, consumer = alliance.join(), alliance.join(manner="silent")
    alliance.declare(provider)
    view = alliance.apply(consumer)
    former = provider.key
    rotate_participant(alliance, provider)
    consumer.manner = "sign"
    alliance.run(flow.resume_waiting(alliance.parts))

    agreed = flow.application(alliance.parts, consumer.caller, view.application)
    envelope = parse_envelope((agreed.agreement_envelope or "").encode())
    keys = {node.key.key_id: node.key.public for node in (provider, consumer)}
    assert (agreed.state, len(provider.offers)) == ("agreed", 2)
    assert envelope.verified_by(keys, keys.keys()) == keys.keys()
    assert former.key_id not in {name for name, _ in envelope.signatures}


def test_a_consumer_that_replaced_its_key_is_asked_again(
    alliance: Alliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was on the way when it replaced its key: nothing is logged before it has signed anew."""
    provider, consumer = alliance.join(), alliance.join()
    alliance.declare(provider)
    conclude, turned = signing._conclude, []

    def overtaken(*args: object) -> None:
        turned.append(args)
        if len(turned) == 1:
            monkeypatch.setattr(signing, "find_member", lambda *_: alliance.parts.roll.member(provider.id))
        conclude(*args)  # type: ignore[arg-type]  # as it was called
        monkeypatch.setattr(signing, "find_member", found)

    found = find_member
    monkeypatch.setattr(signing, "_conclude", overtaken)
    alliance.apply(consumer)

    assert len(turned) == 2
    assert len(alliance.entries(EntryKind.AGREEMENT)) == 1


def test_a_revoked_key_agrees_to_nothing(alliance: Alliance) -> None:
    """A side whose node key is revoked is suspended, so its application waits."""
    provider, consumer = alliance.join(), alliance.join(manner="silent")
    alliance.declare(provider)
    view = alliance.apply(consumer)
    revoke_participant(alliance, consumer)
    consumer.manner = "sign"
    alliance.run(flow.resume_waiting(alliance.parts))

    assert alliance.parts.roll.member(consumer.id).status is MemberStatus.SUSPENDED
    assert flow.application(alliance.parts, provider.caller, view.application).state == "waiting"
