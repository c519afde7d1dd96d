"""Use cases of a transfer up to its grant: ask, decide, log, and only then answer.

The steps of ``request_transfer`` are those of docs/explanation/transfer.md: (1) the request was authenticated
before it got here; (2) facts, decision, revision; (3) a denial is durable before it is told; (4) a grant is
durable and integrated before it goes out, with its inclusion proof under the checkpoint of the same commit.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from audit.commitment import new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.grant_entry import grant_fields, obligations_digest
from audit.log.shards import Located
from audit.log.unit import Unit
from contracts.clock import epoch_ms
from contracts.errors import Unauthenticated
from contracts.identifiers import Kind, new_id
from contracts.messages import Grant, LoggedGrant, ReceiptState, TransferRequest
from exchange.agreements.decide import decide_and_act
from exchange.agreements.facts import Gathered
from exchange.emergencies.model import Use
from exchange.emergencies.store import add_use, emergency_of_grant
from exchange.evidence import conceal
from exchange.identity import Caller
from exchange.members.store import find_standing
from exchange.parts import Parts
from exchange.transfers import model, store
from exchange.transfers.chain import append_linked
from exchange.transfers.facts import Ground, gather_transfer
from exchange.transfers.model import State
from exchange.transfers.tables import TransferRow
from nodes.signed import Signed, peek_statement, sign_statement
from policies.decision import Decision

log = structlog.get_logger(__name__)


class KeyReplaced(Unauthenticated):
    """The consumer's key was replaced while the request was under way."""

    code = "key-replaced"
    title_zh = "处理请求期间使用方密钥已更换"


@dataclass(frozen=True, slots=True)
class Issued:
    """A grant that is on record, and the documents that its provider checks it against."""

    grant: str
    envelope: str
    leaf: bytes
    place: int
    fresh: bool
    manifest: str
    agreement: str
    record: str


async def request_transfer(parts: Parts, caller: Caller, request: TransferRequest) -> LoggedGrant:
    """Grant one release to its consumer, or refuse; either way the log knows first.

    While a grant for the same release is open it is given again, with a proof under a newer checkpoint.
    Raises SubscriptionUnknown, ReleaseUnknown, FactsChanged; Refused or TooManyDenials after the denial is
    durable.
    """
    gather = partial(gather_transfer, consumer=caller.participant, request=request, address=caller.address)
    committed = await decide_and_act(
        parts, gather, partial(_grant, parts=parts, caller=caller, request=request)
    )
    issued = committed.value
    if issued.fresh:
        parts.telemetry.grants.inc()
        log.info("grant_issued", grant=issued.grant, place=issued.place)
    reader, index = parts.log.at(issued.place)
    # A grant of this commit, or of an earlier one in this shard, stands under the commit's checkpoint; one
    # of an earlier shard under that shard's last.
    earlier = reader.shard().size
    note, size = (committed.checkpoint, committed.size) if earlier is None else (reader.checkpoint(), earlier)
    return LoggedGrant(
        grant_envelope=issued.envelope,
        leaf=_base64(issued.leaf),
        index=index,
        inclusion_path=[_base64(step) for step in reader.inclusion_path(index, size)],
        checkpoint=note.decode(),
        manifest_envelope=issued.manifest,
        agreement_envelope=issued.agreement,
        record_envelope=issued.record,
    )


def receipt_state(parts: Parts, caller: Caller, grant: str) -> ReceiptState:
    """Say how far a grant's evidence has come; raise GrantUnknown."""
    with parts.database.read() as session:
        row = store.find_transfer(session, grant)
    return state_of(own_transfer(row, caller.participant, grant), parts.log.located)


def own_transfer(row: TransferRow | None, participant: str, grant: str) -> TransferRow:
    """Give the transfer if the participant is a side of it; raise GrantUnknown."""
    if row is None or participant not in {row.provider, row.consumer}:
        raise model.GrantUnknown(f"{grant} is not a grant of this participant", grant=grant)
    return row


def state_of(row: TransferRow, located: Callable[[int], Located]) -> ReceiptState:
    """Show a transfer's state; index, shard and leaf are those of its closing entry."""
    closing = None if row.closed_entry is None else located(row.closed_entry)
    return ReceiptState.model_validate(
        {
            "grant": row.grant_id,
            "state": row.state,
            "index": closing and closing.index,
            "origin": closing and closing.origin,
            "leaf": None if row.closed_leaf is None else _base64(row.closed_leaf),
        }
    )


def _grant(
    unit: Unit,
    gathered: Gathered[Ground],
    decision: Decision,
    *,
    parts: Parts,
    caller: Caller,
    request: TransferRequest,
) -> Issued:
    ground, emergency = gathered.ground, gathered.question.emergency
    if find_standing(unit.session, caller.participant).node_key != caller.key.text:
        raise KeyReplaced
    row = store.open_transfer(unit.session, request.subscription, request.release, unit.now)
    under = None if emergency is None else emergency.emergency
    # What was granted under an emergency that ended early is revoked, so another one does not take it up.
    is_same = row is not None and emergency_of_grant(unit.session, row.grant_id) == under
    if row is not None and is_same and _is_reusable(row, caller, decision):
        return _issued(row, ground, fresh=False)
    until_ms = None if emergency is None else emergency.until_ms
    draft = _draft(parts, caller, ground, unit, decision, emergency_until_ms=until_ms)
    signed = sign_statement(draft, parts.statement_key)
    row = _log_grant(unit, ground, signed)
    if under is not None:
        add_use(unit.session, under, _use(signed.statement))
    return _issued(row, ground, fresh=True)


def _use(grant: Grant) -> Use:
    return Use(
        grant=grant.grant,
        provider=grant.provider,
        consumer=grant.consumer,
        dataset=grant.dataset,
        release=grant.release,
        at=grant.issued_at,
        expires_at=grant.expires_at,
    )


def _is_reusable(row: TransferRow, caller: Caller, decision: Decision) -> bool:
    return model.is_reusable(
        row,
        peek_statement(row.envelope, Grant).statement,
        consumer_key=caller.key.text,
        policy=decision.policy_digest,
        obligations=obligations_digest(list(decision.obligations)),
    )


def _draft(
    parts: Parts,
    caller: Caller,
    ground: Ground,
    unit: Unit,
    decision: Decision,
    *,
    emergency_until_ms: int | None,
) -> Grant:
    terms = ground.terms.statement
    ttl_seconds = parts.settings.grant_ttl_seconds
    return Grant(
        grant=new_id(Kind.GRANT),
        subscription=ground.subscription.subscription,
        seq=ground.subscription.next_seq,
        provider=ground.subscription.provider,
        consumer=ground.subscription.consumer,
        consumer_key=caller.key.text,
        dataset=ground.subscription.dataset,
        release=ground.release.number,
        manifest=ground.release.digest,
        agreement=terms.agreement,
        agreement_digest=ground.terms.digest,
        record=ground.dataset.record.digest,
        purpose=terms.purpose,
        obligations=list(decision.obligations),
        policy=decision.policy_digest,
        decision=decision.decision_id,
        salt=new_salt().hex(),
        issued_at=unit.now,
        expires_at=model.expiry_of(unit.now, ttl_seconds, ground.agreement.expires_at, emergency_until_ms),
    )


def _log_grant(unit: Unit, ground: Ground, signed: Signed[Grant]) -> TransferRow:
    grant, subscription = signed.statement, ground.subscription
    payload = signed.envelope.payload
    entry = Entry(EntryKind.GRANT, unit.now, {**grant_fields(grant, payload), "prev": subscription.last_leaf})
    place = append_linked(unit, subscription, entry)
    subscription.next_seq += 1
    # This row opens ``ev``; the grant inside it opens ``dsc`` and ``pur`` under the same salt.
    conceal(unit.session, payload, salt=bytes.fromhex(grant.salt), now=unit.now)
    row = TransferRow(
        grant_id=grant.grant,
        subscription=grant.subscription,
        seq=grant.seq,
        release=grant.release,
        provider=grant.provider,
        consumer=grant.consumer,
        agreement=grant.agreement,
        envelope=signed.text,
        leaf=entry.encode(),
        entry=place,
        state=State.GRANTED.value,
        expires_at=epoch_ms(grant.expires_at),
        provider_receipt=None,
        consumer_receipt=None,
        disputed=None,
        size_bytes=None,
        closed_entry=None,
        closed_leaf=None,
    )
    store.save_transfer(unit.session, row)
    return row


def _issued(row: TransferRow, ground: Ground, *, fresh: bool) -> Issued:
    return Issued(
        grant=row.grant_id,
        envelope=row.envelope,
        leaf=row.leaf,
        place=row.entry,
        fresh=fresh,
        manifest=ground.release.envelope,
        agreement=ground.agreement.envelope,
        record=ground.dataset.row.envelope,
    )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
