"""Blocking work beside the event loop, in threads that never hold up the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    value: T


async def in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a daemon thread and give what it returns or raises.

    The default executor would be waited for when the process ends, even while a call hangs on the network.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Outcome[T]] = loop.create_future()

    def settle(outcome: _Outcome[T] | None, error: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if outcome is not None:
            done.set_result(outcome)
        elif error is not None:
            done.set_exception(error)

    def run() -> None:
        outcome, error = None, None
        try:
            outcome = _Outcome(work())
        except BaseException as caught:  # noqa: BLE001  # handed on whole to the awaiting side
            error = caught
        try:
            loop.call_soon_threadsafe(settle, outcome, error)
        except RuntimeError:
            return  # the loop has ended in the meantime

    threading.Thread(target=run, daemon=True, name="node-background").start()
    return (await done).value
