"""Tasks that run beside the requests: repeated actions, and what happens when one of them breaks.

A refusal or a part that is down is logged and tried again; anything else is a bug: the task stops, and
readiness says which one, so that nobody believes the exchange is whole.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from contracts.errors import HeadwatersError
from exchange.log.status import LogState

Task = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


def every(seconds: float, name: str, action: Callable[[], Awaitable[object]]) -> Task:
    """Give a task that does ``action``, waits ``seconds``, and begins again."""

    async def repeat() -> None:
        while True:
            try:
                await action()
            except HeadwatersError as error:
                log.warning("background_action_failed", task=name, code=error.code)
            await asyncio.sleep(seconds)

    return repeat


@asynccontextmanager
async def running(tasks: Mapping[str, Task], state: LogState) -> AsyncIterator[None]:
    """Run ``tasks`` while the block runs; one that breaks is named in ``state``."""

    async def guard(name: str, task: Task) -> None:
        try:
            await task()
        except Exception as error:  # named in readiness, then raised again
            state.stopped_tasks.append(name)
            log.error("background_task_broke", task=name, error=type(error).__name__)  # noqa: TRY400  # no stack
            raise

    started = [asyncio.create_task(guard(name, task), name=name) for name, task in tasks.items()]
    try:
        yield
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
