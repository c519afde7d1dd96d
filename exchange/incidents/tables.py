"""The rows of denials and security events; moments are whole milliseconds since 1970 in UTC."""

from sqlalchemy import BigInteger, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from exchange.tables import ExchangeTable


class DenialRow(ExchangeTable, table=True):
    """One refusal of an authenticated request; ``entry`` is None while it only counts for a roll-up."""

    __tablename__ = "denial"

    id: int | None = Field(default=None, sa_type=PLACE, primary_key=True)
    participant: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    act: str = Field(sa_type=String(10))
    at: int = Field(sa_type=BigInteger)
    entry: int | None = Field(sa_type=BigInteger)


class RollUpRow(ExchangeTable, table=True):
    """Refusals beyond the limit of one participant in one window, and the one entry that counts them."""

    __tablename__ = "denial_rollup"

    entry: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    participant: str = Field(sa_type=String(14))
    count: int
    since: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)


class EventRow(ExchangeTable, table=True):
    """One signed security event; ``number`` counts from 1 without gaps."""

    __tablename__ = "security_event"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    event: str = Field(sa_type=String(14), unique=True)
    event_class: str = Field(sa_type=String(60))
    severity: str = Field(sa_type=String(10))
    subject: str | None = Field(sa_type=String(14))
    title_zh: str = Field(sa_type=String(200))
    title_en: str = Field(sa_type=String(200))
    envelope: str = Field(sa_type=LongText)
    entry: int = Field(sa_type=BigInteger)
    at: int = Field(sa_type=BigInteger)
