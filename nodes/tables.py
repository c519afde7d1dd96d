"""What every node keeps about itself: people, the directory, the log it saw, its witness state, events.

Moments are whole milliseconds since 1970 in UTC. What is signed is kept as the envelope's text, so it can
be verified again. Nonces stand in ``audit.tables``; what a node shares and receives in
``nodes.sharing_tables``.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, LargeBinary, MetaData, String
from sqlalchemy import Text as LongText
from sqlmodel import Field, SQLModel


class NodeTable(SQLModel):
    """The base of every table in a node's database."""

    metadata: ClassVar[MetaData] = MetaData()


class PersonRow(NodeTable, table=True):
    """One person who may act at this node; ``roles`` is a comma-separated list."""

    __tablename__ = "person"

    name: str = Field(sa_type=String(64), primary_key=True)
    key: str = Field(sa_type=String(80))
    roles: str = Field(sa_type=String(80))
    added_at: int = Field(sa_type=BigInteger)


class DirectoryRow(NodeTable, table=True):
    """One directory that was verified; the highest number counts."""

    __tablename__ = "directory"

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(80))
    envelope: str = Field(sa_type=LongText)


class PinRow(NodeTable, table=True):
    """The keys under which a participant was first seen; they never change."""

    __tablename__ = "pinned_key"

    participant: str = Field(sa_type=String(14), primary_key=True)
    node_key: str = Field(sa_type=String(80))
    witness_vkey: str | None = Field(default=None, sa_type=LongText)


class LogStateRow(NodeTable, table=True):
    """The largest checkpoint of one log that was verified."""

    __tablename__ = "log_state"

    origin: str = Field(sa_type=String(255), primary_key=True)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    note: bytes = Field(sa_type=LargeBinary)


class HighWaterRow(NodeTable, table=True):
    """A number that may only rise: the newest revocation list, the newest verified time."""

    __tablename__ = "high_water"

    name: str = Field(sa_type=String(40), primary_key=True)
    value: int = Field(sa_type=BigInteger)


class WitnessStateRow(NodeTable, table=True):
    """What this node last cosigned for one log; written before the cosignature leaves."""

    __tablename__ = "witness_state"

    origin: str = Field(sa_type=String(255), primary_key=True)
    origin_hash: str = Field(sa_type=String(64), unique=True)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    note: bytes = Field(sa_type=LargeBinary)
    at: int = Field(sa_type=BigInteger)


class EventRow(NodeTable, table=True):
    """One verified security event; numbers have no gaps."""

    __tablename__ = "event"

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    event: str = Field(sa_type=String(40), unique=True)
    envelope: str = Field(sa_type=LongText)
    received_at: int = Field(sa_type=BigInteger)
