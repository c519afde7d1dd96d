"""The rows of emergencies and of what was granted under them; moments are milliseconds since 1970 in UTC."""

from sqlalchemy import BigInteger, Boolean, Integer, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class EmergencyRow(ExchangeTable, table=True):
    """One declared emergency: the signed statement, how it ended, and what its review found."""

    __tablename__ = "emergency"

    emergency: str = Field(sa_type=String(14), primary_key=True)
    envelope: str = Field(sa_type=LongText)
    declared_by: str = Field(sa_type=String(64))
    declared_at: int = Field(sa_type=BigInteger)
    over_at: int = Field(sa_type=BigInteger, index=True)
    ended_why: str | None = Field(default=None, sa_type=String(40))
    reviewed_by: str | None = Field(default=None, sa_type=String(64))
    reviewed_at: int | None = Field(default=None, sa_type=BigInteger)
    finding: str | None = Field(default=None, sa_type=String(20))
    words: str | None = Field(default=None, sa_type=LongText)
    reminded: bool = Field(default=False, sa_type=Boolean)


class EmergencyUseRow(ExchangeTable, table=True):
    """One grant that was made under an emergency."""

    __tablename__ = "emergency_use"

    grant_id: str = Field(sa_type=String(14), primary_key=True)
    emergency: str = Field(sa_type=String(14), index=True)
    provider: str = Field(sa_type=String(14))
    consumer: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    release: int = Field(sa_type=Integer)
    at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
