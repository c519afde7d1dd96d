"""The rows of subscriptions: the next transfer number, the chain's last leaf, and the cursor."""

from sqlalchemy import String
from sqlmodel import Field

from exchange.tables import ExchangeTable


class SubscriptionRow(ExchangeTable, table=True):
    """A subscription under one agreement; ``last_leaf`` is the hash of its newest log entry."""

    __tablename__ = "subscription"

    subscription: str = Field(sa_type=String(14), primary_key=True)
    agreement: str = Field(sa_type=String(14), unique=True)
    consumer: str = Field(sa_type=String(14))
    provider: str = Field(sa_type=String(14))
    dataset: str = Field(sa_type=String(63))
    next_seq: int
    last_leaf: str | None = Field(sa_type=String(71))
    cursor: int
