"""The rows of applications and agreements.

Moments are whole milliseconds since 1970 in UTC. An application keeps the one unsigned payload that both
sides are asked to sign, so that no retry can offer one side other words than the other.
"""

from sqlalchemy import BigInteger, Boolean, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class ApplicationRow(ExchangeTable, table=True):
    """One application, whose turn it is, and what has been signed so far."""

    __tablename__ = "application"

    application: str = Field(sa_type=String(14), primary_key=True)
    consumer: str = Field(sa_type=String(14))
    provider: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    purpose: str = Field(sa_type=String(63))
    record: str = Field(sa_type=String(71))
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    policy: str = Field(sa_type=String(71))
    decision: str = Field(sa_type=String(14))
    turn: str = Field(sa_type=String(10))
    held: bool = Field(sa_type=Boolean)
    agreement: str = Field(sa_type=String(14))
    payload: str = Field(sa_type=LongText)
    provider_envelope: str | None = Field(sa_type=LongText)
    agreement_envelope: str | None = Field(sa_type=LongText)
    reasons: str = Field(sa_type=LongText)
    opened_at: int = Field(sa_type=BigInteger)


class AgreementRow(ExchangeTable, table=True):
    """Usage terms that both sides signed; ``envelope`` holds one payload and two signatures."""

    __tablename__ = "agreement"

    agreement: str = Field(sa_type=String(14), primary_key=True)
    application: str = Field(sa_type=String(14))
    provider: str = Field(sa_type=String(14))
    consumer: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(10))
    entry: int = Field(sa_type=BigInteger)
    ended_by: str | None = Field(sa_type=String(14))
    ended_why: str | None = Field(sa_type=LongText)
    ended_at: int | None = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
