"""A4: from a call to its durable receipt, at 100 appends a second, beside one flush of the same disk."""

import asyncio
import os
import time
from pathlib import Path

from audit.log.sequencer import Log
from benchmarks.figures import Figure, Limit, percentile
from benchmarks.logs import append_grant, open_log

PER_SECOND = 100
SECONDS = 10
FLUSHES = 300


def run(folder: Path) -> list[Figure]:
    """Measure a plain flush, then the appends."""
    flush = Limit("ms, write + fdatasync of 4 KiB", _flush_ms(folder / "plain"))
    with open_log(folder) as log:
        waits = asyncio.run(_steady(log))
    return [
        Figure("A4", "append to durable, p50", percentile(waits, 0.5), "ms", flush, bar="15 ms", aim="6 ms"),
        Figure(
            "A4", "append to durable, p99", percentile(waits, 0.99), "ms", flush, bar="60 ms", aim="20 ms"
        ),
    ]


def _flush_ms(path: Path) -> float:
    page, waits = os.urandom(4096), []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for _ in range(FLUSHES):
            began = time.perf_counter()
            os.write(descriptor, page)
            os.fdatasync(descriptor)
            waits.append((time.perf_counter() - began) * 1000)
    finally:
        os.close(descriptor)
    return percentile(waits, 0.5)


async def _steady(log: Log) -> list[float]:
    """Start an append every 10 ms whatever the others do, and give the milliseconds each took."""

    async def call() -> float:
        began = time.perf_counter()
        await log.commit(append_grant)
        return (time.perf_counter() - began) * 1000

    began, calls = time.perf_counter(), []
    for number in range(PER_SECOND * SECONDS):
        calls.append(asyncio.create_task(call()))
        await asyncio.sleep(max(0, began + (number + 1) / PER_SECOND - time.perf_counter()))
    return await asyncio.gather(*calls)
