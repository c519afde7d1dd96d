"""The rows of versions: reviews, notices and acknowledgements; moments are milliseconds since 1970 in UTC."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class ReviewRow(ExchangeTable, table=True):
    """A version that is neither proved compatible nor refuted; ``envelope`` is its registration."""

    __tablename__ = "contract_review"

    digest: str = Field(sa_type=String(71), primary_key=True)
    contract: str = Field(sa_type=String(63))
    version: str = Field(sa_type=String(20))
    provider: str = Field(sa_type=String(14), index=True)
    state: str = Field(sa_type=String(12), index=True)
    envelope: str = Field(sa_type=LongText)
    settled_by: str | None = Field(default=None, sa_type=String(64))
    why: str | None = Field(default=None, sa_type=LongText)
    at: int = Field(sa_type=BigInteger)
    settled_at: int | None = Field(default=None, sa_type=BigInteger)


class DeprecationRow(ExchangeTable, table=True):
    """A provider's notice that its datasets leave one contract version for another."""

    __tablename__ = "contract_deprecation"
    __table_args__ = (Index("ix_contract_deprecation_step", "provider", "before", "after"),)

    digest: str = Field(sa_type=String(71), primary_key=True)
    provider: str = Field(sa_type=String(14))
    before: str = Field(sa_type=String(71))
    after: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    ends_at: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
    entry: int = Field(sa_type=BigInteger)


class AcknowledgementRow(ExchangeTable, table=True):
    """A subscriber's answer to a notice."""

    __tablename__ = "contract_acknowledgement"

    deprecation: str = Field(sa_type=String(71), primary_key=True)
    consumer: str = Field(sa_type=String(14), primary_key=True)
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    entry: int = Field(sa_type=BigInteger)
