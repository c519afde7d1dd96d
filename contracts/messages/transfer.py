"""One delivery: the grant and its proof, receipts, and how far the evidence has come."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.messages.obligations import Discharged, Obligation
from contracts.messages.wire import (
    AgreementId,
    At,
    DatasetId,
    Digest,
    GrantId,
    KeyText,
    ParticipantId,
    Short,
    Statement,
    SubscriptionId,
    Wire,
)


class TransferRequest(Wire):
    """A consumer asks for one release under a subscription."""

    subscription: SubscriptionId
    release: Annotated[int, Field(ge=1, le=2**31 - 1)]


class Grant(Statement):
    """The exchange's permission for one transfer, bound to one consumer key; signed by the exchange."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.grant.v1+json"

    grant: GrantId
    subscription: SubscriptionId
    seq: Annotated[int, Field(ge=1)]
    provider: ParticipantId
    consumer: ParticipantId
    consumer_key: KeyText
    dataset: DatasetId
    release: Annotated[int, Field(ge=1)]
    manifest: Digest
    agreement: AgreementId
    agreement_digest: Digest
    record: Digest
    purpose: DatasetId
    obligations: list[Obligation]
    policy: Digest
    decision: str
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="opens dsc, pur and ev")]
    issued_at: At
    expires_at: At


class LoggedGrant(Wire):
    """What the consumer carries to the provider: the grant and the proof that it was logged first."""

    grant_envelope: str
    leaf: Annotated[str, Field(description="base64 of the log entry's bytes")]
    index: Annotated[int, Field(ge=0)]
    inclusion_path: list[str]
    checkpoint: str
    manifest_envelope: str
    agreement_envelope: str
    record_envelope: str


class DeliveryRequest(Wire):
    """The consumer presents a grant; over a relay it names the key to seal the bytes to."""

    logged: LoggedGrant
    seal_to: KeyText | None = None


class ReceiptRole(StrEnum):
    """Who speaks in a receipt."""

    PROVIDER = "provider"
    CONSUMER = "consumer"


class Receipt(Statement):
    """A party's statement about one delivery, over the digest of the view that moved."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.receipt.v1+json"

    role: ReceiptRole
    grant: GrantId
    grant_index: Annotated[int, Field(ge=0)]
    participant: ParticipantId
    manifest: Digest
    obligations: Digest
    view_sha256: Digest
    view_chunk_root: Digest
    view_size_bytes: Annotated[int, Field(ge=0)]
    view_rows: Annotated[int, Field(ge=0)]
    redacted: list[Short]
    content_salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    at: At
    discharged: list[Discharged] = Field(default=[])


class ReceiptDelivery(Wire):
    """A node hands in the receipts it holds for one grant: the provider's, or both."""

    grant: GrantId
    provider_receipt: str
    consumer_receipt: str | None = None


class Abort(Statement):
    """A side gives an open grant up: nothing more comes of it; signed by that side's node."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.abort.v1+json"

    grant: GrantId
    grant_index: Annotated[int, Field(ge=0)]
    participant: ParticipantId
    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
    at: At


class ReceiptState(Wire):
    """How far a grant's evidence has come; ``index`` is the closing entry's, in the shard ``origin``."""

    grant: GrantId
    state: Literal["granted", "delivered", "done", "expired", "aborted"]
    index: int | None = None
    origin: Short | None = None
    leaf: str | None = None


class Inclusion(Wire):
    """An inclusion proof under the newest published checkpoint."""

    index: int
    leaf: str
    path: list[str]
    checkpoint: str


class Consistency(Wire):
    """A consistency proof between two log sizes (RFC 9162 s2.1.4); hashes in base64."""

    path: list[str]
