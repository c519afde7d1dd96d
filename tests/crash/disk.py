"""What a disk may hold after the power has failed: everything that was synced, and any part of the rest.

Each block of a file that was written and not synced may have reached the disk at any point of its history, on
its own and in any order; so may the file's length. Names that were made, moved or removed reach the disk in
order, up to any point, until their folder is synced. A sync that failed loses what it should have kept, as
Linux does: a later sync does not bring it back.
"""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Create:
    """A file appears under a name, empty."""

    path: str


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes are written somewhere in a file."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file gets another length."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A file's bytes are durable from here on; not so, and lost to every later sync, when it ``failed``."""

    path: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """A file takes another name, whatever stood there before."""

    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A name disappears."""

    path: str


@dataclass(frozen=True, slots=True)
class SyncFolder:
    """The names in a folder are durable from here on."""

    folder: str


Operation: TypeAlias = Create | Write | Cut | Sync | Rename | Remove | SyncFolder

PAGE = 4096  # what the kernel writes back at once
SECTOR = 512  # what a disk writes at once: smaller pieces are not torn


@dataclass
class _File:
    """Bytes on the disk, and what was done since the last sync, oldest first."""

    durable: bytes = b""
    pending: list[Write | Cut] = field(default_factory=list)

    def settle(self) -> None:
        self.durable, self.pending = _after(self.durable, self.pending), []

    def survivor(self, chance: random.Random, block: int) -> bytes:
        """Give one content that the disk may hold."""
        match chance.choice(["nothing", "everything", "anything"]) if self.pending else "nothing":
            case "nothing":
                return self.durable
            case "everything":
                return _after(self.durable, self.pending)
            case _:
                return self._mixture(chance, block)

    def _mixture(self, chance: random.Random, block: int) -> bytes:
        sizes = [len(self.durable)]
        touching: dict[int, list[Write | Cut]] = {}
        for one in self.pending:
            first, end = _extent(one, sizes[-1])
            sizes.append(one.size if isinstance(one, Cut) else max(sizes[-1], end))
            for at in range(first - first % block, end, block):
                touching.setdefault(at, []).append(one)
        content = bytearray(self.durable)
        _resize(content, max(sizes))
        for at, done in touching.items():
            content[at : at + block] = _piece(content, at, block, done[: chance.randint(0, len(done))])
        _resize(content, chance.choice(sizes))
        return bytes(content)


def _extent(one: Write | Cut, size: int) -> tuple[int, int]:
    return (one.size, size) if isinstance(one, Cut) else (one.offset, one.offset + len(one.data))


def _piece(content: bytearray, at: int, block: int, done: list[Write | Cut]) -> bytes:
    piece = bytearray(content[at : at + block])
    for one in done:
        if isinstance(one, Cut):
            start = max(0, one.size - at)
            piece[start:] = bytes(len(piece) - start)
        else:
            start, skip = max(0, one.offset - at), max(0, at - one.offset)
            part = one.data[skip : skip + len(piece) - start]
            piece[start : start + len(part)] = part
    return bytes(piece)


def _resize(content: bytearray, size: int) -> None:
    content.extend(bytes(max(0, size - len(content))))
    del content[size:]


class Disk:
    """A folder as the disk holds it, and as the processes see it."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        self._durable = {
            str(path): _File(path.read_bytes())
            for path in sorted(self._root.rglob("*"))
            if path.is_file() and not path.name.endswith("-shm")
        }
        self._seen = dict(self._durable)
        self._began_with = frozenset(self._durable)
        self._names: list[Create | Rename | Remove] = []
        self._made: dict[str, list[_File]] = {}  # the files behind the pending creations, in order

    def began_with(self, path: str) -> bool:
        """Say whether this file was there from the beginning."""
        return path in self._began_with

    def do(self, operation: Operation) -> None:
        """Let one operation happen."""
        match operation:
            case Create(path):
                self._seen[path] = _File()
                self._made.setdefault(path, []).append(self._seen[path])
                self._names.append(operation)
            case Write(path) | Cut(path):
                self._seen[path].pending.append(operation)
            case Sync(path, failed):
                if failed:
                    self._seen[path].pending.clear()
                else:
                    self._seen[path].settle()
            case Rename(path, to):
                self._seen[to] = self._seen.pop(path)
                self._names.append(operation)
            case Remove(path):
                self._seen.pop(path, None)
                self._names.append(operation)
            case SyncFolder(folder):
                self._settle_names(folder)

    def write_image(self, chance: random.Random, block: int) -> None:
        """Put one state that the disk may be in after a crash at this moment in the place of the folder."""
        folders = [path for path in self._root.rglob("*") if path.is_dir()]
        shutil.rmtree(self._root)
        for folder in (self._root, *sorted(folders)):
            folder.mkdir(mode=0o700)
        names, made = dict(self._durable), {path: list(files) for path, files in self._made.items()}
        for one in self._names[: chance.randint(0, len(self._names))]:
            _rename(names, made, one)
        for path, file in names.items():
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(path).write_bytes(file.survivor(chance, block))
            Path(path).chmod(0o600)

    def _settle_names(self, folder: str) -> None:
        # The journal of a file system keeps the order of names: what came before is durable with it.
        last = max((place for place, one in enumerate(self._names) if folder in _folders(one)), default=-1)
        for one in self._names[: last + 1]:
            _rename(self._durable, self._made, one)
        del self._names[: last + 1]


def _rename(names: dict[str, _File], made: dict[str, list[_File]], one: Create | Rename | Remove) -> None:
    match one:
        case Create(path):
            names[path] = made[path].pop(0)
        case Rename(path, to):
            names[to] = names.pop(path)
        case Remove(path):
            names.pop(path, None)


def _folders(one: Create | Rename | Remove) -> set[str]:
    paths = [one.path, one.to] if isinstance(one, Rename) else [one.path]
    return {str(Path(path).parent) for path in paths}


def _after(content: bytes, done: list[Write | Cut]) -> bytes:
    raw = bytearray(content)
    for one in done:
        match one:
            case Write(_, offset, data):
                raw.extend(bytes(max(0, offset - len(raw))))
                raw[offset : offset + len(data)] = data
            case Cut(_, size):
                _resize(raw, size)
    return bytes(raw)
