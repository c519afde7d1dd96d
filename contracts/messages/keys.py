"""Keys over time: how one is replaced or revoked, and up to which place in the log its signatures count."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.messages.wire import At, ParticipantId, Short, Statement, Wire

KeyRole = Literal["node", "witness", "sealing", "statement"]
RevocationReason = Literal["compromised", "lost", "retired"]
AnyKey = Annotated[str, Field(min_length=10, max_length=400)]  # a KeyText, or the vkey of a witness


class LogPlace(Wire):
    """Everything below ``size`` in the shard ``origin``, and everything in the shards before it."""

    origin: Short
    size: Annotated[int, Field(ge=0)]


class KeyRotation(Statement):
    """One key takes the place of another; None is the exchange.

    Signed by the new key, and by the old one or the participant's root key; for a witness's or a sealing key
    by the participant's node key as well. A sealing key cannot sign.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.key-rotation.v1+json"

    participant: ParticipantId | None
    role: KeyRole
    old: AnyKey
    new: AnyKey
    at: At


class KeyRevocation(Statement):
    """A key counts no more for anything new; signed by the exchange, or by the participant itself."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.key-revocation.v1+json"

    participant: ParticipantId | None
    role: KeyRole
    key: AnyKey
    reason: RevocationReason
    at: At


class PastKey(Wire):
    """A key that was replaced or revoked: what it signed counts where the log holds it below ``until``.

    ``statement`` is the envelope of the KeyRotation or KeyRevocation that ended it.
    """

    role: KeyRole
    key: AnyKey
    until: LogPlace
    why: Literal["rotated", "revoked"]
    statement: str
