"""Where ``audit.fsck`` reads a log from: the database that keeps it, or a directory it was exported to.

A source reports what is stored and judges nothing; what is missing is left out, so the walk can name it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from audit import log_store
from audit.checkpoint import Checkpoint
from audit.database import Database
from audit.log_store import NoSuchEntry, StoredNote
from audit.merkle import HASH_SIZE
from audit.note import parse_note
from audit.tile import TILE_HEIGHT, TILE_WIDTH, decode_bundle, entries_path, tile_path
from contracts.errors import Invalid

_PAGE = 256


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One entry as it is stored, with what the store says about it, where it says anything."""

    index: int
    leaf: bytes
    leaf_hash: bytes | None = None
    kind: str | None = None


class LogSource(Protocol):
    """A stored log; sizes and indexes in it are claims."""

    def entry_count(self) -> int:
        """Give one more than the last index that is stored."""
        ...

    def checkpoints(self) -> Iterator[StoredNote]:
        """Give the notes that the log signed, smallest first."""
        ...

    def cosigned(self) -> Iterator[StoredNote]:
        """Give the notes that were published with cosignatures, smallest first."""
        ...

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        """Give what is stored of the entries ``start`` to ``end`` (excluded), which lie in one bundle."""
        ...

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Give a tile up to ``width`` hashes, or as much of it as is stored."""
        ...


class NotAnExport(Invalid):
    """The directory holds no exported log."""

    code = "not-an-export"
    title_zh = "该目录不是导出的日志"


class DatabaseSource:
    """A log in its database, seen in one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, database: Database) -> "Iterator[DatabaseSource]":
        """Read the log as it stands now, whatever is appended meanwhile."""
        with database.read() as session:
            yield cls(session.connection())

    def entry_count(self) -> int:
        return log_store.entry_count(self._connection)

    def checkpoints(self) -> Iterator[StoredNote]:
        start = 0
        while page := log_store.checkpoints_from(self._connection, start, _PAGE):
            yield from page
            start = page[-1].size + 1

    def cosigned(self) -> Iterator[StoredNote]:
        start = 0
        while page := log_store.cosigned_from(self._connection, start, _PAGE):
            yield from page
            start = page[-1].size + 1

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        rows = log_store.entry_rows(self._connection, start, end)
        return [StoredEntry(row["idx"], row["leaf"], row["leaf_hash"], row["kind"]) for row in rows]

    def tile(self, level: int, n: int, width: int) -> bytes:
        try:
            return log_store.stored_tile(self._connection, level, n)[: width * HASH_SIZE]
        except NoSuchEntry:
            return b""


class DirectorySource:
    """A log in files (c2sp.org/tlog-tiles); a partial tile may have given way to a wider one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            note = (directory / "checkpoint").read_bytes()
        except OSError as error:
            raise NotAnExport("there is no checkpoint in the directory") from error
        self._size = Checkpoint.parse(parse_note(note).text).size
        self._note = StoredNote(self._size, note.decode())

    def entry_count(self) -> int:
        return self._size

    def checkpoints(self) -> Iterator[StoredNote]:
        yield self._note

    def cosigned(self) -> Iterator[StoredNote]:
        yield self._note

    def entries(self, start: int, end: int) -> list[StoredEntry]:
        n = start // TILE_WIDTH
        raw = self._read(entries_path(n, self._width(0, n)), entries_path(n))
        leaves = decode_bundle(raw)[: end - n * TILE_WIDTH] if raw is not None else []
        return [StoredEntry(n * TILE_WIDTH + place, leaf) for place, leaf in enumerate(leaves)]

    def tile(self, level: int, n: int, width: int) -> bytes:
        raw = self._read(tile_path(level, n, self._width(level, n)), tile_path(level, n))
        return (raw or b"")[: width * HASH_SIZE]

    def _width(self, level: int, n: int) -> int:
        """Give the width of a tile of a log of this size."""
        return min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - n * TILE_WIDTH)

    def _read(self, path: str, full: str) -> bytes | None:
        for name in (path, full):
            place = self._directory / name
            if place.is_file():
                return place.read_bytes()
        return None
