"""The rows of completeness: cuts of the subscription heads, and what each node counted for them."""

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from exchange.tables import ExchangeTable


class HeadsCutRow(ExchangeTable, table=True):
    """One ``heads`` entry; ``document`` is the canonical bytes of the ``SubscriptionHeads`` under its root.

    ``entry`` is its place in the log; ``settled`` says that every count it is owed has come or been missed.
    """

    __tablename__ = "heads_cut"

    number: int = Field(primary_key=True)
    origin: str = Field(sa_type=String(200))
    entry: int = Field(sa_type=BigInteger, unique=True)
    since: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger)
    size: int
    root: str = Field(sa_type=String(71))
    document: bytes = Field(sa_type=LargeBinary)
    settled: bool = False


class NodeCountRow(ExchangeTable, table=True):
    """What one node counted for one cut; without an envelope it is missed, and the alliance has heard so."""

    __tablename__ = "node_count"

    cut: int = Field(primary_key=True)
    participant: str = Field(sa_type=String(14), primary_key=True)
    envelope: str | None = Field(sa_type=LongText)
    digest: str | None = Field(sa_type=String(71))
    entry: int | None = Field(sa_type=BigInteger)
    agrees: bool | None
    at: int = Field(sa_type=BigInteger)
