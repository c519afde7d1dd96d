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
class Waiter:
    """Somebody who waits for the log: by a thread's future, or by a coroutine's on its loop."""

    future: "Future[Any] | asyncio.Future[Any]"

    def begin(self) -> bool:
        """Say whether anybody still waits; from then on a thread cannot take back what it asked for."""
        if isinstance(self.future, Future):
            return self.future.set_running_or_notify_cancel()
        return not self.future.cancelled()


@dataclass(frozen=True, slots=True)
class Job(Waiter):
    """A unit that is to run in the next batch."""

    work: Callable[[Unit], Any]


@dataclass(frozen=True, slots=True)
class Turn(Waiter):
    """The wish that the log open its next shard; it is the log's own work and no unit's."""


class WaitingLine:
    """Units and turns on their way to the writer thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Waiter] = []
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

    def put(self, waiter: Waiter) -> None:
        """Let a unit wait; raise LogUnavailable when nobody would gather it."""
        with self._changed:
            if not self._is_open:
                raise LogUnavailable("the log is not running")
            self._waiting.append(waiter)
            if len(self._waiting) == 1:
                self._changed.notify()

    def gather(self, window_seconds: float, limit: int) -> list[Waiter]:
        """Wait for a unit, then for what else comes within the window; none once the queue is closed."""
        with self._changed:
            while self._is_open and not self._waiting:
                self._changed.wait()
            deadline = time.monotonic() + window_seconds
            while self._is_open and (left := deadline - time.monotonic()) > 0 and len(self._waiting) < limit:
                self._changed.wait(left)
            batch, self._waiting = self._waiting[:limit], self._waiting[limit:]
            return batch


def answer(answers: Iterable[tuple[Waiter, Outcome]]) -> None:
    """Give everybody what came of what they asked for."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for waiter, outcome in answers:
        if isinstance(waiter.future, Future):
            _tell(waiter.future, outcome)
        else:
            loops.setdefault(waiter.future.get_loop(), []).append((waiter.future, outcome))
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
