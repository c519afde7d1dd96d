"""Who waits for the log, and how they are answered: from any thread or event loop, a whole batch at a time.

Waking an event loop once for each of a thousand answers takes longer than writing their entries, so those
who wait on one loop are answered by one call.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from audit.log.unit import Committed, Unit
from contracts.errors import Unavailable

Outcome = Committed[Any] | Exception
"""What a unit gave, or what it raised; a batch holds units of every result type, hence Any."""


class LogUnavailable(Unavailable):
    """The log cannot take entries now; nothing of this call is on record unless a later look shows it."""

    code = "log-unavailable"
    title_zh = "日志当前无法写入"
    next_zh = "稍后重试;若持续出现,检查磁盘与数据库。"
    next_en = "Try again; if it goes on, check the disk and the database."


@dataclass(frozen=True, slots=True)
class Job:
    """A unit that waits, and the future of whoever sent it: a thread's, or a coroutine's on its loop."""

    work: Callable[[Unit], Any]
    future: "Future[Any] | asyncio.Future[Any]"

    def begin(self) -> bool:
        """Say whether anybody still waits; from then on a thread cannot take its unit back."""
        if isinstance(self.future, Future):
            return self.future.set_running_or_notify_cancel()
        return not self.future.cancelled()


class JobQueue:
    """Units on their way to the writer thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: list[Job] = []
        self._is_open = False

    def open(self) -> None:
        """Take units from now on."""
        with self._changed:
            self._is_open = True

    def close(self) -> None:
        """Take no more; what waits is still gathered."""
        with self._changed:
            self._is_open = False
            self._changed.notify()

    def put(self, job: Job) -> None:
        """Let a unit wait; raise LogUnavailable when nobody would gather it."""
        with self._changed:
            if not self._is_open:
                raise LogUnavailable("the log is not running")
            self._jobs.append(job)
            if len(self._jobs) == 1:
                self._changed.notify()

    def gather(self, window_seconds: float, limit: int) -> list[Job]:
        """Wait for a unit, then for what else comes within the window; none once the queue is closed."""
        with self._changed:
            while self._is_open and not self._jobs:
                self._changed.wait()
            deadline = time.monotonic() + window_seconds
            while self._is_open and (left := deadline - time.monotonic()) > 0 and len(self._jobs) < limit:
                self._changed.wait(left)
            batch, self._jobs = self._jobs[:limit], self._jobs[limit:]
            return batch


def answer(answers: Iterable[tuple[Job, Outcome]]) -> None:
    """Give everybody what came of their unit."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for job, outcome in answers:
        if isinstance(job.future, Future):
            _tell(job.future, outcome)
        else:
            loops.setdefault(job.future.get_loop(), []).append((job.future, outcome))
    for loop, waiting in loops.items():
        with suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left who waits
            loop.call_soon_threadsafe(_tell_all, waiting)


def _tell_all(waiting: "list[tuple[asyncio.Future[Any], Outcome]]") -> None:
    for future, outcome in waiting:
        if not future.done():  # whoever has gone away needs no answer
            _tell(future, outcome)


def _tell(future: "Future[Any] | asyncio.Future[Any]", outcome: Outcome) -> None:
    if isinstance(outcome, Committed):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)
