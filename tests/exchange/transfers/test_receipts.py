"""Receipts and expiry: what closes a transfer, what does not, and what the log says of it."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.commitment import content_commitment
from audit.formats.merkle import leaf_hash
from audit.keys.signing import SignatureInvalid, SigningKey
from audit.log.chains import Chains
from audit.log.entry import EntryKind
from contracts.canonical import sha256_hex
from contracts.errors import Conflict, Invalid, Refused
from contracts.messages import LoggedGrant, Receipt, ReceiptDelivery, ReceiptRole, SecurityEvent
from exchange.incidents import flow as incidents
from exchange.subscriptions import flow as subscriptions
from exchange.transfers import model, receipts, store
from exchange.transfers.expiry import expire_grants
from nodes.signed import peek_statement
from tests.exchange.meddling import codes
from tests.exchange.signers import Participant
from tests.exchange.trading import Trade, grant_of

PROVIDER, CONSUMER = ReceiptRole.PROVIDER, ReceiptRole.CONSUMER


def peek_digest(envelope: str) -> str:
    """Give the digest of a receipt's payload."""
    return peek_statement(envelope, Receipt).digest


@pytest.fixture
def logged(trade: Trade) -> LoggedGrant:
    """Give an open grant."""
    return trade.alliance.request(trade.consumer, trade.subscription)


def _past(trade: Trade) -> None:
    trade.alliance.clock.advance(trade.alliance.parts.settings.grant_ttl_seconds)


def test_both_receipts_close_the_transfer(trade: Trade, logged: LoggedGrant) -> None:
    """Two receipts over the same view are a ``done`` entry that commits to content and both receipts."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged)

    delivered = alliance.deliver(trade.provider, logged, ours)
    done = alliance.deliver(trade.consumer, logged, ours, theirs)

    (entry,) = alliance.entries(EntryKind.DONE)
    assert (delivered.state, delivered.index) == ("delivered", None)
    assert done.state == "done"
    assert alliance.parts.log.entry(done.index or 0) == entry.encode()
    commitment = content_commitment(bytes.fromhex("5a" * 32), sha256_hex(b"\x00view"), 4)
    assert (entry.fields["cc"], entry.fields["len"], entry.fields["late"]) == (commitment, 4, False)
    assert entry.fields["pr"] == peek_digest(ours)
    assert entry.fields["cr"] == peek_digest(theirs)
    (view,) = subscriptions.subscriptions(alliance.parts, trade.consumer.caller)
    assert view.cursor == 1


def test_receipts_may_come_again(trade: Trade, logged: LoggedGrant) -> None:
    """The same receipts again, from either side, get the same state and write nothing."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged)
    first = alliance.deliver(trade.consumer, logged, ours, theirs)

    assert alliance.deliver(trade.consumer, logged, ours, theirs) == first
    assert alliance.deliver(trade.provider, logged, ours) == first
    assert len(alliance.entries(EntryKind.DONE)) == 1


def test_newer_provider_receipt_over_the_same_view_closes(trade: Trade, logged: LoggedGrant) -> None:
    """The provider's receipt that comes with the consumer's is the one that ``done`` names."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    alliance.clock.advance(1)
    newer = alliance.receipt(trade.provider, PROVIDER, logged)

    alliance.deliver(trade.consumer, logged, newer, alliance.receipt(trade.consumer, CONSUMER, logged))

    assert alliance.entries(EntryKind.DONE)[0].fields["pr"] == peek_digest(newer)


def test_receipts_are_signed_by_the_two_sides(trade: Trade, logged: LoggedGrant) -> None:
    """A receipt under any other key is refused."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    thief = Participant(trade.consumer.id, SigningKey.generate())

    with pytest.raises(SignatureInvalid):
        alliance.deliver(trade.consumer, logged, ours, alliance.receipt(thief, CONSUMER, logged))
    with pytest.raises(SignatureInvalid):
        alliance.deliver(trade.consumer, logged, alliance.receipt(trade.consumer, PROVIDER, logged))
    assert alliance.entries(EntryKind.DONE) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"role": CONSUMER},
        {"grant": "g-aaaaaaaaaaaa"},
        {"grant_index": 1},
        {"manifest": "sha256:" + "0" * 64},
        {"obligations": "sha256:" + "0" * 64},
        {"participant": "p-aaaaaaaaaaaa"},
    ],
)
def test_receipt_is_about_this_grant(trade: Trade, logged: LoggedGrant, changes: dict[str, object]) -> None:
    """A receipt for another role, grant, place, release, duty or party is refused."""
    role = CONSUMER if "role" in changes else PROVIDER
    rest = {name: value for name, value in changes.items() if name != "role"}
    receipt = trade.alliance.receipt(trade.provider, role, logged, **rest)

    with pytest.raises(model.ReceiptForeign):
        trade.alliance.deliver(trade.provider, logged, receipt)


def test_strangers_hand_in_nothing(trade: Trade, logged: LoggedGrant) -> None:
    """Only the two sides may hand in receipts, and only at their grant's address."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    delivery = ReceiptDelivery(grant=grant_of(logged).grant, provider_receipt=ours)

    with pytest.raises(model.GrantUnknown):
        alliance.deliver(alliance.join(), logged, ours)
    with pytest.raises(Invalid):
        alliance.run(
            receipts.deliver_receipts(alliance.parts, trade.provider.caller, "g-aaaaaaaaaaaa", delivery)
        )


@pytest.mark.parametrize(
    "changes", [{"view_sha256": "sha256:" + "0" * 64}, {"view_rows": 9}, {"redacted": ["humidity"]}]
)
def test_contradicting_receipts_raise_an_event(
    trade: Trade, logged: LoggedGrant, changes: dict[str, object]
) -> None:
    """Receipts over different views close nothing and raise one signed event, however often they come."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    theirs = alliance.receipt(trade.consumer, CONSUMER, logged, **changes)

    for _ in range(2):
        with pytest.raises(model.ReceiptMismatch):
            alliance.deliver(trade.consumer, logged, ours, theirs)

    (envelope,) = incidents.events(alliance.parts, 0).events
    event = peek_statement(envelope, SecurityEvent).statement
    assert event.event_class == "transfer.receipt-mismatch"
    assert alliance.parts.mailbox.heads.events == event.number
    assert alliance.entries(EntryKind.DONE) == []


def test_provider_that_contradicts_itself_raises_an_event(trade: Trade, logged: LoggedGrant) -> None:
    """A second provider's receipt over another view is a contradiction too; the first one stands."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    other = alliance.receipt(trade.provider, PROVIDER, logged, view_rows=9)

    with pytest.raises(model.ReceiptMismatch):
        alliance.deliver(trade.provider, logged, other)

    assert len(alliance.entries(EntryKind.SECURITY_EVENT)) == 1


def test_grant_without_any_receipt_expires(trade: Trade, logged: LoggedGrant) -> None:
    """An unclosed grant is logged as expired once, without a provider's receipt, and nothing is owed."""
    alliance = trade.alliance
    _past(trade)

    assert alliance.run(expire_grants(alliance.parts)) == 1
    assert alliance.run(expire_grants(alliance.parts)) == 0

    (entry,) = alliance.entries(EntryKind.EXPIRE)
    assert entry.fields["pr"] is None
    assert grant_of(alliance.request(trade.consumer, trade.subscription)).seq == 2


def test_open_grant_does_not_expire(trade: Trade, logged: LoggedGrant) -> None:
    """Before its time a grant is left alone."""
    assert trade.alliance.run(expire_grants(trade.alliance.parts)) == 0


def test_missing_consumer_receipt_is_owed(trade: Trade, logged: LoggedGrant) -> None:
    """Where only the provider's receipt came, the next grant waits for the consumer's, which may be late."""
    alliance = trade.alliance
    ours = alliance.receipt(trade.provider, PROVIDER, logged)
    alliance.deliver(trade.provider, logged, ours)
    _past(trade)
    alliance.run(expire_grants(alliance.parts))

    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription, release=2)
    late = alliance.deliver(trade.consumer, logged, ours, alliance.receipt(trade.consumer, CONSUMER, logged))

    (expired,) = alliance.entries(EntryKind.EXPIRE)
    (done,) = alliance.entries(EntryKind.DONE)
    assert codes(alliance.entries(EntryKind.DENY)[0]) == ["receipt-owed"]
    assert expired.fields["pr"] == peek_digest(ours)
    assert (late.state, done.fields["late"]) == ("done", True)
    assert grant_of(alliance.request(trade.consumer, trade.subscription, release=2)).seq == 2


def test_receipt_is_owed_before_the_sweep_too(trade: Trade, logged: LoggedGrant) -> None:
    """The debt follows from the grant's time, not from when the sweep gets to it."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    _past(trade)

    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription, release=2)


def test_provider_receipt_after_expiry_makes_a_debt(trade: Trade, logged: LoggedGrant) -> None:
    """A provider's receipt that comes after the expiry is kept, and the consumer owes its own."""
    alliance = trade.alliance
    _past(trade)
    alliance.run(expire_grants(alliance.parts))

    state = alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))

    assert state.state == "expired"
    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription, release=2)


def test_a_broken_delivery_is_made_good_by_receiving_again(trade: Trade, logged: LoggedGrant) -> None:
    """The release whose receipt is owed may be asked for again, and its closing settles the debt."""
    alliance = trade.alliance
    alliance.deliver(trade.provider, logged, alliance.receipt(trade.provider, PROVIDER, logged))
    _past(trade)
    alliance.run(expire_grants(alliance.parts))

    again = alliance.request(trade.consumer, trade.subscription)
    receipts = [
        alliance.receipt(*who, again) for who in ((trade.provider, PROVIDER), (trade.consumer, CONSUMER))
    ]
    state = alliance.deliver(trade.consumer, again, *receipts)

    assert state.state == "done"
    assert grant_of(again).seq == 2
    assert grant_of(alliance.request(trade.consumer, trade.subscription, release=2)).seq == 3


def test_totals_count_every_state(trade: Trade, logged: LoggedGrant) -> None:
    """The operator's totals count grants, closings, expiries and the bytes that were signed for."""
    alliance = trade.alliance
    alliance.deliver(
        trade.consumer,
        logged,
        alliance.receipt(trade.provider, PROVIDER, logged),
        alliance.receipt(trade.consumer, CONSUMER, logged),
    )
    alliance.request(trade.consumer, trade.subscription, release=2)
    _past(trade)
    alliance.run(expire_grants(alliance.parts))

    with alliance.parts.database.read() as session:
        assert store.totals(session) == store.Totals(granted=2, done=1, expired=1, aborted=0, bytes=4)


STEPS = ("ask-1", "ask-2", "delivered", "done", "wrong", "wait", "expire", "sweep")


def _play(trade: Trade, grants: list[LoggedGrant], step: str) -> None:
    """Take one step; a refusal is as good an answer as any here."""
    alliance = trade.alliance
    match step:
        case "ask-1" | "ask-2":
            grants.append(alliance.request(trade.consumer, trade.subscription, int(step[-1])))
        case "delivered" | "done" | "wrong" if grants:
            logged = grants[-1]
            rows = 9 if step == "wrong" else 8
            theirs = alliance.receipt(trade.consumer, CONSUMER, logged, view_rows=rows)
            ours = alliance.receipt(trade.provider, PROVIDER, logged)
            alliance.deliver(trade.provider, logged, ours, None if step == "delivered" else theirs)
        case "wait":
            alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds / 2)
        case "expire":
            _past(trade)
        case _:
            alliance.run(expire_grants(alliance.parts))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=4, max_size=14))
def test_every_history_is_a_chain(trade: Trade, steps: list[str]) -> None:
    """Whatever happens in whichever order, numbers have no gaps and each entry names the one before it."""
    grants: list[LoggedGrant] = []

    for step in steps:
        with suppress(Refused, Conflict):
            _play(trade, grants, step)

    # The fixture lives on from example to example, so each one also continues the histories before it.
    chains = Chains()
    entries = trade.alliance.entries()
    for index, entry in enumerate(entries):
        chains.follow(index, entry, leaf_hash(entry.encode()))
    numbers = [entry.fields["seq"] for entry in entries if entry.kind is EntryKind.GRANT]
    assert numbers == list(range(1, len(numbers) + 1))
