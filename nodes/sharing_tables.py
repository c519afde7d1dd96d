"""The rows of a node's sharing: what it declared and published, what it delivered, and what it received.

Moments are whole milliseconds since 1970 in UTC. Signed statements are kept as the exact envelope text that
was signed, so that what is sent again after a crash is byte for byte what was sent before.
"""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from nodes.tables import NodeTable


class ContractRow(NodeTable, table=True):
    """A contract that this node registered at the exchange."""

    __tablename__ = "contract"

    id: str = Field(sa_type=String(63), primary_key=True)
    version: str = Field(sa_type=String(24), primary_key=True)
    digest: str = Field(sa_type=String(71))
    document: str = Field(sa_type=LongText)
    envelope: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12))
    at: int = Field(sa_type=BigInteger)


class DatasetRow(NodeTable, table=True):
    """One numbered record of a dataset; the highest registered number is the current one."""

    __tablename__ = "dataset"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    digest: str = Field(sa_type=String(71), index=True)
    envelope: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12))
    at: int = Field(sa_type=BigInteger)


class ReleaseRow(NodeTable, table=True):
    """One release: signed and stored as ``pending``, ``published`` once the exchange has logged it."""

    __tablename__ = "release"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    manifest: str = Field(sa_type=String(71), unique=True)
    source: str = Field(sa_type=String(71))
    contract: str = Field(sa_type=String(71))
    artifact: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12))
    log_index: int | None = Field(sa_type=BigInteger, default=None)
    at: int = Field(sa_type=BigInteger)


class QuarantineRow(NodeTable, table=True):
    """One rejected row of a source, with every reason, and what people made of it; it never leaves this node.

    ``mended`` is the record in its place as canonical JSON text, ``batch`` the digest of the file in which it
    is being released.
    """

    __tablename__ = "quarantine"

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    dataset: str = Field(sa_type=String(63), index=True)
    source: str = Field(sa_type=String(71))
    contract: str = Field(sa_type=String(71))
    row_number: int = Field(sa_type=BigInteger)
    record: str = Field(sa_type=String(71))
    reasons: str = Field(sa_type=LongText)
    raw: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=String(12), default="open")
    mended: str | None = Field(sa_type=LongText, default=None)
    mended_digest: str | None = Field(sa_type=String(71), default=None, index=True)
    batch: str | None = Field(sa_type=String(71), default=None)
    release: int | None = Field(sa_type=Integer, default=None)
    person: str | None = Field(sa_type=String(63), default=None)
    why: str | None = Field(sa_type=LongText, default=None)
    changed_at: int | None = Field(sa_type=BigInteger, default=None)


class ViewRow(NodeTable, table=True):
    """The digests of a view, found again by the artifact and the obligations that made it.

    ``discharged`` is the evidence of the obligations that shaped it, as a JSON list in their order.
    """

    __tablename__ = "view"

    artifact: str = Field(sa_type=String(71), primary_key=True)
    obligations: str = Field(sa_type=String(71), primary_key=True)
    sha256: str = Field(sa_type=String(71))
    chunk_root: str = Field(sa_type=String(71))
    size_bytes: int = Field(sa_type=BigInteger)
    rows: int = Field(sa_type=BigInteger)
    redacted: str = Field(sa_type=LongText)
    discharged: str = Field(sa_type=LongText, default="[]")


class DeliveryRow(NodeTable, table=True):
    """A grant that this node checked as provider, and its receipt for it."""

    __tablename__ = "delivery"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    grant_digest: str = Field(sa_type=String(71))
    grant: str = Field(sa_type=LongText)
    artifact: str = Field(sa_type=String(71))
    obligations: str = Field(sa_type=String(71))
    receipt: str = Field(sa_type=LongText)
    seal_to: str | None = Field(sa_type=String(60), default=None)
    expires_at: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)


class UseRow(NodeTable, table=True):
    """How much one accepted grant took of a dataset; quotas add these up over their windows."""

    __tablename__ = "use"
    __table_args__ = (Index("ix_use_consumer", "dataset", "consumer", "at"),)

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    dataset: str = Field(sa_type=String(63))
    consumer: str = Field(sa_type=String(14))
    release: int = Field(sa_type=Integer)
    rows: int = Field(sa_type=BigInteger)
    size_bytes: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)


class AnsweredFetchRow(NodeTable, table=True):
    """One fetch of a view that was answered with data; rates count these."""

    __tablename__ = "answered_fetch"
    __table_args__ = (Index("ix_answered_fetch_consumer", "dataset", "consumer", "at"),)

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    grant_id: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    consumer: str = Field(sa_type=String(14))
    at: int = Field(sa_type=BigInteger)


class WatermarkRow(NodeTable, table=True):
    """One mark that was written into a view: for whom, and into which view of which release."""

    __tablename__ = "watermark"

    token: str = Field(sa_type=String(64), primary_key=True)
    artifact: str = Field(sa_type=String(71))
    obligations: str = Field(sa_type=String(71))
    recipient: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    release: int = Field(sa_type=Integer)
    at: int = Field(sa_type=BigInteger)


class OwnApplicationRow(NodeTable, table=True):
    """An application that this node signed as consumer; it signs only terms that fit one of these."""

    __tablename__ = "own_application"

    application: str = Field(sa_type=String(14), primary_key=True)
    digest: str = Field(sa_type=String(71), unique=True)
    dataset: str = Field(sa_type=String(63), index=True)
    envelope: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class HeldApplicationRow(NodeTable, table=True):
    """An application to this node's conditional dataset that waits for a person."""

    __tablename__ = "held_application"

    application: str = Field(sa_type=String(14), primary_key=True)
    application_envelope: str = Field(sa_type=LongText)
    agreement_payload: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12), index=True)
    answer: str | None = Field(sa_type=LongText, default=None)
    person: str | None = Field(sa_type=String(200), default=None)
    at: int = Field(sa_type=BigInteger)


class AgreementRow(NodeTable, table=True):
    """An agreement that this node signed; the envelope holds its own signature, later both."""

    __tablename__ = "agreement"

    agreement: str = Field(sa_type=String(14), primary_key=True)
    digest: str = Field(sa_type=String(71), unique=True)
    role: str = Field(sa_type=String(12))
    dataset: str = Field(sa_type=String(63), index=True)
    envelope: str = Field(sa_type=LongText)
    expires_at: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)


class SubscriptionRow(NodeTable, table=True):
    """A standing agreement to receive a feed; ``cursor`` is the last release that is safely on disk."""

    __tablename__ = "subscription"

    subscription: str = Field(sa_type=String(14), primary_key=True)
    agreement: str = Field(sa_type=String(14), unique=True)
    dataset: str = Field(sa_type=String(63), index=True)
    provider: str = Field(sa_type=String(14))
    cursor: int = Field(sa_type=Integer)
    at: int = Field(sa_type=BigInteger)


class FetchRow(NodeTable, table=True):
    """One release on its way in: the grant it comes under, and the provider's receipt once there is one."""

    __tablename__ = "fetch"

    subscription: str = Field(sa_type=String(14), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    grant_id: str = Field(sa_type=String(14))
    logged: str = Field(sa_type=LongText)
    receipt: str | None = Field(sa_type=LongText, default=None)
    at: int = Field(sa_type=BigInteger)


class ReceivedRow(NodeTable, table=True):
    """One release that arrived, was checked, and was signed for.

    ``delete_after`` is when the grant's expiry asks for its deletion, ``purged_at`` when it was deleted.
    """

    __tablename__ = "received"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    subscription: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63), index=True)
    number: int = Field(sa_type=Integer)
    sha256: str = Field(sa_type=String(71))
    path: str = Field(sa_type=LongText)
    copy_path: str | None = Field(sa_type=LongText, default=None)
    proof_path: str | None = Field(sa_type=LongText, default=None)
    rows: int = Field(sa_type=BigInteger)
    redacted: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)
    purpose: str | None = Field(sa_type=String(63), default=None)
    delete_after: int | None = Field(sa_type=BigInteger, default=None)
    purged_at: int | None = Field(sa_type=BigInteger, default=None)


class VersionStatementRow(NodeTable, table=True):
    """A notice or an answer that this node signed; ``about`` is the notice that an answer is to."""

    __tablename__ = "version_statement"

    digest: str = Field(sa_type=String(71), primary_key=True)
    kind: str = Field(sa_type=String(8))
    about: str = Field(sa_type=String(71), index=True)
    envelope: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(8), index=True)
    at: int = Field(sa_type=BigInteger)


class OutboxState(StrEnum):
    """How far a receipt has come: not sent, sent and not witnessed yet, or refused."""

    NEW = "new"
    SENT = "sent"
    STUCK = "stuck"


class OutboxRow(NodeTable, table=True):
    """Receipts that are not yet in the log under a quorum; the row leaves only when they are."""

    __tablename__ = "outbox"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    role: str = Field(sa_type=String(12), primary_key=True)
    logged: str = Field(sa_type=LongText)
    provider_receipt: str = Field(sa_type=LongText)
    consumer_receipt: str | None = Field(sa_type=LongText, default=None)
    state: str = Field(sa_type=String(12))
    attempts: int = Field(sa_type=Integer, default=0)
    next_at: int = Field(sa_type=BigInteger, index=True)
    reason: str | None = Field(sa_type=LongText, default=None)
    at: int = Field(sa_type=BigInteger)
