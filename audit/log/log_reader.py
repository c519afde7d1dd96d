"""Reading the log: checkpoints, entries, tiles, bundles and proofs, for HTTP and for people.

Every call opens its own read session and sees only what is durable, so any number of threads may read while
the sequencer writes. Formats are those of c2sp.org/tlog-tiles; a partial tile is cut from the stored one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from audit.database import Database
from audit.formats import merkle
from audit.formats.tile import TILE_WIDTH, TileHashReader, TileLoader, encode_bundle
from audit.log import log_store
from audit.log.entry import parse_entry
from audit.log.log_store import NoSuchEntry
from audit.log.shards import Located, NoSuchShard, Shard, locate
from contracts.errors import NotFound


class NoCheckpoint(NotFound):
    """The log has not signed a checkpoint yet."""

    code = "no-checkpoint"
    title_zh = "日志尚无检查点"
    next_zh = "等待日志启动后再试。"
    next_en = "Wait until the log has started."


class LogReader:
    """A log as its readers see it: one shard of it, the newest unless a number is given."""

    def __init__(self, database: Database, number: int | None = None) -> None:
        self._database = database
        self._number = number

    def of(self, number: int) -> "LogReader":
        """Give a reader of one shard, whichever is the newest; what it reads raises NoSuchShard."""
        return LogReader(self._database, number)

    def shards(self) -> list[Shard]:
        """Give all shards, oldest first; a log that was never started has a first one without a name."""
        with self._database.read() as session:
            connection = session.connection()
            return log_store.shards(connection) or [log_store.shard_at(connection, None)]

    def shard(self) -> Shard:
        """Give the shard that is read."""
        with self._shard() as (_, shard):
            return shard

    def opened_at(self) -> datetime:
        """Give the moment when the shard was opened."""
        with self._shard() as (connection, shard):
            return log_store.opened_at(connection, shard.number)

    def named(self, origin: str) -> "LogReader":
        """Give a reader of the shard of that name; raise NoSuchShard."""
        number = next((shard.number for shard in self.shards() if shard.origin == origin), None)
        if number is None:
            raise NoSuchShard(f"there is no shard {origin}")
        return self.of(number)

    def located(self, place: int) -> Located:
        """Name the entry at a place among all shards by its shard and its index there."""
        return locate(self.shards(), place)

    def at(self, place: int) -> "tuple[LogReader, int]":
        """Give a reader of the shard that holds a place, and the index of the entry there."""
        located = self.located(place)
        return self.of(located.number), located.index

    def following(self) -> str | None:
        """Name the shard that follows this one; None while this one takes entries."""
        size = self.shard().size
        return None if size is None else str(parse_entry(self.entry(size - 1)).fields["next"])

    def heads(self) -> bytes | None:
        """Give the subscription heads with which the shard began; None for the first."""
        with self._shard() as (connection, shard):
            return log_store.carried(connection, shard.number - 1)

    def size(self) -> int:
        """Give the size of the newest signed checkpoint; 0 before the first."""
        with self._shard() as (connection, shard):
            newest = log_store.newest_checkpoint(connection, shard.number)
        return newest.size if newest else 0

    def checkpoint(self) -> bytes:
        """Give the newest checkpoint note, signed by the log only; raise NoCheckpoint before the first."""
        with self._shard() as (connection, shard):
            newest = log_store.newest_checkpoint(connection, shard.number)
        if newest is None:
            raise NoCheckpoint
        return newest.note.encode()

    def cosigned(self) -> bytes | None:
        """Give the newest published note, signed by the log and a quorum of witnesses."""
        with self._shard() as (connection, shard):
            newest = log_store.newest_cosigned(connection, shard.number)
        return newest.note.encode() if newest else None

    def unwitnessed_since(self) -> datetime | None:
        """Give the moment of the first entry that no published checkpoint covers (audit.log.outage)."""
        with self._shard() as (connection, shard):
            newest = log_store.newest_checkpoint(connection, shard.number)
            published = log_store.newest_cosigned(connection, shard.number)
            return log_store.unwitnessed_since(connection, shard, published, newest.size if newest else 0)

    def entry(self, index: int) -> bytes:
        """Give the bytes of one entry; raise NoSuchEntry."""
        return self.entries(index, index + 1)[0]

    def leaf_hash(self, index: int) -> bytes:
        """Give the RFC 6962 leaf hash of one entry; raise NoSuchEntry."""
        with self._shard() as (connection, shard):
            if shard.size is not None and index >= shard.size:
                raise NoSuchEntry(f"the shard has no entry {index}")
            return log_store.leaf_hash_at(connection, shard.base + index)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Give the entries ``start`` to ``end`` (excluded); raise NoSuchEntry unless the log has them all."""
        if not 0 <= start <= end:
            raise NoSuchEntry(f"the log has no entries {start} to {end}")
        with self._shard() as (connection, shard):
            rows = log_store.entry_rows(connection, shard, start, end)
        if len(rows) != end - start:
            raise NoSuchEntry(f"the log has {len(rows)} of the entries {start} to {end}")
        return [row.leaf for row in rows]

    def tile(self, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """Give ``width`` hashes of a tile; raise NoSuchEntry for one that the log has not filled so far."""
        with self._tiles() as load:
            return load(level, n, width)

    def bundle(self, n: int, width: int = TILE_WIDTH) -> bytes:
        """Give an entry bundle of ``width`` entries; raise NoSuchEntry for one not filled so far."""
        return encode_bundle(self.entries(n * TILE_WIDTH, n * TILE_WIDTH + width))

    def inclusion_path(self, index: int, size: int) -> list[bytes]:
        """Prove that entry ``index`` is in the log of ``size``; raise OutsideTree or NoSuchEntry."""
        with self._tiles() as load:
            return merkle.inclusion_path(index, size, TileHashReader(load, size))

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        """Prove that the log of ``new`` extends that of ``old``; raise OutsideTree or NoSuchEntry."""
        with self._tiles() as load:
            return merkle.consistency_path(old, new, TileHashReader(load, new))

    def root(self, size: int) -> bytes:
        """Give the root of the log of ``size``; raise NoSuchEntry beyond the log."""
        with self._tiles() as load:
            return merkle.root_from(size, TileHashReader(load, size))

    @contextmanager
    def _shard(self) -> Iterator[tuple[Connection, Shard]]:
        with self._database.read() as session:
            connection = session.connection()
            yield connection, log_store.shard_at(connection, self._number)

    @contextmanager
    def _tiles(self) -> Iterator[TileLoader]:
        with self._shard() as (connection, shard):
            yield log_store.tile_loader(connection, shard.number)
