"""The journal: every frame that was taken, on disk before it is answered, in segments of raw frames.

Frames that wait at the same moment share one write and one sync, so a thousand stations cost little more than
one. A segment (``NNNNNNNN.hj212``) is closed for good when the next begins, and each start of the process
begins a new one: a tail that a crash tore stays the tail of a segment, where reading passes over it. The
segments stand in the form that ``headwaters publish`` reads, so the journal is evidence, too.
"""

import asyncio
import os
import re
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from audit.durable import sync_folder
from contracts.clock import Clock
from contracts.errors import Unavailable
from nodes.background import in_thread

MAX_WAITING_BYTES = 512 * 1024 * 1024
SEGMENT_BYTES = 8 * 1024 * 1024
_NAME = re.compile(r"([0-9]{8})\.hj212", re.ASCII)


class JournalFull(Unavailable):
    """The journal holds more than it may before somebody takes it."""

    code = "station-journal-full"
    title_zh = "站点报文日志已满"
    next_zh = "用 headwaters source list 查看为何没有取走;在此之前不应答站点,站点会重发。"
    next_en = "See with headwaters source list why nobody takes it; stations get no answer and send again."


class Journal:
    """Segments of frames in one folder; ``append`` from any thread, ``close_segment`` to begin the next."""

    def __init__(self, folder: Path, clock: Clock, *, max_bytes: int = MAX_WAITING_BYTES) -> None:
        """Begin a new segment after those that are there; ``clock`` dates the end of each."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._closed_bytes = sum(path.stat().st_size for path in segments(folder))
        self._number = _newest(folder)
        for path in segments(folder)[-1:]:
            # A process that ended never dated its last segment; it ends now.
            self._date(path)
        self._file = -1
        self._size = 0
        self._begin()

    @property
    def size_bytes(self) -> int:
        """Count the bytes of the open segment."""
        return self._size

    def append(self, frames: Sequence[bytes]) -> None:
        """Write frames and wait for the disk; raise JournalFull or OSError, and then nothing was promised."""
        content = b"".join(frames)
        with self._lock:
            if self._closed_bytes + self._size + len(content) > self._max_bytes:
                raise JournalFull(f"{self._closed_bytes + self._size} bytes wait")
            written = 0
            while written < len(content):
                written += os.write(self._file, content[written:])
            os.fsync(self._file)
            self._size += len(content)
            if self._size >= SEGMENT_BYTES:
                self._end()

    def close_segment(self, *, even_empty: bool = False) -> None:
        """End the open segment and begin the next; one without a frame goes on, unless it is asked for."""
        with self._lock:
            if self._size or even_empty:
                self._end()

    def closed(self) -> list[Path]:
        """List the segments that are closed and still here, oldest first."""
        return [path for path in segments(self._folder) if number_of(path) < self._number]

    def remove(self, segment: Path, keep: Path | None = None) -> None:
        """Take a closed segment away, into the folder ``keep`` where one is given."""
        size = segment.stat().st_size
        if keep is None:
            segment.unlink()
        else:
            keep.mkdir(mode=0o700, exist_ok=True)
            segment.replace(keep / segment.name)
            sync_folder(keep)
        sync_folder(self._folder)
        with self._lock:
            self._closed_bytes -= size

    def close(self) -> None:
        """Close the file; a later append raises OSError, for it must not reach another file."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def _end(self) -> None:
        self._date(self._file)
        os.close(self._file)
        self._closed_bytes += self._size
        self._begin()

    def _date(self, segment: Path | int) -> None:
        """Set the moment of a segment's end, from which sub-packets wait for the rest of their set."""
        now = self._clock.now().timestamp()
        os.utime(segment, (now, now))

    def _begin(self) -> None:
        self._number += 1
        path = self._folder / f"{self._number:08}.hj212"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        sync_folder(self._folder)


def segments(folder: Path) -> list[Path]:
    """List the segments of a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def number_of(segment: Path) -> int:
    """Give the number of a segment."""
    match = _NAME.fullmatch(segment.name)
    if match is None:
        raise ValueError(f"{segment.name} is no segment")
    return int(match[1])


def _newest(folder: Path) -> int:
    """Give the highest number in use; the open segment always has a file, so numbers only rise."""
    return max((number_of(path) for path in [*segments(folder), *segments(folder / "kept")]), default=0)


class GroupCommit:
    """Brings frames of many connections to the journal together; ``append`` returns when they are durable."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def append(self, frames: bytes) -> None:
        """Wait until the frames are on disk; raise JournalFull or OSError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((frames, done))
        if self._running is None:
            self._running = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await in_thread(partial(self._journal.append, [frames for frames, _ in group]))
                except (JournalFull, OSError) as error:
                    for _, done in group:
                        if not done.done():
                            done.set_exception(error)
                else:
                    for _, done in group:
                        if not done.done():
                            done.set_result(None)
        finally:
            self._running = None
