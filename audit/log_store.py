"""The rows of the log, read and written: the only SQL about it.

Every function works inside the transaction that it is given and decides nothing; ``audit.log`` is the only
writer, readers and ``audit.fsck`` look.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypedDict

from sqlalchemy import Connection, Table, func, insert, select, text

from audit.merkle import HASH_SIZE
from audit.tables import AuditTable
from audit.tile import TileLoader
from contracts.errors import NotFound

_ENTRY = AuditTable.metadata.tables["log_entry"]
_TILE = AuditTable.metadata.tables["log_tile"]
_CHECKPOINT = AuditTable.metadata.tables["log_checkpoint"]
_COSIGNED = AuditTable.metadata.tables["log_cosigned"]

# Plain SQL, because only the dialects' own constructs know ON CONFLICT and both spell it like this.
_PUT_TILE = text(
    "INSERT INTO log_tile (level, n, hashes) VALUES (:level, :n, :hashes) "
    "ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes"
)
_PUT_COSIGNED = text(
    "INSERT INTO log_cosigned (size, note, at) VALUES (:size, :note, :at) "
    "ON CONFLICT (size) DO UPDATE SET note = excluded.note, at = excluded.at"
)


class NoSuchEntry(NotFound):
    """The log has no such entry, tile or checkpoint."""

    code = "no-such-entry"
    title_zh = "日志中没有该条目"
    next_zh = "先读取当前检查点的大小。"
    next_en = "Read the size of the current checkpoint first."


class EntryRow(TypedDict):
    """One row of ``log_entry``."""

    idx: int
    leaf: bytes
    leaf_hash: bytes
    kind: str
    at: int


class StoredNote(NamedTuple):
    """A stored checkpoint: the row's size and the note's text."""

    size: int
    note: str


def entry_count(connection: Connection) -> int:
    """Give one more than the greatest index; the log is whole when that is its checkpoint's size."""
    last = connection.execute(select(func.max(_ENTRY.c.idx))).scalar_one()
    return 0 if last is None else int(last) + 1


def newest_checkpoint(connection: Connection) -> StoredNote | None:
    """Give the checkpoint that the log signed last."""
    return _newest(connection, _CHECKPOINT)


def newest_cosigned(connection: Connection) -> StoredNote | None:
    """Give the largest checkpoint that was published with its cosignatures."""
    return _newest(connection, _COSIGNED)


def checkpoint_at(connection: Connection, size: int) -> StoredNote | None:
    """Give the checkpoint that the log signed at exactly ``size``."""
    query = select(_CHECKPOINT.c.size, _CHECKPOINT.c.note).where(_CHECKPOINT.c.size == size)
    row = connection.execute(query).one_or_none()
    return StoredNote(*row) if row else None


def checkpoints_from(connection: Connection, size: int, limit: int) -> list[StoredNote]:
    """Give up to ``limit`` log-signed checkpoints of at least ``size``, smallest first."""
    return _page(connection, _CHECKPOINT, size, limit)


def cosigned_from(connection: Connection, size: int, limit: int) -> list[StoredNote]:
    """Give up to ``limit`` cosigned checkpoints of at least ``size``, smallest first."""
    return _page(connection, _COSIGNED, size, limit)


def entry_rows(connection: Connection, start: int, end: int) -> list[EntryRow]:
    """Give the rows with ``start <= idx < end`` in order; a missing one is simply not there."""
    query = (
        select(_ENTRY.c.idx, _ENTRY.c.leaf, _ENTRY.c.leaf_hash, _ENTRY.c.kind, _ENTRY.c.at)
        .where(_ENTRY.c.idx >= start, _ENTRY.c.idx < end)
        .order_by(_ENTRY.c.idx)
    )
    return [
        EntryRow(idx=row[0], leaf=row[1], leaf_hash=row[2], kind=row[3], at=row[4])
        for row in connection.execute(query)
    ]


def leaf_hash_at(connection: Connection, index: int) -> bytes:
    """Give the hash of one entry; raise NoSuchEntry."""
    found: bytes | None = connection.execute(
        select(_ENTRY.c.leaf_hash).where(_ENTRY.c.idx == index)
    ).scalar_one_or_none()
    if found is None:
        raise NoSuchEntry(f"the log has no entry {index}")
    return found


def stored_tile(connection: Connection, level: int, n: int) -> bytes:
    """Give a tile as wide as it stands; raise NoSuchEntry."""
    found: bytes | None = connection.execute(
        select(_TILE.c.hashes).where(_TILE.c.level == level, _TILE.c.n == n)
    ).scalar_one_or_none()
    if found is None:
        raise NoSuchEntry(f"the log has no tile {n} on level {level}")
    return found


def tile_loader(connection: Connection) -> TileLoader:
    """Give a loader that cuts the stored tile to the width asked for; raises NoSuchEntry beyond it."""

    def load(level: int, n: int, width: int) -> bytes:
        tile = stored_tile(connection, level, n)
        if len(tile) < width * HASH_SIZE:
            raise NoSuchEntry(f"tile {n} on level {level} is not {width} hashes wide yet")
        return tile[: width * HASH_SIZE]

    return load


def append(
    connection: Connection,
    rows: Iterable[EntryRow],
    tiles: Mapping[tuple[int, int], bytes],
) -> None:
    """Write new entries, and the tiles as they stand after them."""
    connection.execute(insert(_ENTRY), [dict(row) for row in rows])
    connection.execute(
        _PUT_TILE, [{"level": level, "n": n, "hashes": hashes} for (level, n), hashes in tiles.items()]
    )


def put_checkpoint(connection: Connection, size: int, note: bytes, at_ms: int) -> None:
    """Write the checkpoint of a size that was not signed before; a second one violates the primary key."""
    connection.execute(insert(_CHECKPOINT), {"size": size, "note": note.decode(), "at": at_ms})


def put_cosigned(connection: Connection, size: int, note: bytes, at_ms: int) -> None:
    """Write a cosigned checkpoint, over an earlier answer for the same size."""
    connection.execute(_PUT_COSIGNED, {"size": size, "note": note.decode(), "at": at_ms})


def _newest(connection: Connection, table: Table) -> StoredNote | None:
    query = select(table.c.size, table.c.note).order_by(table.c.size.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return StoredNote(*row) if row else None


def _page(connection: Connection, table: Table, size: int, limit: int) -> list[StoredNote]:
    query = select(table.c.size, table.c.note).where(table.c.size >= size).order_by(table.c.size).limit(limit)
    return [StoredNote(*row) for row in connection.execute(query)]
