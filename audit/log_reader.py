"""Reading the log: checkpoints, entries, tiles, bundles and proofs, for HTTP and for people.

Every call opens its own read session and sees only what is durable, so any number of threads may read while
the sequencer writes. Formats are those of c2sp.org/tlog-tiles; a partial tile is cut from the stored one.
"""

from audit import log_store, merkle
from audit.database import Database
from audit.log_store import NoSuchEntry
from audit.tile import TILE_WIDTH, TileHashReader, encode_bundle
from contracts.errors import NotFound


class NoCheckpoint(NotFound):
    """The log has not signed a checkpoint yet."""

    code = "no-checkpoint"
    title_zh = "日志尚无检查点"
    next_zh = "等待日志启动后再试。"
    next_en = "Wait until the log has started."


class LogReader:
    """A log as its readers see it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def size(self) -> int:
        """Give the size of the newest signed checkpoint; 0 before the first."""
        with self._database.read() as session:
            newest = log_store.newest_checkpoint(session.connection())
        return newest.size if newest else 0

    def checkpoint(self) -> bytes:
        """Give the newest checkpoint note, signed by the log only; raise NoCheckpoint before the first."""
        with self._database.read() as session:
            newest = log_store.newest_checkpoint(session.connection())
        if newest is None:
            raise NoCheckpoint
        return newest.note.encode()

    def cosigned(self) -> bytes | None:
        """Give the newest published note, signed by the log and a quorum of witnesses."""
        with self._database.read() as session:
            newest = log_store.newest_cosigned(session.connection())
        return newest.note.encode() if newest else None

    def entry(self, index: int) -> bytes:
        """Give the bytes of one entry; raise NoSuchEntry."""
        return self.entries(index, index + 1)[0]

    def leaf_hash(self, index: int) -> bytes:
        """Give the RFC 6962 leaf hash of one entry; raise NoSuchEntry."""
        with self._database.read() as session:
            return log_store.leaf_hash_at(session.connection(), index)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Give the entries ``start`` to ``end`` (excluded); raise NoSuchEntry unless the log has them all."""
        if not 0 <= start <= end:
            raise NoSuchEntry(f"the log has no entries {start} to {end}")
        with self._database.read() as session:
            rows = log_store.entry_rows(session.connection(), start, end)
        if len(rows) != end - start:
            raise NoSuchEntry(f"the log has {len(rows)} of the entries {start} to {end}")
        return [row["leaf"] for row in rows]

    def tile(self, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """Give ``width`` hashes of a tile; raise NoSuchEntry for one that the log has not filled so far."""
        with self._database.read() as session:
            return log_store.tile_loader(session.connection())(level, n, width)

    def bundle(self, n: int, width: int = TILE_WIDTH) -> bytes:
        """Give an entry bundle of ``width`` entries; raise NoSuchEntry for one not filled so far."""
        return encode_bundle(self.entries(n * TILE_WIDTH, n * TILE_WIDTH + width))

    def inclusion_path(self, index: int, size: int) -> list[bytes]:
        """Prove that entry ``index`` is in the log of ``size``; raise OutsideTree or NoSuchEntry."""
        with self._database.read() as session:
            load = log_store.tile_loader(session.connection())
            return merkle.inclusion_path(index, size, TileHashReader(load, size))

    def consistency_path(self, old: int, new: int) -> list[bytes]:
        """Prove that the log of ``new`` extends that of ``old``; raise OutsideTree or NoSuchEntry."""
        with self._database.read() as session:
            load = log_store.tile_loader(session.connection())
            return merkle.consistency_path(old, new, TileHashReader(load, new))

    def root(self, size: int) -> bytes:
        """Give the root of the log of ``size``; raise NoSuchEntry beyond the log."""
        with self._database.read() as session:
            load = log_store.tile_loader(session.connection())
            return merkle.root_from(size, TileHashReader(load, size))
