"""Use cases of receipts: take what the two sides sign, and close the transfer when both agree (design s5).

A receipt may come again, late, and from either side. Receipts that contradict each other close nothing: the
contradiction is kept, the alliance hears of it, and whoever sent it is told.
"""

from dataclasses import dataclass
from functools import partial

import structlog

from audit.commitment import content_commitment
from audit.formats.dsse import parse_envelope
from audit.keys.key_history import revoked_keys
from audit.keys.signing import PublicKey, SignatureInvalid
from audit.log.entry import EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import Invalid
from contracts.messages import Grant, Receipt, ReceiptDelivery, ReceiptRole, ReceiptState
from exchange.evidence import kept
from exchange.identity import Caller
from exchange.incidents.flow import record_alarm
from exchange.members.store import past_keys
from exchange.parts import Parts
from exchange.transfers import model, store
from exchange.transfers.chain import append_closing, chained_subscription, place_of_grant
from exchange.transfers.flow import own_transfer, state_of
from exchange.transfers.model import State
from exchange.transfers.tables import TransferRow
from nodes.signed import Signed, peek_statement, read_statement

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Receipts whose signatures hold and which speak of this grant."""

    grant: Grant
    provider: Signed[Receipt]
    consumer: Signed[Receipt] | None


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a delivery of receipts led to; ``event`` is the number of the alarm it raised."""

    state: ReceiptState
    contradicts: bool
    event: int | None


async def deliver_receipts(
    parts: Parts, caller: Caller, grant: str, delivery: ReceiptDelivery
) -> ReceiptState:
    """Record the provider's receipt, or both; with both, log ``done`` and give its place.

    The same receipts again give the same state. Raises GrantUnknown, SignatureInvalid, ReceiptForeign; and
    ReceiptMismatch after the contradiction and its event are on record.
    """
    if delivery.grant != grant:
        raise Invalid("the receipts are for another grant than the address")
    pair = _verified(parts, caller, delivery)
    committed = await parts.log.commit(partial(_take, parts, pair))
    taken = committed.value
    if taken.event is not None:
        parts.mailbox.announce(events=taken.event)
    if taken.contradicts:
        log.warning("receipt_mismatch", grant=grant)
        raise model.ReceiptMismatch(f"the receipts of {grant} contradict each other", grant=grant)
    log.info("receipts_taken", grant=grant, state=taken.state.state)
    return taken.state


def _verified(parts: Parts, caller: Caller, delivery: ReceiptDelivery) -> _Pair:
    with parts.database.read() as session:
        row = own_transfer(store.find_transfer(session, delivery.grant), caller.participant, delivery.grant)
    grant = peek_statement(kept(row.envelope), Grant).statement
    provider_key = _receipt_key(parts, row, row.provider, delivery.provider_receipt)
    provider = read_statement(delivery.provider_receipt, Receipt, provider_key)
    _, index = place_of_grant(parts, row)
    model.check_receipt(provider.statement, ReceiptRole.PROVIDER, grant, index)
    consumer = None
    if delivery.consumer_receipt is not None:
        consumer_key = _receipt_key(parts, row, row.consumer, delivery.consumer_receipt)
        if consumer_key.text != grant.consumer_key:
            raise SignatureInvalid("the receipt is not by the key that the grant names")
        consumer = read_statement(delivery.consumer_receipt, Receipt, consumer_key)
        model.check_receipt(consumer.statement, ReceiptRole.CONSUMER, grant, index)
    return _Pair(grant, provider, consumer)


def _receipt_key(parts: Parts, row: TransferRow, participant: str, envelope: str) -> PublicKey:
    """Choose the key that signed, of those that count: the present one, and one replaced since the grant.

    A revoked key closes nothing. Raises SignatureInvalid.
    """
    origin, index = place_of_grant(parts, row)
    allowed = parts.roll.caller(participant).receipt_keys(origin, index, parts.shards)
    signers = {name for name, _ in parse_envelope(envelope.encode()).signatures}
    for key in allowed:
        if key.key_id in signers:
            return key
    raise SignatureInvalid(f"the receipt is not by a key of {participant} that counts for this grant")


def _take(parts: Parts, pair: _Pair, unit: Unit) -> _Taken:
    row = store.find_transfer(unit.session, pair.grant.grant)
    if row is None:
        raise model.GrantUnknown(f"{pair.grant.grant} is not on record")
    _check_not_revoked(unit, pair)
    contradiction = _contradiction(row, pair)
    if contradiction is pair.provider:
        return _dispute(parts, unit, row, pair.grant, contradiction)
    if row.state != State.DONE:
        _keep_provider(row, pair)
    if contradiction is not None:
        return _dispute(parts, unit, row, pair.grant, contradiction)
    if pair.consumer is not None and row.state != State.DONE:
        _close(unit, row, pair, pair.consumer)
    store.save_transfer(unit.session, row)
    store.note_view(unit.session, row, pair.provider.statement.view_sha256)
    return _Taken(state_of(row, unit.located), contradicts=False, event=None)


def _check_not_revoked(unit: Unit, pair: _Pair) -> None:
    """Look again inside the unit: what closes the grant must stand in the log below a key's revocation."""
    for receipt in (pair.provider, pair.consumer):
        if receipt is None:
            continue
        revoked = revoked_keys(past_keys(unit.session, receipt.statement.participant))
        gone = {PublicKey.from_text(key).key_id for key in revoked if key.startswith("ed25519:")}
        if gone & {name for name, _ in receipt.envelope.signatures}:
            raise SignatureInvalid(f"the key of {receipt.statement.participant} was revoked")


def _contradiction(row: TransferRow, pair: _Pair) -> Signed[Receipt] | None:
    """Find the receipt that speaks of other bytes than the receipt before it."""
    if row.provider_receipt is not None:
        recorded = peek_statement(row.provider_receipt, Receipt).statement
        if not model.same_view(recorded, pair.provider.statement):
            return pair.provider
    if pair.consumer is not None and not model.same_view(pair.provider.statement, pair.consumer.statement):
        return pair.consumer
    return None


def _keep_provider(row: TransferRow, pair: _Pair) -> None:
    """Keep the provider's receipt; one that comes with the consumer's is the one that closes."""
    if row.provider_receipt is None or pair.consumer is not None:
        row.provider_receipt = pair.provider.text
    if row.state == State.GRANTED:
        row.state = State.DELIVERED.value


def _dispute(parts: Parts, unit: Unit, row: TransferRow, grant: Grant, receipt: Signed[Receipt]) -> _Taken:
    """Keep the first contradiction of a transfer and raise its one alarm."""
    event = None
    if row.disputed is None:
        row.disputed = receipt.text
        event = record_alarm(parts, unit, model.mismatch_alarm(grant))
    store.save_transfer(unit.session, row)
    return _Taken(state_of(row, unit.located), contradicts=True, event=event)


def _close(unit: Unit, row: TransferRow, pair: _Pair, consumer: Signed[Receipt]) -> None:
    subscription = chained_subscription(unit, row.subscription)
    said = pair.provider.statement
    fields: dict[str, Json] = {
        "cc": content_commitment(
            bytes.fromhex(said.content_salt), said.view_chunk_root, said.view_size_bytes
        ),
        "len": said.view_size_bytes,
        "pr": pair.provider.digest,
        "cr": consumer.digest,
        "late": row.state in model.CLOSED or epoch_ms(unit.now) >= row.expires_at,
    }
    append_closing(unit, subscription, row, EntryKind.DONE, fields)
    row.consumer_receipt = consumer.text
    row.size_bytes = said.view_size_bytes
    row.state = State.DONE.value
    subscription.cursor = max(subscription.cursor, row.release)
