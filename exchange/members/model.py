"""What a member is and which steps it may take; pure rules, no time, no database.

INVITED → PENDING (join) → ACTIVE (approve) ⇄ SUSPENDED; every state but REVOKED → REVOKED, which is final.
ACTIVE and SUSPENDED → QUARANTINED → ACTIVE (resume): whoever is in quarantine is never merely suspended.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audit.keys.key_history import PartyKeys, is_below, revoked_keys
from audit.keys.signing import PublicKey
from contracts.errors import Conflict, NotFound, Refused
from contracts.messages import Member, MemberStatus, PastKey, Profile, Role

Step = Literal["join", "approve", "suspend", "quarantine", "resume", "revoke"]

_STEPS: dict[tuple[MemberStatus, Step], MemberStatus] = {
    (MemberStatus.INVITED, "join"): MemberStatus.PENDING,
    (MemberStatus.PENDING, "approve"): MemberStatus.ACTIVE,
    (MemberStatus.ACTIVE, "suspend"): MemberStatus.SUSPENDED,
    (MemberStatus.ACTIVE, "quarantine"): MemberStatus.QUARANTINED,
    (MemberStatus.SUSPENDED, "quarantine"): MemberStatus.QUARANTINED,
    (MemberStatus.SUSPENDED, "resume"): MemberStatus.ACTIVE,
    (MemberStatus.QUARANTINED, "resume"): MemberStatus.ACTIVE,
    (MemberStatus.INVITED, "revoke"): MemberStatus.REVOKED,
    (MemberStatus.PENDING, "revoke"): MemberStatus.REVOKED,
    (MemberStatus.ACTIVE, "revoke"): MemberStatus.REVOKED,
    (MemberStatus.SUSPENDED, "revoke"): MemberStatus.REVOKED,
    (MemberStatus.QUARANTINED, "revoke"): MemberStatus.REVOKED,
}

STOPPED = frozenset({MemberStatus.SUSPENDED, MemberStatus.QUARANTINED, MemberStatus.REVOKED})
"""Who may act no more stands on the revocation list, which providers look at before each answer."""


class UnknownMember(NotFound):
    """No participant has this id."""

    code = "unknown-member"
    title_zh = "没有这个参与方"
    next_zh = "核对参与方编号;目录见 GET /directory。"
    next_en = "Check the participant id; GET /directory lists the members."


class WrongStep(Conflict):
    """The participant is not in a state that allows this step."""

    code = "wrong-member-step"
    title_zh = "参与方当前状态不允许此操作"
    next_zh = "先查看参与方状态,再决定下一步。"
    next_en = "Read the participant's status and choose the step that fits it."


class InviteRefused(Refused):
    """The invite does not hold: wrong secret, used, or expired."""

    code = "invite-refused"
    title_zh = "邀请无效、已使用或已过期"
    next_zh = "请交换中心管理员重新发出邀请。"
    next_en = "Ask the exchange's administrator for a new invite."


class NodeKeyRevoked(Refused):
    """The participant's node key is revoked, and it has not brought another."""

    code = "node-key-revoked"
    title_zh = "该参与方的节点密钥已被吊销,尚未更换"
    next_zh = "由该参与方用根密钥签署更换:headwaters node rotate-key --role node --root-key 文件。"
    next_en = "The participant brings another, signed by its root key: headwaters node rotate-key --root-key."


class FingerprintMismatch(Refused):
    """The fingerprint is not that of the key that joined."""

    code = "fingerprint-mismatch"
    title_zh = "指纹与申请加入的密钥不符"
    next_zh = "通过电话等另一渠道再次核对指纹;若仍不符,请撤销该参与方。"
    next_en = (
        "Compare again over another channel, such as a call; if it still differs, revoke the participant."
    )


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """One participant as the exchange keeps it; keys are None until the node has joined."""

    participant: str
    profile: Profile
    status: MemberStatus
    witness: bool
    secret_hash: str
    invite_expires_at: datetime
    node_key: str | None = None
    sealing_key: str | None = None
    witness_vkey: str | None = None
    address: str | None = None
    root_key: str | None = None
    past_keys: tuple[PastKey, ...] = ()

    @property
    def is_witness(self) -> bool:
        """Say whether this member cosigns checkpoints now."""
        return self.witness and self.status is MemberStatus.ACTIVE and self.witness_vkey is not None

    @property
    def was_witness(self) -> bool:
        """Say whether this member may ever have cosigned: it was approved as a witness, whatever followed."""
        held = self.witness_vkey is not None or any(past.role == "witness" for past in self.past_keys)
        return held and self.listed() is not None

    @property
    def keys(self) -> PartyKeys:
        """Give the keys that this member holds now; raise WrongStep before it has joined."""
        listed = self.listed()
        if listed is None:
            raise WrongStep(f"a participant that is {self.status.value} holds no approved keys")
        return PartyKeys.of(listed)

    @property
    def witness_keys(self) -> tuple[str, ...]:
        """Give the vkeys under which this member ever cosigned, oldest first."""
        past = [past.key for past in self.past_keys if past.role == "witness"]
        return tuple(dict.fromkeys([*past, *([self.witness_vkey] if self.witness_vkey else [])]))

    @property
    def is_node_key_revoked(self) -> bool:
        """Say whether the node key that this member holds was revoked."""
        return self.node_key in revoked_keys(past for past in self.past_keys if past.role == "node")

    def receipt_keys(self, origin: str, index: int, shards: Sequence[str]) -> tuple[PublicKey, ...]:
        """Give the node keys that may sign a receipt for the grant at a place in the log.

        That is the present key, and one that was replaced after the grant; never a revoked one.
        """
        revoked = revoked_keys(self.past_keys)
        ended = [
            past.key
            for past in self.past_keys
            if past.role == "node" and is_below(origin, index, past.until, shards)
        ]
        present = [] if self.node_key is None else [self.node_key]
        return tuple(PublicKey.from_text(key) for key in [*present, *ended] if key not in revoked)

    def listed(self) -> Member | None:
        """Give the directory's view; None for a participant who was never approved."""
        if self.node_key is None or self.sealing_key is None:
            return None
        if self.status in {MemberStatus.INVITED, MemberStatus.PENDING}:
            return None
        return Member(
            participant=self.participant,
            profile=self.profile,
            status=self.status,
            node_key=self.node_key,
            sealing_key=self.sealing_key,
            witness_vkey=self.witness_vkey,
            address=self.address,
            root_key=self.root_key,
            past_keys=list(self.past_keys),
        )


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person who may act through the operator's routes; ``salt`` opens the commitments to the name."""

    name: str
    roles: frozenset[Role]
    key: str
    salt: bytes


def next_status(status: MemberStatus, step: Step) -> MemberStatus:
    """Give the state after ``step``; raise WrongStep."""
    after = _STEPS.get((status, step))
    if after is None:
        raise WrongStep(f"a participant that is {status.value} cannot {step}", status=status.value, step=step)
    return after


def secret_hash(secret: str) -> str:
    """Name an invite's secret without keeping it; the secret has 256 random bits, so a plain hash holds."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_secret(record: MemberRecord, secret: str) -> None:
    """Compare in constant time; raise InviteRefused."""
    if not hmac.compare_digest(record.secret_hash, secret_hash(secret)):
        raise InviteRefused("the secret is not the one that was handed out")


def check_fingerprint(expected: str, given: str) -> None:
    """Compare two fingerprints without regard to grouping and case; raise FingerprintMismatch."""
    if not hmac.compare_digest(_bare(expected), _bare(given)):
        raise FingerprintMismatch("the fingerprints differ")


def _bare(fingerprint: str) -> bytes:
    return "".join(c for c in fingerprint.lower() if c not in " -:\t\n").encode()
