"""The rows of the log, read and written: the only SQL about it.

Every function works inside the transaction that it is given and decides nothing; ``audit.log.sequencer`` is
the only writer, readers and ``audit.walk.fsck`` look. Statements are built once, because building one takes
longer than running it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, Table, bindparam, delete, func, insert, select, text, update

from audit.formats.merkle import HASH_SIZE
from audit.formats.tile import TileLoader
from audit.log.shards import FIRST, NoSuchShard, Shard
from audit.log.tables import AuditTable
from contracts.clock import from_epoch_ms
from contracts.errors import NotFound

_SHARD = AuditTable.metadata.tables["log_shard"]
_ENTRY = AuditTable.metadata.tables["log_entry"]
_TILE = AuditTable.metadata.tables["log_tile"]
_CHECKPOINT = AuditTable.metadata.tables["log_checkpoint"]
_COSIGNED = AuditTable.metadata.tables["log_cosigned"]

_SHARDS = select(_SHARD.c.number, _SHARD.c.origin, _SHARD.c.vkey, _SHARD.c.base, _SHARD.c.size)
_ALL_SHARDS = _SHARDS.order_by(_SHARD.c.number)
_NEWEST_SHARD = _SHARDS.order_by(_SHARD.c.number.desc()).limit(1)
_CARRIED = select(_SHARD.c.carried).where(_SHARD.c.number == bindparam("shard"))
_OPENED_AT = select(_SHARD.c.opened_at).where(_SHARD.c.number == bindparam("shard"))
_LAST_PLACE = select(func.max(_ENTRY.c.idx)).where(
    _ENTRY.c.idx >= bindparam("start"), _ENTRY.c.idx < bindparam("end")
)
_ENTRIES = (
    select(_ENTRY.c.idx, _ENTRY.c.leaf, _ENTRY.c.leaf_hash, _ENTRY.c.kind)
    .where(_ENTRY.c.idx >= bindparam("start"), _ENTRY.c.idx < bindparam("end"))
    .order_by(_ENTRY.c.idx)
)
_LEAF_HASH = select(_ENTRY.c.leaf_hash).where(_ENTRY.c.idx == bindparam("place"))
_MOMENT = select(_ENTRY.c.at).where(_ENTRY.c.idx == bindparam("place"))
_STORED_TILE = select(_TILE.c.hashes).where(
    _TILE.c.shard == bindparam("shard"), _TILE.c.level == bindparam("level"), _TILE.c.n == bindparam("n")
)


def _newest_of(table: Table) -> Select[tuple[int, str]]:
    return (
        select(table.c.size, table.c.note)
        .where(table.c.shard == bindparam("shard"))
        .order_by(table.c.size.desc())
        .limit(1)
    )


def _page_of(table: Table) -> Select[tuple[int, str]]:
    return (
        select(table.c.size, table.c.note)
        .where(table.c.shard == bindparam("shard"), table.c.size >= bindparam("start"))
        .order_by(table.c.size)
        .limit(bindparam("limit"))
    )


_NEWEST_CHECKPOINT, _CHECKPOINTS = _newest_of(_CHECKPOINT), _page_of(_CHECKPOINT)
_NEWEST_COSIGNED, _ALL_COSIGNED = _newest_of(_COSIGNED), _page_of(_COSIGNED)

# Plain SQL, because only the dialects' own constructs know ON CONFLICT and both spell it like this, and
# because rows of bytes and numbers need nothing done to them on their way.
_PUT_ENTRY = "INSERT INTO log_entry (idx, leaf, leaf_hash, kind, at) VALUES ({0}, {0}, {0}, {0}, {0})"
_PUT_TILE = text(
    "INSERT INTO log_tile (shard, level, n, hashes) VALUES (:shard, :level, :n, :hashes) "
    "ON CONFLICT (shard, level, n) DO UPDATE SET hashes = excluded.hashes"
)
_PUT_CHECKPOINT = insert(_CHECKPOINT)
_PRUNE_CHECKPOINTS = delete(_CHECKPOINT).where(
    _CHECKPOINT.c.shard == bindparam("of_shard"), _CHECKPOINT.c.size < bindparam("below")
)
_PUT_COSIGNED = text(
    "INSERT INTO log_cosigned (shard, size, note, at) VALUES (:shard, :size, :note, :at) "
    "ON CONFLICT (shard, size) DO UPDATE SET note = excluded.note, at = excluded.at"
)


class NoSuchEntry(NotFound):
    """The log has no such entry, tile or checkpoint."""

    code = "no-such-entry"
    title_zh = "日志中没有该条目"
    next_zh = "先读取当前检查点的大小。"
    next_en = "Read the size of the current checkpoint first."


class EntryRow(NamedTuple):
    """One row of ``log_entry``; ``idx`` is the entry's place."""

    idx: int
    leaf: bytes
    leaf_hash: bytes
    kind: str
    at: int


class StoredEntry(NamedTuple):
    """One entry as it is stored: its index, and what the store says about it, where it says anything."""

    idx: int
    leaf: bytes
    leaf_hash: bytes | None = None
    kind: str | None = None


class StoredNote(NamedTuple):
    """A stored checkpoint: the row's size and the note's text."""

    size: int
    note: str


# --- shards ---------------------------------------------------------------------------------------


def shards(connection: Connection) -> list[Shard]:
    """Give all shards, oldest first; none before the log was started for the first time."""
    return [Shard(*row) for row in connection.execute(_ALL_SHARDS)]


def newest_shard(connection: Connection) -> Shard | None:
    """Give the shard that takes entries, or took them last."""
    row = connection.execute(_NEWEST_SHARD).one_or_none()
    return Shard(*row) if row else None


def shard_at(connection: Connection, number: int | None) -> Shard:
    """Give a shard, the newest where ``number`` is None; raise NoSuchShard.

    A log that was never started has a first shard without a name.
    """
    found = newest_shard(connection) or Shard(FIRST, "", "", 0)
    if number is None or number == found.number:
        return found
    row = connection.execute(_SHARDS.where(_SHARD.c.number == number)).one_or_none()
    if row is None:
        raise NoSuchShard(f"there is no shard {number}")
    return Shard(*row)


def put_shard(connection: Connection, shard: Shard, opened_at_ms: int) -> None:
    """Write a new shard."""
    row = {**shard._asdict(), "opened_at": opened_at_ms}
    connection.execute(insert(_SHARD), row)


def end_shard(connection: Connection, shard: Shard, closed_at_ms: int, carried: bytes) -> None:
    """Write the final size of a shard, and the heads that the next one begins with."""
    connection.execute(
        update(_SHARD)
        .where(_SHARD.c.number == shard.number)
        .values(size=shard.size, closed_at=closed_at_ms, carried=carried)
    )


def carried(connection: Connection, number: int) -> bytes | None:
    """Give the heads with which shard ``number`` ended; None while it is open."""
    found: bytes | None = connection.execute(_CARRIED, {"shard": number}).scalar_one_or_none()
    return found


def opened_at(connection: Connection, number: int) -> datetime:
    """Give the moment when a shard was opened; raise NoSuchShard."""
    found = connection.execute(_OPENED_AT, {"shard": number}).scalar_one_or_none()
    if found is None:
        raise NoSuchShard(f"there is no shard {number}")
    return from_epoch_ms(found)


# --- checkpoints ----------------------------------------------------------------------------------


def newest_checkpoint(connection: Connection, number: int) -> StoredNote | None:
    """Give the checkpoint that the log signed last in a shard."""
    row = connection.execute(_NEWEST_CHECKPOINT, {"shard": number}).one_or_none()
    return StoredNote._make(row) if row else None


def newest_cosigned(connection: Connection, number: int) -> StoredNote | None:
    """Give the largest checkpoint of a shard that was published with its cosignatures."""
    row = connection.execute(_NEWEST_COSIGNED, {"shard": number}).one_or_none()
    return StoredNote._make(row) if row else None


def unwitnessed_since(
    connection: Connection, shard: Shard, published: StoredNote | None, size: int
) -> datetime | None:
    """Give the moment of the first of ``size`` entries that the newest ``published`` note does not cover."""
    covered = published.size if published else 0
    if covered >= size:
        return None
    at = connection.execute(_MOMENT, {"place": shard.base + covered}).scalar_one_or_none()
    if at is None:
        raise NoSuchEntry(f"the log has no entry {covered}")
    return from_epoch_ms(at)


def checkpoints_from(connection: Connection, number: int, size: int, limit: int) -> list[StoredNote]:
    """Give up to ``limit`` log-signed checkpoints of at least ``size`` in a shard, smallest first."""
    found = connection.execute(_CHECKPOINTS, {"shard": number, "start": size, "limit": limit})
    return [StoredNote._make(row) for row in found]


def cosigned_from(connection: Connection, number: int, size: int, limit: int) -> list[StoredNote]:
    """Give up to ``limit`` cosigned checkpoints of at least ``size`` in a shard, smallest first."""
    found = connection.execute(_ALL_COSIGNED, {"shard": number, "start": size, "limit": limit})
    return [StoredNote._make(row) for row in found]


def put_checkpoint(connection: Connection, number: int, size: int, note: bytes, at_ms: int) -> None:
    """Write the checkpoint of a size that was not signed before, in the place of smaller ones.

    A second one of that size violates the primary key. What was published stands in ``log_cosigned``.
    """
    connection.execute(_PUT_CHECKPOINT, {"shard": number, "size": size, "note": note.decode(), "at": at_ms})
    connection.execute(_PRUNE_CHECKPOINTS, {"of_shard": number, "below": size})


def put_cosigned(connection: Connection, number: int, size: int, note: bytes, at_ms: int) -> None:
    """Write a cosigned checkpoint, over an earlier answer for the same size."""
    connection.execute(_PUT_COSIGNED, {"shard": number, "size": size, "note": note.decode(), "at": at_ms})


# --- entries and tiles ----------------------------------------------------------------------------


def entry_count(connection: Connection, shard: Shard) -> int:
    """Give one more than a shard's greatest index; it is whole when that is its checkpoint's size."""
    end = _NO_END if shard.size is None else shard.base + shard.size
    last = connection.execute(_LAST_PLACE, {"start": shard.base, "end": end}).scalar_one()
    return 0 if last is None else int(last) + 1 - shard.base


def entry_rows(connection: Connection, shard: Shard, start: int, end: int) -> list[StoredEntry]:
    """Give a shard's entries ``start <= index < end`` in order; a missing one is simply not there."""
    stop = end if shard.size is None else min(end, shard.size)
    found = connection.execute(_ENTRIES, {"start": shard.base + start, "end": shard.base + stop}).all()
    if not shard.base:
        return [StoredEntry._make(row) for row in found]
    return [StoredEntry(row[0] - shard.base, *row[1:]) for row in found]


def leaf_hash_at(connection: Connection, place: int) -> bytes:
    """Give the hash of the entry at a place; raise NoSuchEntry."""
    found: bytes | None = connection.execute(_LEAF_HASH, {"place": place}).scalar_one_or_none()
    if found is None:
        raise NoSuchEntry(f"the log has no entry at {place}")
    return found


def stored_tile(connection: Connection, number: int, level: int, n: int) -> bytes:
    """Give a shard's tile as wide as it stands; raise NoSuchEntry."""
    found: bytes | None = connection.execute(
        _STORED_TILE, {"shard": number, "level": level, "n": n}
    ).scalar_one_or_none()
    if found is None:
        raise NoSuchEntry(f"the log has no tile {n} on level {level}")
    return found


def tile_loader(connection: Connection, number: int) -> TileLoader:
    """Give a loader that cuts a shard's tile to the width asked for; raises NoSuchEntry beyond it."""

    def load(level: int, n: int, width: int) -> bytes:
        tile = stored_tile(connection, number, level, n)
        if len(tile) < width * HASH_SIZE:
            raise NoSuchEntry(f"tile {n} on level {level} is not {width} hashes wide yet")
        return tile[: width * HASH_SIZE]

    return load


def append(
    connection: Connection,
    number: int,
    rows: list[EntryRow],
    tiles: Mapping[tuple[int, int], bytes],
) -> None:
    """Write new entries, and the shard's tiles as they stand after them."""
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    connection.exec_driver_sql(_PUT_ENTRY.format(mark), rows)
    connection.execute(
        _PUT_TILE,
        [{"shard": number, "level": level, "n": n, "hashes": hashes} for (level, n), hashes in tiles.items()],
    )


_NO_END = 2**62  # beyond every place
