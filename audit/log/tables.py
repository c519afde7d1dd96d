"""The rows of the log and of the nonces, in a metadata of their own: every database of evidence has them.

Moments are whole milliseconds since 1970 in UTC, so no dialect can lose a zone. The rows are written by
``audit.log.sequencer`` and ``audit.nonces`` and by nobody else; the entries are the evidence, tiles and
checkpoints are derived from them and checked against them.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String
from sqlalchemy import Text as LongText
from sqlmodel import Field, SQLModel

# On SQLite an INTEGER primary key is the row's own place; BIGINT would add an index beside it.
PLACE = BigInteger().with_variant(Integer(), "sqlite")


class AuditTable(SQLModel):
    """The base of the tables here; other packages bring a metadata of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class LogShard(AuditTable, table=True):
    """One shard: a log with a name, a key and a tree of its own; ``base`` is the place of its first entry.

    ``size`` is its final size, ``closed_at`` when it came to that; both are null while it takes entries.
    ``carried`` then keeps the subscription heads with which the next shard begins.
    """

    __tablename__ = "log_shard"

    number: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    origin: str = Field(sa_type=String(255), unique=True)
    vkey: str = Field(sa_type=LongText)
    base: int = Field(sa_type=BigInteger)
    opened_at: int = Field(sa_type=BigInteger)
    size: int | None = Field(default=None, sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)
    carried: bytes | None = Field(default=None, sa_type=LargeBinary)


class LogEntry(AuditTable, table=True):
    """One leaf of the log: its exact bytes, and the RFC 6962 hash over them.

    ``idx`` is the entry's place among the entries of all shards: its shard's base and its index there.
    """

    __tablename__ = "log_entry"

    idx: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    leaf: bytes = Field(sa_type=LargeBinary)
    leaf_hash: bytes = Field(sa_type=LargeBinary)
    kind: str = Field(sa_type=String(40))
    at: int = Field(sa_type=BigInteger, index=True)

    __table_args__ = (Index("ix_log_entry_kind_at", "kind", "at"),)


class LogTile(AuditTable, table=True):
    """Up to 256 hashes of one tile of a shard (C2SP tlog-tiles); the right edge grows in place."""

    __tablename__ = "log_tile"

    shard: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    level: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    n: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    hashes: bytes = Field(sa_type=LargeBinary)


class LogCheckpoint(AuditTable, table=True):
    """The checkpoint that the log signed last in a shard: the whole note of the batch."""

    __tablename__ = "log_checkpoint"

    shard: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class LogCosigned(AuditTable, table=True):
    """One published checkpoint with its cosignatures; a later one for the same size replaces it."""

    __tablename__ = "log_cosigned"

    shard: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class Nonce(AuditTable, table=True):
    """A request nonce that was used, kept until its signature has expired."""

    __tablename__ = "nonce"

    keyid: str = Field(sa_type=String(200), primary_key=True)
    nonce: str = Field(sa_type=String(200), primary_key=True)
    expires_at: int = Field(sa_type=BigInteger, index=True)
