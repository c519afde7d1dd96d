"""Where ``audit.walk.fsck`` reads a log from: the database that keeps it, or a directory it was exported to.

A source reports what is stored and judges nothing; what is missing is left out, so the walk can name it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import HASH_SIZE
from audit.formats.note import MAX_NOTE_BYTES, parse_note
from audit.formats.tile import TILE_WIDTH, TileCorrupt, decode_bundle, entries_path, tile_path, width_in
from audit.log import log_store
from audit.log.log_store import NoSuchEntry, StoredEntry, StoredNote
from audit.log.shards import Shard
from contracts.errors import Invalid

HEADS_FILE = "heads.json"
_AHEAD = 16 * TILE_WIDTH  # entries; 4 MiB of the usual size
# A directory may come from anybody, and a file in it be larger than this machine's memory.
_MAX_FILE_BYTES = TILE_WIDTH * (2 + 65_535)  # a bundle of the largest entries; everything else is smaller
_MAX_HEADS_BYTES = 256 * 1024 * 1024


class LogSource(Protocol):
    """A stored log; sizes and indexes in it are claims."""

    @property
    def origin(self) -> str:
        """The name of the shard."""
        ...

    def entry_count(self) -> int:
        """Give one more than the last index that is stored."""
        ...

    def heads(self) -> bytes | None:
        """Give the subscription heads with which a later shard begins, where they are kept."""
        ...

    def checkpoints(self) -> Iterator[StoredNote]:
        """Give the notes that the log signed, smallest first."""
        ...

    def cosigned(self) -> Iterator[StoredNote]:
        """Give the notes that were published with cosignatures, smallest first."""
        ...

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        """Give what is stored of the entries ``start`` to ``end`` (excluded), which lie in one bundle.

        Each comes once, and they come in order.
        """
        ...

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Give a tile up to ``width`` hashes, or as much of it as is stored."""
        ...


def every_entry(source: LogSource) -> Iterator[StoredEntry]:
    """Give all entries in order, read bundle by bundle; raise NoSuchEntry where one is missing."""
    count = source.entry_count()
    for start in range(0, count, TILE_WIDTH):
        end = min(start + TILE_WIDTH, count)
        stored = source.entries(start, end)
        if len(stored) != end - start:
            raise NoSuchEntry(f"the log has {len(stored)} of the entries {start} to {end}")
        yield from stored


class NotAnExport(Invalid):
    """The directory holds no exported log."""

    code = "not-an-export"
    title_zh = "该目录不是导出的日志"


class DatabaseSource:
    """One shard of a log in its database, seen in one snapshot and read some bundles ahead."""

    def __init__(self, connection: Connection, number: int | None = None) -> None:
        self._connection = connection
        self._shard = log_store.shard_at(connection, number)
        self._ahead: list[StoredEntry] = []
        self._ahead_from, self._ahead_to = 0, 0

    @classmethod
    @contextmanager
    def open(cls, database: Database, number: int | None = None) -> "Iterator[DatabaseSource]":
        """Read a shard, the newest by default, as it stands now, whatever is appended meanwhile."""
        with database.read() as session:
            yield cls(session.connection(), number)

    @property
    def shard(self) -> Shard:
        """The shard that is read."""
        return self._shard

    @property
    def origin(self) -> str:
        return self._shard.origin

    def heads(self) -> bytes | None:
        return log_store.carried(self._connection, self._shard.number - 1)

    def entry_count(self) -> int:
        return log_store.entry_count(self._connection, self._shard)

    def checkpoints(self) -> Iterator[StoredNote]:
        return self._pages(log_store.checkpoints_from)

    def cosigned(self) -> Iterator[StoredNote]:
        return self._pages(log_store.cosigned_from)

    def _pages(self, read: Callable[[Connection, int, int, int], list[StoredNote]]) -> Iterator[StoredNote]:
        start = 0
        while page := read(self._connection, self._shard.number, start, TILE_WIDTH):
            yield from page
            start = page[-1].size + 1

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        if not self._ahead_from <= start <= end <= self._ahead_to:
            self._ahead_from, self._ahead_to = start, max(end, start + _AHEAD)
            self._ahead = log_store.entry_rows(self._connection, self._shard, start, self._ahead_to)
        first = bisect_left(self._ahead, start, key=_index)
        return self._ahead[first : bisect_left(self._ahead, end, lo=first, key=_index)]

    def tile(self, level: int, n: int, width: int) -> bytes:
        try:
            tile = log_store.stored_tile(self._connection, self._shard.number, level, n)
        except NoSuchEntry:
            return b""
        return tile[: width * HASH_SIZE]


class DirectorySource:
    """A log in files (c2sp.org/tlog-tiles); a partial tile may have given way to the full one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            note = _read_file(directory / "checkpoint", MAX_NOTE_BYTES)
        except OSError as error:
            raise NotAnExport("there is no checkpoint in the directory") from error
        claim = Checkpoint.parse(parse_note(note).text)
        self._origin, self._size = claim.origin, claim.size
        self._note = StoredNote(self._size, note.decode())

    @property
    def origin(self) -> str:
        return self._origin

    def heads(self) -> bytes | None:
        place = self._directory / HEADS_FILE
        return _read_file(place, _MAX_HEADS_BYTES) if place.is_file() else None

    def entry_count(self) -> int:
        return self._size

    def checkpoints(self) -> Iterator[StoredNote]:
        yield self._note

    def cosigned(self) -> Iterator[StoredNote]:
        yield self._note

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        n = start // TILE_WIDTH
        raw, width = self._read(partial(entries_path, n), width_in(self._size, 0, n))
        leaves = decode_bundle(raw) if raw else []
        if len(leaves) > width:
            raise TileCorrupt(f"{entries_path(n, width)} holds more entries than its name says")
        wanted = leaves[start - n * TILE_WIDTH : end - n * TILE_WIDTH]
        return [StoredEntry(start + at, leaf) for at, leaf in enumerate(wanted)]

    def tile(self, level: int, n: int, width: int) -> bytes:
        raw, stored = self._read(partial(tile_path, level, n), width_in(self._size, level, n))
        # A tile that is longer than its name says is no tile; one that is too short shows what it lacks.
        return raw[: width * HASH_SIZE] if len(raw) <= stored * HASH_SIZE else b""

    def _read(self, path: Callable[[int], str], width: int) -> tuple[bytes, int]:
        """Give a file and the width that its name says, or nothing at all."""
        for stored in (width, TILE_WIDTH):
            place = self._directory / path(stored)
            if place.is_file():
                return _read_file(place, _MAX_FILE_BYTES), stored
        return b"", width


def _read_file(place: Path, limit: int) -> bytes:
    """Read a file, and of one that is too large only so much that it is refused for that."""
    with place.open("rb") as file:
        return file.read(limit + 1)


def _index(entry: StoredEntry) -> int:
    return entry.idx
