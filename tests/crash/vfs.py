"""A thin layer over SQLite's own file layer, inside the library that Python's driver uses.

While a ``Watcher`` is at work, every write, truncation, sync and removal that SQLite does below its folder is
shown to it first, and it may refuse: the real driver then meets a full or failing disk. Locks, shared memory
and everything else go straight to SQLite's "unix" layer (https://www.sqlite.org/vfs.html).
"""

import _sqlite3
import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.parts import missing

_OPEN_CREATE = 0x4
_OPEN_JOURNALS = 0x800 | 0x4000 | 0x80000  # main journal, super-journal, write-ahead log
_METHODS = 19  # words of sqlite3_io_methods, version 3
_READ, _WRITE, _TRUNCATE, _SYNC = 2, 3, 4, 5


class Code(IntEnum):
    """SQLite's result codes that a failing disk gives."""

    OK = 0
    FULL = 13
    IOERR_READ = 10 | 1 << 8
    IOERR_WRITE = 10 | 3 << 8
    IOERR_FSYNC = 10 | 4 << 8


class Verdict(NamedTuple):
    """What becomes of an operation; ``kept`` bytes of a refused write reach the file all the same."""

    code: Code = Code.OK
    kept: int = 0


class Watcher(Protocol):
    """Who hears of SQLite's operations before they happen; paths are absolute."""

    def opens(self, path: str) -> None:
        """A database or journal is opened and will be there if it was not."""
        ...

    def reads(self, path: str) -> Verdict: ...

    def writes(self, path: str, offset: int, data: bytes) -> Verdict: ...

    def truncates(self, path: str, size: int) -> Verdict: ...

    def syncs(self, path: str, *, folder: bool) -> Verdict:
        """A file is synced, and where ``folder`` is set the names beside it too."""
        ...

    def removes(self, path: str, *, folder: bool) -> None: ...


class _Vfs(ctypes.Structure):
    _fields_ = [  # ctypes wants a list
        ("version", c_int),
        ("file_size", c_int),
        ("max_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        ("others", c_void_p * 14),
    ]


_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
_Delete = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_Bytes = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class _OpenFile:
    """One open file: SQLite's own methods for it, ours in front, and what is known of it."""

    def __init__(self, path: str, own: int, *, new_journal: bool) -> None:
        words = (c_void_p * _METHODS).from_address(own)
        self.path = path
        self.read = _Bytes(words[_READ] or 0)
        self.write = _Bytes(words[_WRITE] or 0)
        self.truncate = _Truncate(words[_TRUNCATE] or 0)
        self.sync = _Sync(words[_SYNC] or 0)
        self.syncs_folder = new_journal  # SQLite's unix layer does so once, on the first sync


class _Layer:
    """The layer itself: made once in a process and never taken apart, because files may still be open."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_sqlite3.__file__)
        find, register = library.sqlite3_vfs_find, library.sqlite3_vfs_register
        find.restype, find.argtypes = POINTER(_Vfs), [c_char_p]
        register.argtypes = [POINTER(_Vfs), c_int]
        self._register = register
        self._base = find(None)
        base = self._base.contents
        self._base_open, self._base_delete = _Open(base.open), _Delete(base.delete)
        self._ours = _Vfs.from_buffer_copy(base)
        self._ours.name = b"headwaters-watched"
        self._open, self._delete = _Open(self._on_open), _Delete(self._on_delete)
        self._ours.open = ctypes.cast(self._open, c_void_p)
        self._ours.delete = ctypes.cast(self._delete, c_void_p)
        self._overrides = {
            _READ: _Bytes(self._on_read),
            _WRITE: _Bytes(self._on_write),
            _TRUNCATE: _Truncate(self._on_truncate),
            _SYNC: _Sync(self._on_sync),
        }
        self._methods: dict[int, Any] = {}  # SQLite's methods -> our copy of them; ctypes arrays have no type
        self._files: dict[int, _OpenFile] = {}
        self.folder = ""
        self.watcher: Watcher | None = None

    @contextmanager
    def watching(self, folder: Path, watcher: Watcher) -> Iterator[None]:
        self.folder, self.watcher = f"{folder.resolve()}{os.sep}", watcher
        self._register(self._ours, 1)
        try:
            yield
        finally:
            self._register(self._base, 1)
            self.watcher = None

    def _on_open(self, _vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        watched = self.watcher is not None and path.startswith(self.folder)
        journal = bool(flags & _OPEN_CREATE and flags & _OPEN_JOURNALS)
        existed = not watched or Path(path).exists()
        code = int(self._base_open(ctypes.addressof(self._base.contents), name, file, flags, out))
        own = c_void_p.from_address(file)
        if code == Code.OK and watched and own.value and self.watcher is not None:
            if not existed:
                self.watcher.opens(path)
            self._files[file] = _OpenFile(path, own.value, new_journal=journal)
            own.value = ctypes.addressof(self._copy(own.value))
        return code

    def _copy(self, own: int) -> Any:
        if own not in self._methods:
            words = (c_void_p * _METHODS).from_buffer_copy((c_void_p * _METHODS).from_address(own))
            for place, override in self._overrides.items():
                words[place] = ctypes.cast(override, c_void_p).value
            self._methods[own] = words
        return self._methods[own]

    def _on_delete(self, _vfs: int, name: int, folder: int) -> int:
        path = ctypes.string_at(name).decode()
        if self.watcher is not None and path.startswith(self.folder) and Path(path).exists():
            self.watcher.removes(path, folder=bool(folder))
        return int(self._base_delete(ctypes.addressof(self._base.contents), name, folder))

    def _on_read(self, file: int, buffer: int, size: int, offset: int) -> int:
        one = self._files[file]
        code = self.watcher.reads(one.path).code if self.watcher else Code.OK
        return int(code or one.read(file, buffer, size, offset))

    def _on_write(self, file: int, buffer: int, size: int, offset: int) -> int:
        one = self._files[file]
        verdict = Verdict()
        if self.watcher is not None:
            verdict = self.watcher.writes(one.path, offset, ctypes.string_at(buffer, size))
        if verdict.code is Code.OK:
            return int(one.write(file, buffer, size, offset))
        if verdict.kept:
            one.write(file, buffer, verdict.kept, offset)
        return int(verdict.code)

    def _on_truncate(self, file: int, size: int) -> int:
        one = self._files[file]
        code = self.watcher.truncates(one.path, size).code if self.watcher else Code.OK
        return int(code or one.truncate(file, size))

    def _on_sync(self, file: int, flags: int) -> int:
        one = self._files[file]
        if self.watcher is not None:
            code = self.watcher.syncs(one.path, folder=one.syncs_folder).code
            if code is not Code.OK:
                return int(code)
            one.syncs_folder = False
            # The watcher's record decides what survives; the real disk need not be waited for.
            return int(Code.OK)
        return int(one.sync(file, flags))


_made: list[_Layer] = []


@contextmanager
def watching(folder: Path, watcher: Watcher) -> Iterator[None]:
    """Show ``watcher`` what SQLite does with files below ``folder`` that are opened while the block runs."""
    if not _made:
        try:
            _made.append(_Layer())
        except (AttributeError, OSError):
            missing("a Python whose sqlite3 shows its library", "a Python that is linked to libsqlite3")
    with _made[0].watching(folder, watcher):
        yield
