"""The rows of trust roots: proposals, and those that enough provinces have signed."""

from sqlalchemy import BigInteger, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class TrustRootRow(ExchangeTable, table=True):
    """One trust root with the signatures so far; ``place`` is that of its entry, None while it is open."""

    __tablename__ = "trust_root"

    digest: str = Field(sa_type=String(71), primary_key=True)
    number: int = Field(sa_type=BigInteger, index=True)
    document: str = Field(sa_type=LongText)
    by: str = Field(sa_type=String(20))
    at: int = Field(sa_type=BigInteger)
    place: int | None = Field(sa_type=BigInteger)
