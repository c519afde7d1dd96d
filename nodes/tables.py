"""What every node keeps about itself: people, the directory, the log it saw, its witness state, events.

Moments are whole milliseconds since 1970 in UTC. What is signed is kept as the envelope's text, so it can
be verified again. Nonces stand in ``audit.log.tables``; what a node shares and receives in
``nodes.sharing_tables``.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String
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
    """The keys under which a participant was last seen; a chain of its own signatures leads to others."""

    __tablename__ = "pinned_key"

    participant: str = Field(sa_type=String(14), primary_key=True)
    node_key: str = Field(sa_type=String(80))
    witness_vkey: str | None = Field(default=None, sa_type=LongText)
    sealing_key: str = Field(sa_type=String(80))
    root_key: str | None = Field(default=None, sa_type=String(80))


class StatementPlaceRow(NodeTable, table=True):
    """Where a signed statement stands in the log, as an inclusion proof has shown."""

    __tablename__ = "statement_place"

    digest: str = Field(sa_type=String(80), primary_key=True)
    origin: str = Field(sa_type=String(255))
    entry: int = Field(sa_type=BigInteger)


class LogStateRow(NodeTable, table=True):
    """The largest checkpoint of one log that was verified."""

    __tablename__ = "log_state"

    origin: str = Field(sa_type=String(255), primary_key=True)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    note: bytes = Field(sa_type=LargeBinary)


class KnownShardRow(NodeTable, table=True):
    """One shard of the log that this node believes in; ``closing`` is the proof of its last entry."""

    __tablename__ = "known_shard"

    number: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    origin: str = Field(sa_type=String(255), unique=True)
    vkey: str = Field(sa_type=LongText)
    size: int | None = Field(default=None, sa_type=BigInteger)
    closing: str | None = Field(default=None, sa_type=LongText)


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


class TrustRootRow(NodeTable, table=True):
    """One trust root that the provinces signed and this node adopted; the highest number counts."""

    __tablename__ = "trust_root"

    number: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(80))
    document: str = Field(sa_type=LongText)
