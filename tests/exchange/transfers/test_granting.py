"""Granting: the log first, then the answer (docs/explanation/transfer.md, steps 1 to 4)."""

import asyncio
import base64
from dataclasses import replace
from datetime import timedelta

import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, verify_inclusion
from audit.formats.note import parse_note
from audit.keys.signing import PublicKey, SigningKey
from audit.log.entry import EntryKind, parse_entry
from audit.log.grant_entry import grant_fields
from audit.log.sequencer import LogUnavailable
from contracts.clock import epoch_ms
from contracts.errors import Refused
from contracts.messages import (
    Grant,
    MemberStatus,
    PurposeFields,
    Redact,
    SubscriptionRequest,
    TransferRequest,
)
from exchange.agreements import flow as agreements
from exchange.catalog import flow as catalog
from exchange.evidence import reveal
from exchange.subscriptions import flow as subscriptions
from exchange.subscriptions.model import SubscriptionUnknown
from exchange.transfers import flow, model, store
from nodes.signed import read_statement, sign_statement
from tests.exchange.meddling import Meddler, codes, once, with_policy
from tests.exchange.trading import CONTRACT, Alliance, Trade, grant_of


def test_grant_is_logged_before_it_is_answered(trade: Trade) -> None:
    """The answer proves that the grant's entry stands under a checkpoint that the log signed."""
    alliance = trade.alliance

    logged = alliance.request(trade.consumer, trade.subscription)

    note = parse_note(logged.checkpoint.encode())
    checkpoint = Checkpoint.parse(note.text)
    leaf = base64.b64decode(logged.leaf)
    path = [base64.b64decode(step) for step in logged.inclusion_path]
    assert note.verified([alliance.parts.log_signer.verifier_key])
    verify_inclusion(leaf_hash(leaf), logged.index, checkpoint.size, path, checkpoint.root)
    assert alliance.parts.log.entry(logged.index) == leaf


def test_entry_says_what_the_grant_says(trade: Trade) -> None:
    """The grant is signed with the statement key, its entry equals it field by field, evidence opens ev."""
    alliance = trade.alliance

    logged = alliance.request(trade.consumer, trade.subscription)

    key = PublicKey(alliance.parts.statement_key.public_raw)
    grant = read_statement(logged.grant_envelope, Grant, key).statement
    fields = parse_entry(base64.b64decode(logged.leaf)).fields
    assert dict(fields) == {**grant_fields(grant, grant.canonical()), "prev": None}
    assert grant.consumer_key == trade.consumer.key.public.text
    assert grant.expires_at - grant.issued_at == timedelta(seconds=alliance.parts.settings.grant_ttl_seconds)
    with alliance.parts.database.read() as session:
        assert reveal(session, str(fields["ev"])) == (bytes.fromhex(grant.salt), grant.canonical())


def test_nothing_is_answered_when_the_log_fails(trade: Trade) -> None:
    """Without a durable entry there is no grant and no row."""
    alliance = trade.alliance
    alliance.parts.log.close()

    with pytest.raises(LogUnavailable):
        alliance.request(trade.consumer, trade.subscription)

    with alliance.parts.database.read() as session:
        assert store.totals(session).granted == 0


def test_open_grant_is_given_again(trade: Trade) -> None:
    """A consumer that lost its answer gets the same grant, with a proof under a newer checkpoint."""
    alliance = trade.alliance
    first = alliance.request(trade.consumer, trade.subscription)
    alliance.request(trade.consumer, trade.subscription, release=2)

    again = alliance.request(trade.consumer, trade.subscription)

    assert (again.grant_envelope, again.index) == (first.grant_envelope, first.index)
    note = parse_note(again.checkpoint.encode())
    checkpoint = Checkpoint.parse(note.text)
    path = [base64.b64decode(step) for step in again.inclusion_path]
    leaf = base64.b64decode(again.leaf)
    verify_inclusion(leaf_hash(leaf), again.index, checkpoint.size, path, checkpoint.root)
    assert len(alliance.entries(EntryKind.GRANT)) == 2


def test_expired_grant_is_not_given_again(trade: Trade) -> None:
    """Past its time a grant is replaced by the next number in the chain."""
    alliance = trade.alliance
    first = alliance.request(trade.consumer, trade.subscription)
    alliance.clock.advance(alliance.parts.settings.grant_ttl_seconds)

    second = alliance.request(trade.consumer, trade.subscription)

    fields = parse_entry(base64.b64decode(second.leaf)).fields
    assert grant_of(second).seq == 2
    assert fields["prev"] == "sha256:" + leaf_hash(base64.b64decode(first.leaf)).hex()


def test_grant_ends_with_its_agreement(trade: Trade) -> None:
    """A grant never outlives the agreement it stands on."""
    alliance = trade.alliance
    alliance.clock.advance(30 * 86400 - 60)

    logged = alliance.request(trade.consumer, trade.subscription)

    grant = grant_of(logged)
    assert grant.expires_at - grant.issued_at == timedelta(seconds=60)


def test_grant_carries_the_obligations(alliance: Alliance) -> None:
    """What the provider's record hides from a purpose is redacted by the grant."""
    provider, consumer = alliance.join(), alliance.join()
    hidden = "humidity"
    seen = [field.name for field in CONTRACT.fields if field.name != hidden]
    alliance.declare(provider, purpose_fields=[PurposeFields(purpose="joint-control", fields=seen)])
    alliance.publish(provider)
    subscription = alliance.agreed(consumer).subscription

    grant = grant_of(alliance.request(consumer, subscription))

    assert Redact(fields=[hidden]) in grant.obligations


def test_unknown_subscription_or_release(trade: Trade) -> None:
    """Another's subscription, and a release that does not exist, are not found."""
    stranger = trade.alliance.join()
    with pytest.raises(SubscriptionUnknown):
        trade.alliance.request(stranger, trade.subscription)
    with pytest.raises(model.ReleaseUnknown):
        trade.alliance.request(trade.consumer, trade.subscription, release=3)


def _end(trade: Trade) -> None:
    alliance = trade.alliance
    alliance.run(agreements.end_agreement(alliance.parts, trade.provider.caller, trade.agreement, "enough"))


def _expire(trade: Trade) -> None:
    trade.alliance.clock.advance(31 * 86400)


def _change_record(trade: Trade) -> None:
    alliance = trade.alliance
    record = alliance.record(trade.provider, number=2)
    alliance.clock.advance(1)
    envelope = sign_statement(record, trade.provider.key).text
    alliance.run(catalog.register_dataset(alliance.parts, trade.provider.caller, envelope))


def _suspend_consumer(trade: Trade) -> None:
    trade.alliance.set_status(trade.consumer, MemberStatus.SUSPENDED)


def _quarantine_consumer(trade: Trade) -> None:
    trade.alliance.set_status(trade.consumer, MemberStatus.QUARANTINED)


def _quarantine_provider(trade: Trade) -> None:
    trade.alliance.set_status(trade.provider, MemberStatus.QUARANTINED)


def _revoke_provider(trade: Trade) -> None:
    trade.alliance.set_status(trade.provider, MemberStatus.REVOKED)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_end, "agreement-not-active"),
        (_expire, "agreement-expired"),
        (_change_record, "record-changed"),
        (_suspend_consumer, "consumer-not-active"),
        (_quarantine_consumer, "consumer-not-active"),
        (_quarantine_provider, "provider-not-active"),
        (_revoke_provider, "provider-not-active"),
    ],
)
def test_denial_is_durable_before_it_is_told(trade: Trade, change: object, code: str) -> None:
    """Without ground there is no grant: the deny entry comes first, then the refusal with its reasons."""
    alliance = trade.alliance
    change(trade)  # type: ignore[operator]  # one of the functions above

    with pytest.raises(Refused) as refusal:
        alliance.request(trade.consumer, trade.subscription)

    (entry,) = alliance.entries(EntryKind.DENY)
    assert entry.fields["act"] == "transfer"
    assert code in codes(entry)
    assert any(str(r).startswith(f"{code}: ") for r in refusal.value.facts["reasons"])  # type: ignore[union-attr]
    assert alliance.entries(EntryKind.GRANT) == []


def test_no_grant_on_facts_that_changed(trade: Trade) -> None:
    """An agreement that ends while the policy decides carries no grant any more."""
    alliance = trade.alliance
    agreement, provider = trade.agreement, trade.provider.id

    def end() -> None:
        alliance.parts.log.commit_blocking(lambda unit: agreements._end(provider, agreement, "enough", unit))

    meddler = Meddler(alliance.parts.policy, once(end))
    alliance.parts = with_policy(alliance.parts, meddler)

    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription)

    assert meddler.asked == 2
    assert alliance.entries(EntryKind.GRANT) == []


def test_grant_is_bound_to_the_key_on_record(trade: Trade) -> None:
    """A request whose key is no longer the member's gets no grant."""
    caller = replace(trade.consumer.caller, key=SigningKey.generate().public)
    request = TransferRequest(subscription=trade.subscription, release=1)

    with pytest.raises(flow.KeyReplaced):
        trade.alliance.run(flow.request_transfer(trade.alliance.parts, caller, request))


def test_an_open_grant_opens_the_relay(trade: Trade) -> None:
    """An open grant opens the relay from its provider to its consumer until it expires."""
    alliance = trade.alliance
    grant = grant_of(alliance.request(trade.consumer, trade.subscription)).grant
    consumer, provider = trade.consumer.id, trade.provider.id

    with alliance.parts.database.read() as session:
        now = alliance.clock.now()
        assert store.open_grant_between(session, consumer, provider, now) == grant
        assert store.open_grant_between(session, provider, consumer, now) is None
        late = now + timedelta(seconds=alliance.parts.settings.grant_ttl_seconds)
        assert store.open_grant_between(session, consumer, provider, late) is None


def test_state_is_shown_to_both_sides_only(trade: Trade) -> None:
    """Provider and consumer see how far a grant's evidence has come; nobody else does."""
    alliance = trade.alliance
    grant = grant_of(alliance.request(trade.consumer, trade.subscription)).grant

    for node in (trade.provider, trade.consumer):
        assert flow.receipt_state(alliance.parts, node.caller, grant).state == "granted"
    with pytest.raises(model.GrantUnknown):
        flow.receipt_state(alliance.parts, alliance.join().caller, grant)


def test_requests_at_once_get_one_grant(trade: Trade) -> None:
    """Two requests for one release that arrive together share one grant and one number."""
    alliance = trade.alliance
    request = TransferRequest(subscription=trade.subscription, release=1)

    async def both() -> list[str]:
        answers = await asyncio.gather(
            *(flow.request_transfer(alliance.parts, trade.consumer.caller, request) for _ in "ab")
        )
        return [answer.grant_envelope for answer in answers]

    first, second = alliance.run(both())

    assert first == second
    assert len(alliance.entries(EntryKind.GRANT)) == 1


def test_expiry_in_the_entry_is_milliseconds(trade: Trade) -> None:
    """``exp`` is the grant's expiry in milliseconds since 1970."""
    logged = trade.alliance.request(trade.consumer, trade.subscription)

    fields = parse_entry(base64.b64decode(logged.leaf)).fields

    assert fields["exp"] == epoch_ms(grant_of(logged).expires_at)


def test_subscription_number_follows_the_grant(trade: Trade) -> None:
    """The subscription shows the number that its next transfer will have."""
    alliance = trade.alliance
    alliance.request(trade.consumer, trade.subscription)

    request = SubscriptionRequest(agreement=trade.agreement)
    view = alliance.run(subscriptions.subscribe(alliance.parts, trade.consumer.caller, request))

    assert (view.next_seq, view.cursor) == (2, 0)
