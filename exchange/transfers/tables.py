"""The rows of transfers: one grant each, with the receipts and the closing entries as they come."""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class TransferRow(ExchangeTable, table=True):
    """One transfer; ``entry`` is the grant's place in the log, ``closed_entry`` that of its closing.

    ``disputed`` is the first receipt that contradicted the one before it; ``expires_at`` is in milliseconds
    since 1970 UTC; ``cut`` is the number of the first cut of heads that found it done, ``abort`` the
    statement that gave it up. The envelopes are the bytes that were signed and sent.
    """

    __tablename__ = "transfer"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    subscription: str = Field(sa_type=String(14))
    seq: int
    release: int
    provider: str = Field(sa_type=String(14))
    consumer: str = Field(sa_type=String(14))
    agreement: str = Field(sa_type=String(14))
    envelope: str = Field(sa_type=LongText)
    leaf: bytes = Field(sa_type=LargeBinary)
    entry: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=String(10))
    expires_at: int = Field(sa_type=BigInteger)
    provider_receipt: str | None = Field(sa_type=LongText)
    consumer_receipt: str | None = Field(sa_type=LongText)
    disputed: str | None = Field(sa_type=LongText)
    size_bytes: int | None = Field(sa_type=BigInteger)
    closed_entry: int | None = Field(sa_type=BigInteger)
    closed_leaf: bytes | None = Field(sa_type=LargeBinary)
    cut: int | None = Field(default=None)
    abort: str | None = Field(sa_type=LongText, default=None)


class ReceivedViewRow(ExchangeTable, table=True):
    """Bytes that a provider signed for as delivered to a consumer, and the first grant they came under."""

    __tablename__ = "received_view"

    consumer: str = Field(sa_type=String(14), primary_key=True)
    view: str = Field(sa_type=String(71), primary_key=True)
    grant_id: str = Field(sa_type=String(14))
