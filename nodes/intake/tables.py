"""The rows of the intake: sources, the pieces that landed, and the lots that made releases of them.

Moments are whole milliseconds since 1970 in UTC. Data itself stands in files of the spool, never here.
"""

from sqlalchemy import BigInteger, Index, Integer, String, UniqueConstraint
from sqlalchemy import Text as LongText
from sqlmodel import Field

from audit.log.tables import PLACE
from nodes.tables import NodeTable


class SourceRow(NodeTable, table=True):
    """One source; ``settings`` is canonical JSON, ``cursor`` how far a database was read.

    A name is free again once its source was removed; the row stays, so that a file is not taken twice.
    """

    __tablename__ = "source"

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    name: str = Field(sa_type=String(63), index=True)
    dataset: str = Field(sa_type=String(63), index=True)
    kind: str = Field(sa_type=String(12))
    settings: str = Field(sa_type=LongText)
    every_seconds: int = Field(sa_type=Integer)
    next_at: int = Field(sa_type=BigInteger)
    token: str | None = Field(sa_type=String(71), default=None)
    cursor: str | None = Field(sa_type=LongText, default=None)
    note: str | None = Field(sa_type=LongText, default=None)
    trouble: str | None = Field(sa_type=LongText, default=None)
    trouble_at: int | None = Field(sa_type=BigInteger, default=None)
    run_at: int | None = Field(sa_type=BigInteger, default=None)
    at: int = Field(sa_type=BigInteger)
    removed_at: int | None = Field(sa_type=BigInteger, default=None)


class PieceRow(NodeTable, table=True):
    """Rows that landed together, under a key that lands once; a folder's key is the digest of the file."""

    __tablename__ = "source_piece"
    __table_args__ = (
        UniqueConstraint("source", "key"),
        Index("ix_source_piece_state", "source", "state"),
    )

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    source: int = Field(sa_type=BigInteger)
    dataset: str = Field(sa_type=String(63))
    key: str = Field(sa_type=String(200))
    sha256: str = Field(sa_type=String(71), index=True)
    size_bytes: int = Field(sa_type=BigInteger)
    rows: int | None = Field(sa_type=BigInteger, default=None)
    name: str | None = Field(sa_type=LongText, default=None)
    file: str | None = Field(sa_type=String(40), default=None)
    state: str = Field(sa_type=String(12))
    lot: int | None = Field(sa_type=BigInteger, default=None)
    reason: str | None = Field(sa_type=LongText, default=None)
    at: int = Field(sa_type=BigInteger)


class LotRow(NodeTable, table=True):
    """Pieces that become one release; fixed before the release is made, so a crash repeats the same one."""

    __tablename__ = "source_lot"

    id: int | None = Field(sa_type=PLACE, default=None, primary_key=True)
    source: int = Field(sa_type=BigInteger, index=True)
    dataset: str = Field(sa_type=String(63))
    digest: str = Field(sa_type=String(71), index=True)
    pieces: int = Field(sa_type=Integer)
    state: str = Field(sa_type=String(12))
    release: int | None = Field(sa_type=Integer, default=None)
    rows_read: int | None = Field(sa_type=BigInteger, default=None)
    rows_quarantined: int | None = Field(sa_type=BigInteger, default=None)
    reason: str | None = Field(sa_type=LongText, default=None)
    at: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(sa_type=BigInteger, default=None)


class SeenFileRow(NodeTable, table=True):
    """How a file of a watched folder looked when it was last read, so that it is not read at every look."""

    __tablename__ = "source_file"

    source: int = Field(sa_type=BigInteger, primary_key=True)
    name: str = Field(sa_type=String(1000), primary_key=True)
    stamp: str = Field(sa_type=String(120))
    sha256: str = Field(sa_type=String(71))
    size_bytes: int = Field(sa_type=BigInteger)


class SeenRecordRow(NodeTable, table=True):
    """A record of a database that may be met again, as it is near the cursor."""

    __tablename__ = "source_record"

    source: int = Field(sa_type=BigInteger, primary_key=True)
    record: str = Field(sa_type=String(40), primary_key=True)
