"""The rows of the log and of the nonces, in a metadata of their own: every database of evidence has them.

Moments are whole milliseconds since 1970 in UTC, so no dialect can lose a zone. The rows are written by
``audit.log`` and ``audit.nonces`` and by nobody else; the entries are the evidence, tiles and checkpoints are
derived from them and checked against them.
"""

from typing import ClassVar

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String
from sqlalchemy import Text as LongText
from sqlmodel import Field, SQLModel

# On SQLite an INTEGER primary key is the row's own place; BIGINT would add an index beside it.
PLACE = BigInteger().with_variant(Integer(), "sqlite")


class AuditTable(SQLModel):
    """The base of the tables here; other packages bring a metadata of their own."""

    metadata: ClassVar[MetaData] = MetaData()


class LogEntry(AuditTable, table=True):
    """One leaf of the log: its exact bytes, and the RFC 6962 hash over them."""

    __tablename__ = "log_entry"

    idx: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    leaf: bytes = Field(sa_type=LargeBinary)
    leaf_hash: bytes = Field(sa_type=LargeBinary)
    kind: str = Field(sa_type=String(40), index=True)
    at: int = Field(sa_type=BigInteger)


class LogTile(AuditTable, table=True):
    """Up to 256 hashes of one tile (C2SP tlog-tiles); the right edge grows in place."""

    __tablename__ = "log_tile"

    level: int = Field(sa_type=Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    n: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    hashes: bytes = Field(sa_type=LargeBinary)


class LogCheckpoint(AuditTable, table=True):
    """One checkpoint that the log signed: the whole note, written in the batch that reached ``size``."""

    __tablename__ = "log_checkpoint"

    size: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class LogCosigned(AuditTable, table=True):
    """One published checkpoint with its cosignatures; a later one for the same size replaces it."""

    __tablename__ = "log_cosigned"

    size: int = Field(sa_type=PLACE, primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str = Field(sa_type=LongText)
    at: int = Field(sa_type=BigInteger)


class Nonce(AuditTable, table=True):
    """A request nonce that was used, kept until its signature has expired."""

    __tablename__ = "nonce"

    keyid: str = Field(sa_type=String(200), primary_key=True)
    nonce: str = Field(sa_type=String(200), primary_key=True)
    expires_at: int = Field(sa_type=BigInteger, index=True)
