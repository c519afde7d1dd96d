"""The record of a run: everything that was done to the files of a folder, and every promise made on the way.

SQLite's operations come from ``vfs``; those of Python's own files from the interpreter's audit events and
from ``os.fsync``. Both, and the promises, stand in one order: a crash image at any point of it can be held
against exactly what had been promised by then. A ``Fault`` makes the disk fail while the run goes on.
"""

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self, TypeAlias

import pytest

from tests.crash import vfs
from tests.crash.disk import Create, Cut, Disk, Operation, Remove, Rename, Sync, SyncFolder, Write
from tests.crash.vfs import Code, Verdict

_WRITES = os.O_WRONLY | os.O_RDWR
_IGNORED = ("-shm", ".lock")


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that left the process: whoever heard it may rely on it for ever."""

    what: str
    about: str
    content: bytes


Event: TypeAlias = Operation | Promise


class FaultKind(StrEnum):
    """How a disk fails under a running process."""

    FULL = "ENOSPC"
    TORN = "torn write"
    WRITE = "EIO on write"
    SYNC = "EIO on sync"
    READ = "EIO on read"


@dataclass
class Fault:
    """A disk that fails for ``left`` operations after the next ``after`` of them have gone well."""

    kind: FaultKind
    chance: random.Random
    after: int
    left: int

    @classmethod
    def soon(cls, kind: FaultKind, chance: random.Random, *, within: int) -> Self:
        """Make a fault that strikes before ``within`` writes or reads; syncs are fewer."""
        least = max(1, within // 6) if kind is FaultKind.SYNC else within
        return cls(kind, chance, after=chance.randrange(least), left=chance.randint(1, 6))

    def strikes(self, *kinds: FaultKind) -> bool:
        """Say whether this operation, to which one of ``kinds`` can happen, meets the fault."""
        if self.kind not in kinds or not self.left:
            return False
        if self.after:
            self.after -= 1
            return False
        self.left -= 1
        return True


@dataclass
class Recorder:
    """Writes down what happens below a folder; ``fault`` is in force while it is set."""

    folder: Path
    disk: Disk  # as it was when the recording began
    events: list[Event] = field(default_factory=list)
    fault: Fault | None = None
    deaf: bool = False  # as if Python's files were never synced: for the proof that the harness would notice
    struck: int = 0  # operations that met a fault
    _dirty: set[str] = field(default_factory=set)  # Python's own files, written and not synced since
    _known: dict[str, bytes] = field(default_factory=dict)  # what they held when they were looked at last

    def promise(self, what: str, about: str = "", content: bytes = b"") -> None:
        """Note what has just left the process."""
        self._look()
        self.events.append(Promise(what, about, content))

    # --- SQLite's files -----------------------------------------------------------------------

    def opens(self, path: str) -> None:
        if not path.endswith(_IGNORED):
            self.events.append(Create(path))

    def reads(self, _path: str) -> Verdict:
        return Verdict(Code.IOERR_READ) if self._strikes(FaultKind.READ) else Verdict()

    def writes(self, path: str, offset: int, data: bytes) -> Verdict:
        if not self._strikes(FaultKind.FULL, FaultKind.WRITE, FaultKind.TORN) or self.fault is None:
            self.events.append(Write(path, offset, data))
            return Verdict()
        if self.fault.kind is FaultKind.FULL:
            return Verdict(Code.FULL)
        kept = self.fault.chance.randrange(len(data)) if self.fault.kind is FaultKind.TORN else 0
        if kept:
            self.events.append(Write(path, offset, data[:kept]))
        return Verdict(Code.IOERR_WRITE, kept)

    def truncates(self, path: str, size: int) -> Verdict:
        self.events.append(Cut(path, size))
        return Verdict()

    def syncs(self, path: str, *, folder: bool) -> Verdict:
        if self._strikes(FaultKind.SYNC) and self.fault is not None:
            # What a failed sync left unwritten is lost to every later one; it may also all be there.
            self.events.append(Sync(path, failed=self.fault.chance.random() < 0.5))
            return Verdict(Code.IOERR_FSYNC)
        self.events.append(Sync(path))
        if folder:
            self.events.append(SyncFolder(str(Path(path).parent)))
        return Verdict()

    def removes(self, path: str, *, folder: bool) -> None:
        self.events.append(Remove(path))
        if folder:
            self.events.append(SyncFolder(str(Path(path).parent)))

    # --- Python's own files -------------------------------------------------------------------

    def hears(self, event: str, arguments: tuple[object, ...]) -> None:
        """Take one of the interpreter's audit events; it comes before the thing itself."""
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            path = self._own(arguments[0])
            if path is not None:
                self._opened(path, arguments[2])
        elif event == "os.rename":
            path, to = self._own(arguments[0]), self._own(arguments[1])
            if path is not None and to is not None:
                self._meet(path)
                self._look()
                self._dirty.discard(path)
                self._known[to] = self._known.pop(path, b"")
                self.events.append(Rename(path, to))
        elif event == "os.remove" and (path := self._own(*arguments)) is not None:
            self._dirty.discard(path)
            if self._known.pop(path, None) is not None or Path(path).exists():
                self.events.append(Remove(path))

    def synced(self, descriptor: int) -> None:
        """Take an ``os.fsync``; raise OSError where the fault strikes."""
        path = self._own(Path(f"/proc/self/fd/{descriptor}").readlink())
        if path is None or self.deaf:
            return
        if self._strikes(FaultKind.FULL, FaultKind.WRITE, FaultKind.SYNC, FaultKind.TORN) and self.fault:
            full = self.fault.kind is FaultKind.FULL
            raise OSError(errno.ENOSPC if full else errno.EIO, "injected")
        if Path(path).is_dir():
            self.events.append(SyncFolder(path))
        else:
            self._meet(path)
            self._look()
            self._dirty.discard(path)
            self.events.append(Sync(path))

    def _opened(self, path: str, flags: int) -> None:
        if not Path(path).exists():
            if flags & os.O_CREAT:
                self.events.append(Create(path))
            self._known[path] = b""
        elif flags & os.O_TRUNC:
            self.events.append(Cut(path, 0))
            self._known[path] = b""
        elif path not in self._known:
            self._known[path] = Path(path).read_bytes()
        if not path.endswith((".db", "-wal")):
            self._dirty.add(path)

    def _meet(self, path: str) -> None:
        """Take in a file that a library wrote past Python, when it is synced or moved for the first time."""
        if path not in self._known and not self.disk.began_with(path):
            self.events.append(Create(path))
            self._known[path] = b""
            self._dirty.add(path)

    def _look(self) -> None:
        """Write down what Python's own files hold by now: only a sync or a rename shows them otherwise."""
        for path in sorted(self._dirty):
            content, known = Path(path).read_bytes(), self._known[path]
            if content == known:
                continue
            start = len(known) if content.startswith(known) else 0
            self.events += [Write(path, start, content[start:]), Cut(path, len(content))]
            self._known[path] = content

    def _own(self, path: object, folder: object = -1) -> str | None:
        """Give the full path of a file that the record is about; ``folder`` is open where it is not -1."""
        if not isinstance(path, str | os.PathLike):
            return None
        if isinstance(folder, int) and folder >= 0:
            path = Path(f"/proc/self/fd/{folder}").readlink() / path
        full = os.path.realpath(path)
        inside = full.startswith(f"{self.folder}{os.sep}") or full == str(self.folder)
        return full if inside and not full.endswith(_IGNORED) else None

    def _strikes(self, *kinds: FaultKind) -> bool:
        struck = self.fault is not None and self.fault.strikes(*kinds)
        self.struck += struck
        return struck


_listening: list[Recorder] = []
_hooked: list[Callable[..., None]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _listening and event in {"open", "os.rename", "os.remove"}:
        _listening[-1].hears(event, arguments)


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Record what this process does below ``folder``, through handles that are opened in the block."""
    if not _hooked:
        sys.addaudithook(_hear)  # there is no taking it back, so it listens only while it is asked to
        _hooked.append(_hear)
    recorder = Recorder(folder.resolve(), Disk(folder))
    with pytest.MonkeyPatch.context() as patch, vfs.watching(folder, recorder):
        patch.setattr(os, "fsync", recorder.synced)
        _listening.append(recorder)
        try:
            yield recorder
            recorder._look()
        finally:
            _listening.pop()
