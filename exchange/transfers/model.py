"""The rules of a transfer: how long a grant lives, what its receipts must say, and when it is done.

    GRANTED ── provider's receipt ──▶ DELIVERED ── consumer's receipt ──▶ DONE
        ├──────────────── expiry ─────────┼──▶ EXPIRED ── both receipts, late ──▶ DONE
        └──────── a side gives it up ─────┴──▶ ABORTED ── both receipts, late ──▶ DONE

Pure. Both receipts speak of the same view under the same grant, or the transfer does not close. Evidence is
never refused: two receipts close a transfer even after its time, and after one side gave it up.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from audit.log.grant_entry import obligations_digest
from contracts.clock import from_epoch_ms
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages import Discharged, Grant, Receipt, ReceiptRole, Severity, Text
from exchange.parts import Alarm
from exchange.transfers.tables import TransferRow

MISMATCH = "transfer.receipt-mismatch"


class State(StrEnum):
    """How far a transfer's evidence has come."""

    GRANTED = "granted"
    DELIVERED = "delivered"
    DONE = "done"
    EXPIRED = "expired"
    ABORTED = "aborted"


OPEN = (State.GRANTED, State.DELIVERED)  # one and the same to the log, which hears of receipts at the end
CLOSED = (State.EXPIRED, State.ABORTED)


class ReleaseUnknown(NotFound):
    """The feed has no such release."""

    code = "release-unknown"
    title_zh = "没有该发布批次"


class GrantUnknown(NotFound):
    """There is no such grant for this participant."""

    code = "grant-unknown"
    title_zh = "没有该授权,或与本方无关"


class ReceiptForeign(Invalid):
    """The receipt is about another grant, release or party."""

    code = "receipt-foreign"
    title_zh = "回执与该授权不符"
    next_zh = "核对授权编号、日志序号与角色后重新签署。"
    next_en = "Compare grant, log index and role, then sign the receipt again."


class AbortForeign(Invalid):
    """The abort is about another grant."""

    code = "abort-foreign"
    title_zh = "放弃声明与该授权不符"
    next_zh = "核对授权编号与日志序号后重新签署。"
    next_en = "Compare grant and log index, then sign the abort again."


class ReceiptMismatch(Conflict):
    """The two sides' receipts contradict each other."""

    code = "receipt-mismatch"
    title_zh = "双方回执相互矛盾"
    next_zh = "保留收到的文件与双方回执,联系对方与审计人员;联盟已收到安全事件。"
    next_en = "Keep the file and both receipts and call the other side and the auditors; an event was raised."


def expiry_of(
    now: datetime, ttl_seconds: int, agreement_expires_ms: int, emergency_until_ms: int | None = None
) -> datetime:
    """Give the moment a new grant expires: after its life, never beyond the agreement or the emergency."""
    ends_ms = [agreement_expires_ms, *([] if emergency_until_ms is None else [emergency_until_ms])]
    return min(now + timedelta(seconds=ttl_seconds), from_epoch_ms(min(ends_ms)))


def is_reusable(row: TransferRow, grant: Grant, *, consumer_key: str, policy: str, obligations: str) -> bool:
    """Say whether an open grant still says what a new one would say."""
    return (
        row.state in OPEN
        and grant.consumer_key == consumer_key
        and grant.policy == policy
        and obligations_digest(grant.obligations) == obligations
    )


def check_receipt(receipt: Receipt, role: ReceiptRole, grant: Grant, grant_index: int) -> None:
    """Raise ReceiptForeign unless the receipt speaks in ``role`` of exactly this grant."""
    participant = grant.provider if role is ReceiptRole.PROVIDER else grant.consumer
    said = (receipt.role, receipt.participant, receipt.grant, receipt.grant_index, receipt.manifest)
    wanted = (role, participant, grant.grant, grant_index, grant.manifest)
    if said != wanted or receipt.obligations != obligations_digest(grant.obligations):
        raise ReceiptForeign(f"the {role.value}'s receipt does not fit {grant.grant}", grant=grant.grant)


def same_view(one: Receipt, other: Receipt) -> bool:
    """Say whether two receipts speak of the same bytes, and of the same evidence for every obligation."""
    return _view(one) == _view(other)


def mismatch_alarm(grant: Grant) -> Alarm:
    """Make the alarm for receipts that contradict each other."""
    return Alarm(
        event_class=MISMATCH,
        severity=Severity.HIGH,
        subject=grant.provider,
        title=Text(
            zh="同一次传输的双方回执相互矛盾",
            en="The receipts of one transfer contradict each other",
        ),
        facts={"grant": grant.grant, "consumer": grant.consumer, "seq": grant.seq},
    )


def _view(receipt: Receipt) -> tuple[str, str, int, int, list[str], list[Discharged]]:
    return (
        receipt.view_sha256,
        receipt.view_chunk_root,
        receipt.view_size_bytes,
        receipt.view_rows,
        sorted(receipt.redacted),
        receipt.discharged,
    )
