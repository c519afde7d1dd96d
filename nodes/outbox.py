"""Receipts on their way into the log: sent again and again until a quorum has witnessed that they are in it.

A row leaves the outbox only when the entry that closes its grant is proved to stand under a quorum-cosigned
checkpoint that is consistent with the last one seen (docs/explanation/transfer.md, step 9); for what this
node received, the proof then lies beside the file, durable. What the exchange refuses stays, with the reason,
for people to see.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, select

from audit.entry import EntryKind, parse_entry
from audit.merkle import ProofInvalid, leaf_hash
from audit.proof import TlogProof
from audit.transfer_proof import Envelopes, ProvenEntry, assemble_proof, proven_entry
from audit.verify import verify_transfer
from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import Conflict, Corrupt, HeadwatersError, Unavailable, Undecidable
from contracts.messages import (
    LoggedGrant,
    Receipt,
    ReceiptDelivery,
    ReceiptRole,
    ReceiptState,
)
from nodes.exclusive import Busy, exclusively
from nodes.home import write_private
from nodes.node import Node
from nodes.receiving.pull import proof_path
from nodes.sharing_tables import OutboxRow, OutboxState, ReceivedRow
from nodes.signed import peek_statement

log = structlog.get_logger(__name__)

BATCH_ROWS = 64
PAUSE_MS = 500
QUICK_ATTEMPTS = 20  # about ten seconds at the usual pace, then ever slower; a refusal slows down at once
MAX_PAUSE_MS = 60_000
NOT_WITNESSED = "not-yet-witnessed"


class ClosingDiffers(Corrupt):
    """The closing entry does not say what this node's receipts say."""

    code = "closing-differs"
    title_zh = "关闭条目与本节点的回执不一致"
    next_zh = "保留回执与条目作为证据,并通知审计人员。"
    next_en = "Keep the receipts and the entry as evidence and tell the auditors."


class ProofUnwritable(Unavailable):
    """The proof cannot be written beside its file."""

    code = "proof-unwritable"
    title_zh = "无法写入传输证明文件"
    next_zh = "检查磁盘空间与 inbox/ 的权限;回执仍在发件箱中。"
    next_en = "Check disk space and the rights on inbox/; the receipt is still in the outbox."


def tick(node: Node) -> int:
    """Move every receipt that is due one step on; give how many left the outbox.

    Raises ExchangeSilent when nobody answers; a tick beside another one does nothing.
    """
    try:
        with exclusively(node.home.path / "run" / "outbox.lock"):
            return sum(_step(node, row) for row in _due(node))
    except Busy:
        return 0


def waiting(node: Node) -> list[dict[str, Any]]:
    """List what waits, oldest first, with the reason where something is wrong."""
    with node.database.read() as session:
        rows = session.exec(select(OutboxRow).order_by(col(OutboxRow.at))).all()
    return [
        {
            "grant": row.grant_id,
            "role": row.role,
            "state": row.state,
            "attempts": row.attempts,
            "reason": row.reason,
            "next_at": rfc3339(from_epoch_ms(row.next_at)),
            "since": rfc3339(from_epoch_ms(row.at)),
        }
        for row in rows
    ]


def _due(node: Node) -> list[OutboxRow]:
    with node.database.read() as session:
        query = select(OutboxRow).where(col(OutboxRow.next_at) <= epoch_ms(node.clock.now()))
        return list(session.exec(query.order_by(col(OutboxRow.next_at)).limit(BATCH_ROWS)).all())


def _step(node: Node, row: OutboxRow) -> bool:
    """Send, ask, prove; say whether the row has left."""
    try:
        state = _tell(node, row) if row.state != OutboxState.SENT else node.broker.receipt_state(row.grant_id)
        if not _is_closed(row, state):
            _later(node, row, OutboxState.SENT, None)
            return False
        closing = _witnessed(node, _index(state))
        _check_entry(row, state, closing)
        _leave(node, row, closing)
    except Undecidable as error:
        _later(node, row, OutboxState.SENT, error.code)
        return False
    except Unavailable:
        _later(node, row, OutboxState(row.state), "unavailable")
        raise
    except HeadwatersError as error:
        if isinstance(error, Conflict) and error.code == NOT_WITNESSED:
            _later(node, row, OutboxState.SENT, NOT_WITNESSED)
            return False
        reason = f"{error.code}: {error.detail}"
        if row.reason != reason:
            log.warning("receipt_stuck", grant=row.grant_id, role=row.role, code=error.code)
        _later(node, row, OutboxState.STUCK, reason)
        return False
    return True


def _tell(node: Node, row: OutboxRow) -> ReceiptState:
    delivery = ReceiptDelivery(
        grant=row.grant_id, provider_receipt=row.provider_receipt, consumer_receipt=row.consumer_receipt
    )
    return node.broker.deliver_receipts(delivery)


def _is_closed(row: OutboxRow, state: ReceiptState) -> bool:
    """Say whether the entry is in the log that this side waits for: ``done``, or as provider ``expire``."""
    match state.state:
        case "done":
            return True
        case "expired":
            return row.role == ReceiptRole.PROVIDER.value
        case "granted" | "delivered":
            return False


def _index(state: ReceiptState) -> int:
    if state.index is None:
        raise ClosingDiffers(f"{state.grant} is closed without an entry")
    return state.index


def _witnessed(node: Node, index: int) -> ProvenEntry:
    """Verify that an entry stands under a quorum-cosigned checkpoint of the one history."""
    inclusion = node.broker.inclusion(index)
    note = inclusion.checkpoint.encode()
    node.trust.witness_policy().check(note, now=node.trust.guard_clock())
    checkpoint = node.trust.see_checkpoint(note)
    try:
        leaf = base64.b64decode(inclusion.leaf, validate=True)
        path = tuple(base64.b64decode(text, validate=True) for text in inclusion.path)
    except binascii.Error as error:
        raise ClosingDiffers("the proof is not base64") from error
    proof = TlogProof(index, path, note)
    try:
        proof.verify(leaf_hash(leaf), checkpoint)
    except ProofInvalid as error:
        raise ClosingDiffers(f"entry {index} is not proved to be in the log") from error
    return proven_entry(leaf, proof)


def _check_entry(row: OutboxRow, state: ReceiptState, closing: ProvenEntry) -> None:
    """Hold the closing entry against the receipts that were sent."""
    entry = parse_entry(closing.leaf_bytes())
    wanted = EntryKind.DONE if state.state == "done" else EntryKind.EXPIRE
    if entry.kind is not wanted:
        raise ClosingDiffers(f"entry {state.index} is a {entry.kind.value} entry")
    grant_index = LoggedGrant.parse(row.logged.encode()).index
    said = (entry.fields["gid"], entry.fields["gidx"], entry.fields["pr"])
    if said != (row.grant_id, grant_index, peek_statement(row.provider_receipt, Receipt).digest):
        raise ClosingDiffers(f"entry {state.index} does not close {row.grant_id} with this receipt")
    if row.consumer_receipt is not None:
        own = peek_statement(row.consumer_receipt, Receipt).digest
        if entry.fields["cr"] != own:
            raise ClosingDiffers(f"entry {state.index} closes {row.grant_id} with another consumer receipt")


def _leave(node: Node, row: OutboxRow, closing: ProvenEntry) -> None:
    """Write the proof beside the received file, then let the row go; never the other way round."""
    if row.consumer_receipt is not None:
        _write_proofs(node, row, _proof(node, row, row.consumer_receipt, closing))
    with node.database.transaction() as session:
        stale = session.get(OutboxRow, (row.grant_id, row.role))
        if stale is not None:
            session.delete(stale)
    log.info("receipt_witnessed", grant=row.grant_id, role=row.role)


def _proof(node: Node, row: OutboxRow, consumer_receipt: str, closing: ProvenEntry) -> bytes:
    """Assemble the proof, and verify it as a stranger would, under the pinned trust root."""
    logged = LoggedGrant.parse(row.logged.encode())
    envelopes = Envelopes(
        grant=logged.grant_envelope,
        manifest=logged.manifest_envelope,
        agreement=logged.agreement_envelope,
        record=logged.record_envelope,
        provider_receipt=row.provider_receipt,
        consumer_receipt=consumer_receipt,
    )
    proof = assemble_proof(closing, _witnessed(node, logged.index), envelopes)
    verify_transfer(proof, None, node.trust.export_trust_root(), now=node.trust.guard_clock())
    return proof


def _write_proofs(node: Node, row: OutboxRow, proof: bytes) -> None:
    with node.database.read() as session:
        received = session.get(ReceivedRow, row.grant_id)
    if received is None:
        raise Corrupt(f"{row.grant_id} was signed for and is not among what was received")
    place = proof_path(Path(received.path))
    try:
        write_private(place, proof)
    except OSError as error:
        raise ProofUnwritable(f"{place.name} cannot be written: {error.strerror}") from error
    if received.copy_path is not None:
        _copy_proof(proof_path(Path(received.copy_path)), proof)
    with node.database.transaction() as session:
        session.merge(ReceivedRow(**(received.model_dump() | {"proof_path": str(place)})))


def _copy_proof(place: Path, proof: bytes) -> None:
    try:
        write_private(place, proof)
    except OSError as error:
        # The copy's folder is the person's, and may be gone; the proof itself is safe in the inbox.
        log.warning("proof_not_copied", error=type(error).__name__)


def _later(node: Node, row: OutboxRow, state: OutboxState, reason: str | None) -> None:
    """Keep the row and come back: while all is well quickly for a while, then after a doubling pause."""
    attempts = row.attempts + 1 if row.state == state else 1
    doublings = attempts - 1 if state == OutboxState.STUCK else max(0, attempts - QUICK_ATTEMPTS)
    pause = min(MAX_PAUSE_MS, PAUSE_MS * 2 ** min(doublings, 10))
    with node.database.transaction() as session:
        kept = session.get(OutboxRow, (row.grant_id, row.role))
        if kept is not None:
            kept.state, kept.reason, kept.attempts = state.value, reason, attempts
            kept.next_at = epoch_ms(node.clock.now()) + pause
            session.add(kept)
