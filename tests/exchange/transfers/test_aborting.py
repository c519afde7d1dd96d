"""A side gives an open grant up: logged with its signature and reason, and the next grant need not wait."""

import pytest

from audit.formats.merkle import leaf_hash
from audit.keys.signing import SignatureInvalid, SigningKey
from audit.log.chains import Chains
from audit.log.entry import EntryKind, parse_entry
from contracts.errors import HeadwatersError, Refused
from contracts.messages import Abort, LoggedGrant, ReceiptRole, ReceiptState
from exchange.evidence import OtherSigner
from exchange.transfers import aborting, flow, model
from exchange.transfers.expiry import expire_grants
from nodes.signed import sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade, grant_of

PROVIDER, CONSUMER = ReceiptRole.PROVIDER, ReceiptRole.CONSUMER


@pytest.fixture
def logged(trade: Trade) -> LoggedGrant:
    """Give an open grant."""
    return trade.alliance.request(trade.consumer, trade.subscription)


def _statement(trade: Trade, node: Participant, logged: LoggedGrant, **changes: object) -> Abort:
    values = {
        "grant": grant_of(logged).grant,
        "grant_index": logged.index,
        "participant": node.id,
        "reason": "download-broke",
        "at": trade.alliance.clock.now(),
    }
    return Abort.model_validate({**values, **changes})


def abort(trade: Trade, node: Participant, logged: LoggedGrant, **changes: object) -> ReceiptState:
    """Sign and hand in an abort."""
    envelope = sign_statement(_statement(trade, node, logged, **changes), node.key).text
    parts, grant = trade.alliance.parts, grant_of(logged).grant
    return trade.alliance.run(aborting.abort_transfer(parts, node.caller, grant, envelope))


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_either_side_may_give_a_grant_up(trade: Trade, logged: LoggedGrant, side: str) -> None:
    """The log says who gave which grant up and why, commits to the signed words, and the chain holds."""
    node: Participant = getattr(trade, side)
    state = abort(trade, node, logged)

    entries = trade.alliance.entries()
    (entry,) = [one for one in entries if one.kind is EntryKind.ABORT]
    assert (state.state, entry.fields["by"], entry.fields["why"]) == ("aborted", node.id, "download-broke")
    assert entry.fields["dig"] == _statement(trade, node, logged).content_digest()
    chains = Chains()
    for index, one in enumerate(entries):
        chains.follow(index, parse_entry(one.encode()), leaf_hash(one.encode()))
    (head,) = chains.heads()
    assert [one.state for one in head.open_grants] == ["aborted"]


def test_the_next_grant_need_not_wait(trade: Trade, logged: LoggedGrant) -> None:
    """After an abort the same release is granted anew at once, with the next number."""
    abort(trade, trade.consumer, logged)
    again = trade.alliance.request(trade.consumer, trade.subscription)

    assert (grant_of(logged).seq, grant_of(again).seq) == (1, 2)


def test_an_abort_owes_no_receipt(trade: Trade, logged: LoggedGrant) -> None:
    """A delivery that the consumer gave up does not hold back another release after its time."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    abort(trade, trade.consumer, logged)
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
    alliance.run(expire_grants(alliance.parts))

    assert grant_of(alliance.request(trade.consumer, trade.subscription, release=2)).seq == 2
    assert alliance.entries(EntryKind.EXPIRE) == []


def test_without_an_abort_the_receipt_is_owed(trade: Trade, logged: LoggedGrant) -> None:
    """The same delivery without an abort holds the next release back: the abort made the difference."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)

    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription, release=2)


def test_evidence_is_taken_after_an_abort(trade: Trade, logged: LoggedGrant) -> None:
    """Both receipts close a transfer that one side gave up, marked late: an abort hides no delivery."""
    alliance = trade.alliance
    abort(trade, trade.provider, logged)
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged)

    assert alliance.deliver(trade.consumer, logged, ours, theirs).state == "done"
    (done,) = alliance.entries(EntryKind.DONE)
    assert done.fields["late"] is True


def test_a_closed_grant_stays_as_it_is(trade: Trade, logged: LoggedGrant) -> None:
    """Giving up again, or after the end, logs nothing and tells how the transfer stands."""
    alliance = trade.alliance
    first = abort(trade, trade.consumer, logged)

    assert abort(trade, trade.provider, logged, reason="checks-failed") == first
    assert len(alliance.entries(EntryKind.ABORT)) == 1

    again = alliance.request(trade.consumer, trade.subscription)
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)
    alliance.run(expire_grants(alliance.parts))
    assert abort(trade, trade.consumer, again).state == "expired"
    assert flow.receipt_state(alliance.parts, trade.consumer.caller, grant_of(again).grant).state == "expired"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant": "g-zzzzzzzzzzzz"}, model.AbortForeign),
        ({"grant_index": 0}, model.AbortForeign),
        ({"participant": "p-zzzzzzzzzzzz"}, OtherSigner),
    ],
)
def test_an_abort_of_something_else_is_refused(
    trade: Trade, logged: LoggedGrant, changes: dict[str, object], error: type[HeadwatersError]
) -> None:
    """An abort names its grant, its place in the log and its signer, or nothing is logged."""
    with pytest.raises(error):
        abort(trade, trade.consumer, logged, **changes)

    assert trade.alliance.entries(EntryKind.ABORT) == []


def test_a_stranger_aborts_nothing(trade: Trade, logged: LoggedGrant) -> None:
    """Only the two sides of a grant may give it up, and only with their own key."""
    alliance = trade.alliance
    stranger = alliance.join()
    with pytest.raises(model.GrantUnknown):
        abort(trade, stranger, logged)

    forged = sign_statement(_statement(trade, trade.consumer, logged), SigningKey.generate()).text
    with pytest.raises(SignatureInvalid):
        alliance.run(
            aborting.abort_transfer(alliance.parts, trade.consumer.caller, grant_of(logged).grant, forged)
        )
    assert alliance.entries(EntryKind.ABORT) == []
