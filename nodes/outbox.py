"""Receipts on their way into the log: sent again and again until a quorum has witnessed that they are in it.

A row leaves the outbox only when the entry that closes its grant is proved to stand under a quorum-cosigned
checkpoint that is consistent with the last one seen (docs/explanation/transfer.md, step 9); for what this
node received, the proof then lies beside the file, durable. What the exchange refuses stays, with the reason,
for people to see.
"""

from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, select

from audit.durable import write_private
from audit.log.chains import STATE_AFTER
from audit.log.entry import parse_entry
from audit.proofs.transfer_proof import ProvenEntry
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
from nodes.granted import grant_place
from nodes.node import Node
from nodes.receiving.pull import proof_path
from nodes.sharing_tables import OutboxRow, OutboxState, ReceivedRow
from nodes.signed import peek_statement
from nodes.transfer_proofs import transfer_proof
from nodes.trusting.proved import NOT_WITNESSED, prove_place, shard_of

log = structlog.get_logger(__name__)

BATCH_ROWS = 64
PAUSE_MS = 500
QUICK_ATTEMPTS = 20  # about ten seconds at the usual pace, then ever slower; a refusal slows down at once
MAX_PAUSE_MS = 60_000


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
        shard = node.trust.sight.shard(state.origin or node.identity.origin)
        closing = prove_place(node, node.broker.inclusion(_index(state), shard.number))
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
    """Say whether the entry is in the log that this side waits for: ``done``, or as provider any."""
    match state.state:
        case "done":
            return True
        case "expired" | "aborted":
            return row.role == ReceiptRole.PROVIDER.value
        case "granted" | "delivered":
            return False


def _index(state: ReceiptState) -> int:
    if state.index is None:
        raise ClosingDiffers(f"{state.grant} is closed without an entry")
    return state.index


def _check_entry(row: OutboxRow, state: ReceiptState, closing: ProvenEntry) -> None:
    """Hold the closing entry against the receipts that were sent."""
    entry = parse_entry(closing.leaf)
    if STATE_AFTER.get(entry.kind) != state.state:
        raise ClosingDiffers(f"entry {state.index} is a {entry.kind.value} entry")
    origin, grant_index = grant_place(LoggedGrant.parse(row.logged.encode()))
    elsewhere = None if shard_of(closing) == origin else origin
    given = peek_statement(row.provider_receipt, Receipt).digest
    # An abort says nothing of receipts: whoever gave the grant up may not have known of one.
    fields = entry.fields
    said = (fields["gid"], fields["gidx"], fields.get("gsh"), fields.get("pr", given))
    if said != (row.grant_id, grant_index, elsewhere, given):
        raise ClosingDiffers(f"entry {state.index} does not close {row.grant_id} with this receipt")
    if row.consumer_receipt is not None:
        own = peek_statement(row.consumer_receipt, Receipt).digest
        if entry.fields["cr"] != own:
            raise ClosingDiffers(f"entry {state.index} closes {row.grant_id} with another consumer receipt")


def _leave(node: Node, row: OutboxRow, closing: ProvenEntry) -> None:
    """Write the proof beside the received file, then let the row go; never the other way round."""
    if row.consumer_receipt is not None:
        _write_proofs(node, row, transfer_proof(node, row, row.consumer_receipt, closing))
    with node.database.transaction() as session:
        stale = session.get(OutboxRow, (row.grant_id, row.role))
        if stale is not None:
            session.delete(stale)
    log.info("receipt_witnessed", grant=row.grant_id, role=row.role)


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
