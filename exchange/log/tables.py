"""The rows of the log room beside the log's own."""

from sqlalchemy import BigInteger, LargeBinary
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from exchange.tables import ExchangeTable


class TwinRow(ExchangeTable, table=True):
    """How far the SM3 twin of a shard was anchored: its right edge, its signed checkpoint, and when."""

    __tablename__ = "log_twin"

    shard: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger)
    edge: bytes = Field(sa_type=LargeBinary)
    note: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)
