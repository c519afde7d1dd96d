"""A grant as it arrives: signed by the exchange, logged before anything moved, and equal to its log entry.

Provider and consumer both trust a grant only after ``open_grant``; what each side then asks beyond it stands
in ``nodes.delivering.checks`` and ``nodes.receiving.judged``. The order:
docs/explanation/transfer.md, step 5.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import ProofInvalid, leaf_hash, verify_inclusion
from audit.formats.note import parse_note
from audit.keys.signing import SignatureInvalid
from audit.log.entry import EntryKind, parse_entry
from audit.log.grant_entry import grant_fields, obligations_digest
from contracts.errors import Invalid, Refused
from contracts.messages import (
    Agreement,
    DatasetRecord,
    Expiry,
    Grant,
    LoggedGrant,
    Manifest,
    Obligation,
    redacted_fields,
)
from contracts.spelling import NotBase64, from_base64
from nodes.signed import Signed, peek_statement
from nodes.trusting.trust import Trust

MAX_SKEW = timedelta(seconds=5)


class GrantForged(Refused):
    """The grant is not signed by the exchange that this node joined."""

    code = "grant-forged"
    title_zh = "授权不是由本联盟交换中心签发"
    next_zh = "不要使用该授权;向交换中心重新申请传输。"
    next_en = "Do not use this grant; ask the exchange for the transfer again."


class GrantLeafDiffers(Refused):
    """The log entry is not the entry of this grant."""

    code = "grant-leaf-differs"
    title_zh = "日志条目与授权内容不一致"
    next_zh = "保留授权与条目作为证据,并通知审计人员。"
    next_en = "Keep the grant and the entry as evidence and tell the auditors."


class GrantNotLogged(Refused):
    """The grant is not proved to stand in the log."""

    code = "grant-not-logged"
    title_zh = "授权未被证明已写入日志"
    next_zh = "没有日志在先的授权一律拒绝;向交换中心重新申请传输。"
    next_en = "No bytes without an earlier logged grant; ask the exchange for the transfer again."


class GrantExpired(Refused):
    """The grant has expired, or is not valid yet."""

    code = "grant-expired"
    title_zh = "授权已过期或尚未生效"
    next_zh = "重新申请一次传输;授权只在短时间内有效。"
    next_en = "Ask for the transfer again; a grant is short-lived."


class ObligationUnknown(Refused):
    """The grant asks for something that this node does not know how to do."""

    code = "obligation-unknown"
    title_zh = "授权包含本节点无法履行的义务"
    next_zh = "升级本节点,或请交换中心按已公布的义务清单签发授权。"
    next_en = "Upgrade this node, or have the exchange grant with published obligations only."


@dataclass(frozen=True, slots=True)
class OpenGrant:
    """A grant that the exchange signed and logged; its documents are not verified yet."""

    logged: LoggedGrant
    signed: Signed[Grant]

    @property
    def grant(self) -> Grant:
        """Give the grant itself."""
        return self.signed.statement

    @property
    def manifest(self) -> Signed[Manifest]:
        """Give the release's manifest as it came, unverified."""
        return peek_statement(self.logged.manifest_envelope, Manifest)

    @property
    def record(self) -> Signed[DatasetRecord]:
        """Give the dataset record as it came, unverified."""
        return peek_statement(self.logged.record_envelope, DatasetRecord)

    @property
    def agreement(self) -> Signed[Agreement]:
        """Give the agreement as it came, unverified."""
        return peek_statement(self.logged.agreement_envelope, Agreement)

    @property
    def place(self) -> tuple[str, int]:
        """Name the grant's entry: its shard, and its index there."""
        return grant_place(self.logged)

    @property
    def obligations_digest(self) -> str:
        """Name the obligations as the log entry and the receipts do."""
        return obligations_digest(self.grant.obligations)

    @property
    def redacted(self) -> tuple[str, ...]:
        """List the fields that must be gone, in order."""
        return redacted_fields(self.grant.obligations)


def delete_by(obligations: list[Obligation], delivered_at: datetime) -> datetime | None:
    """Say until when a consumer may keep what was delivered at a moment; None where nothing sets an end."""
    days = [item.days for item in obligations if isinstance(item, Expiry)]
    return delivered_at + timedelta(days=min(days)) if days else None


def peek_grant(logged: LoggedGrant) -> Signed[Grant]:
    """Read a grant before anything of it is verified; raise ObligationUnknown or BadMessage."""
    try:
        return peek_statement(logged.grant_envelope, Grant)
    except Invalid as error:
        faults = error.facts.get("faults")
        if isinstance(faults, list) and any(fault.startswith("/obligations") for fault in faults):
            raise ObligationUnknown("an obligation is outside the closed vocabulary") from error
        raise


def read_grant(trust: Trust, logged: LoggedGrant) -> Signed[Grant]:
    """Read a grant that the exchange signed (step 2); raise GrantForged, ObligationUnknown or BadMessage.

    A former key of the exchange counts for what was logged before it ended; that the grant stands where it
    is said to stand is step 4.
    """
    peeked = peek_grant(logged)
    try:
        return trust.exchange_statement(logged.grant_envelope, Grant, place=grant_place(logged))
    except SignatureInvalid as error:
        raise GrantForged(f"{peeked.statement.grant} is not signed by the exchange") from error


def open_grant(trust: Trust, logged: LoggedGrant) -> OpenGrant:
    """Verify a grant up to its time: checks 2 to 6 of docs/explanation/transfer.md, step 5.

    Raises:
        ObligationUnknown, BadMessage: the grant does not have the agreed shape.
        GrantForged: (2) the exchange did not sign it.
        GrantLeafDiffers: (3) the entry is another one, or says something else.
        GrantNotLogged: (4) the inclusion proof does not hold.
        NoteInvalid, LogForked: (5) the checkpoint is not the log's, or contradicts the last one seen.
        GrantExpired, ClockBehind: (6) too late, too early, or this clock cannot tell.
    """
    opened = open_logged(trust, logged)
    check_time(trust, opened.grant)
    return opened


def open_logged(trust: Trust, logged: LoggedGrant) -> OpenGrant:
    """Verify that a grant was signed and logged, whatever the time is now: steps 2 to 5."""
    signed = read_grant(trust, logged)
    leaf = _base64(logged.leaf)
    _check_leaf(leaf, signed)
    _check_inclusion(trust, logged, leaf)
    return OpenGrant(logged, signed)


def check_time(trust: Trust, grant: Grant) -> None:
    """Step 6: the grant is valid now, and this clock can tell; raise GrantExpired or ClockBehind."""
    now = trust.guard_clock()
    if now >= grant.expires_at or now < grant.issued_at - MAX_SKEW:
        raise GrantExpired(f"{grant.grant} is valid until {grant.expires_at.isoformat()}")


def _check_leaf(leaf: bytes, signed: Signed[Grant]) -> None:
    grant = signed.statement
    try:
        entry = parse_entry(leaf)
    except Invalid as error:
        raise GrantLeafDiffers("the leaf is no entry of this log") from error
    if entry.kind is not EntryKind.GRANT:
        raise GrantLeafDiffers(f"the leaf is a {entry.kind.value} entry")
    wanted = grant_fields(grant, signed.envelope.payload)
    wrong = sorted(name for name, value in wanted.items() if entry.fields[name] != value)
    if wrong:
        raise GrantLeafDiffers("the entry says something else than the grant", fields=wrong)
    if not grant.issued_at - MAX_SKEW <= entry.at <= grant.expires_at:
        raise GrantLeafDiffers("the entry's moment does not belong to the grant", fields=["ts"])


def _check_inclusion(trust: Trust, logged: LoggedGrant, leaf: bytes) -> None:
    checkpoint = trust.see_checkpoint(logged.checkpoint.encode())
    path = [_base64(text) for text in logged.inclusion_path]
    try:
        verify_inclusion(leaf_hash(leaf), logged.index, checkpoint.size, path, checkpoint.root)
    except ProofInvalid as error:
        raise GrantNotLogged(f"entry {logged.index} is not proved to be in the log") from error


def grant_place(logged: LoggedGrant) -> tuple[str, int]:
    """Give shard and index of a grant's entry, as its checkpoint says."""
    return Checkpoint.parse(parse_note(logged.checkpoint.encode()).text).origin, logged.index


def _base64(text: str) -> bytes:
    try:
        return from_base64(text)
    except NotBase64 as error:
        raise GrantNotLogged("a leaf or a hash is not base64") from error
