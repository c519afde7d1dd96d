"""Transfers while keys change: which receipts still close a grant, and which grants are given anew."""

import pytest

from audit.keys.signing import SignatureInvalid
from audit.log.entry import EntryKind
from contracts.messages import LoggedGrant, ReceiptRole
from exchange.members import rotation
from tests.exchange.rotating import revoke_participant, rotate_participant
from tests.exchange.trading import Trade, grant_of

PROVIDER, CONSUMER = ReceiptRole.PROVIDER, ReceiptRole.CONSUMER


@pytest.fixture
def logged(trade: Trade) -> LoggedGrant:
    """Give an open grant."""
    return trade.alliance.request(trade.consumer, trade.subscription)


def both(trade: Trade, logged: LoggedGrant) -> tuple[str, str]:
    """Sign both receipts with the keys of this moment."""
    alliance = trade.alliance
    return alliance.receipt(trade.provider, PROVIDER, logged), alliance.receipt(
        trade.consumer, CONSUMER, logged
    )


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_receipts_by_the_old_key_close_an_earlier_grant(trade: Trade, logged: LoggedGrant, side: str) -> None:
    """What was on its way when a key was replaced arrives and counts."""
    ours, theirs = both(trade, logged)
    rotate_participant(trade.alliance, trade.provider if side == "provider" else trade.consumer)

    assert trade.alliance.deliver(trade.consumer, logged, ours, theirs).state == "done"


def test_a_grant_of_later_is_not_closed_by_the_old_key(trade: Trade) -> None:
    """Whoever keeps the old key closes nothing that was granted after it was replaced."""
    old = trade.provider.key
    rotate_participant(trade.alliance, trade.provider)
    logged = trade.alliance.request(trade.consumer, trade.subscription)
    new, trade.provider.key = trade.provider.key, old
    ours, theirs = both(trade, logged)
    trade.provider.key = new

    with pytest.raises(SignatureInvalid):
        trade.alliance.deliver(trade.consumer, logged, ours, theirs)
    assert trade.alliance.entries(EntryKind.DONE) == []


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_a_revoked_key_closes_nothing(trade: Trade, logged: LoggedGrant, side: str) -> None:
    """A receipt that waits when its key is revoked is worth nothing: the thief could have signed it."""
    ours, theirs = both(trade, logged)
    revoke_participant(trade.alliance, trade.provider if side == "provider" else trade.consumer)

    with pytest.raises(SignatureInvalid):
        trade.alliance.deliver(trade.consumer, logged, ours, theirs)
    assert trade.alliance.entries(EntryKind.DONE) == []


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_a_revocation_between_check_and_commit_is_seen(
    trade: Trade, logged: LoggedGrant, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The closing entry never stands above the revocation of a key that signed for it."""
    ours, theirs = both(trade, logged)
    node = trade.provider if side == "provider" else trade.consumer
    before = trade.alliance.parts.roll.member(node.id)
    revoke_participant(trade.alliance, node)
    # As the roll was a moment ago: the check before the commit passes, the one inside it does not.
    monkeypatch.setitem(trade.alliance.parts.roll._members, node.id, before)

    with pytest.raises(SignatureInvalid, match="revoked"):
        trade.alliance.deliver(trade.consumer, logged, ours, theirs)
    assert trade.alliance.entries(EntryKind.DONE) == []


def test_a_consumer_with_another_key_gets_another_grant(trade: Trade, logged: LoggedGrant) -> None:
    """A grant is bound to one key: after a rotation the same release is granted anew, to the new key."""
    rotate_participant(trade.alliance, trade.consumer)
    again = trade.alliance.request(trade.consumer, trade.subscription)

    assert grant_of(again).grant != grant_of(logged).grant
    assert grant_of(again).consumer_key == trade.consumer.key.public.text


def test_an_open_grant_survives_the_exchanges_rotation(trade: Trade, logged: LoggedGrant) -> None:
    """The same grant is given again, under the key that signed it; its receipts close it."""
    alliance = trade.alliance
    person = alliance.parts.roll.person("administrator")
    alliance.run(rotation.rotate_statement_key(alliance.parts, person))  # type: ignore[arg-type]  # a person as the roll has it: name and salt are all that is read
    again = alliance.request(trade.consumer, trade.subscription)
    ours, theirs = both(trade, logged)

    assert again.grant_envelope == logged.grant_envelope
    assert alliance.deliver(trade.consumer, logged, ours, theirs).state == "done"
