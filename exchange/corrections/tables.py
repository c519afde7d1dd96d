"""The rows of objections, steps, corrections and news; moments are milliseconds since 1970 in UTC."""

from sqlalchemy import BigInteger, Boolean, Index, Integer, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class ObjectionRow(ExchangeTable, table=True):
    """One objection as it stands; ``last`` is the digest of its newest statement.

    ``sealed`` is for the provider alone. ``correction`` is the number of the release that answers it.
    """

    __tablename__ = "objection"
    __table_args__ = (Index("ix_objection_release", "dataset", "release"),)

    objection: str = Field(sa_type=String(14), primary_key=True)
    objector: str = Field(sa_type=String(14), index=True)
    provider: str = Field(sa_type=String(14), index=True)
    dataset: str = Field(sa_type=String(63))
    release: int = Field(sa_type=Integer)
    digest: str = Field(sa_type=String(71), unique=True)
    envelope: str = Field(sa_type=LongText)
    sealed: str = Field(sa_type=LongText)
    state: str = Field(sa_type=String(12), index=True)
    steps: int = Field(sa_type=Integer, default=0)
    last: str = Field(sa_type=String(71))
    opened_at: int = Field(sa_type=BigInteger)
    answered_at: int | None = Field(default=None, sa_type=BigInteger)
    correction: int | None = Field(default=None, sa_type=Integer)
    closed_why: str | None = Field(default=None, sa_type=String(40))
    reminded: bool = Field(default=False, sa_type=Boolean)


class ObjectionStepRow(ExchangeTable, table=True):
    """One signed step; ``sealed`` holds its words for the other side."""

    __tablename__ = "objection_step"

    objection: str = Field(sa_type=String(14), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    sealed: str | None = Field(default=None, sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class CorrectionRow(ExchangeTable, table=True):
    """One release that replaces an earlier one of its feed; an earlier one is replaced once."""

    __tablename__ = "correction"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    replaces: int = Field(sa_type=Integer, primary_key=True)
    number: int = Field(sa_type=Integer)
    at: int = Field(sa_type=BigInteger)


class ToldRow(ExchangeTable, table=True):
    """An earlier recipient that a correction has to reach, what it had, and when its node took the news."""

    __tablename__ = "correction_told"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(sa_type=Integer, primary_key=True)
    participant: str = Field(sa_type=String(14), primary_key=True)
    release: int = Field(sa_type=Integer)
    told_at: int | None = Field(default=None, sa_type=BigInteger, index=True)


class NewsRow(ExchangeTable, table=True):
    """A side that has not heard how an objection stands; it goes when that very state was taken."""

    __tablename__ = "objection_news"

    participant: str = Field(sa_type=String(14), primary_key=True)
    objection: str = Field(sa_type=String(14), primary_key=True)
    version: int = Field(sa_type=Integer)
