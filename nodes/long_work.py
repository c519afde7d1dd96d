"""Long work over HTTP: an answer of NDJSON lines, progress first, the result or the problem last."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import structlog
from fastapi.responses import StreamingResponse

from contracts.errors import HeadwatersError
from nodes.problems import problem_of

log = structlog.get_logger(__name__)

NDJSON = "application/x-ndjson"
Fields = dict[str, Any]  # Any: the JSON that people and scripts read
Tell = Callable[[int, int | None], None]
"""Takes how many rows are done, and of how many where that is known."""


def stream_work(work: Callable[[Tell], Fields]) -> StreamingResponse:
    """Run ``work`` beside the answer and write a line for whatever it tells."""
    return StreamingResponse(_lines(work), media_type=NDJSON, headers={"cache-control": "no-store"})


def _lines(work: Callable[[Tell], Fields]) -> Iterator[bytes]:
    lines: queue.SimpleQueue[tuple[bool, Fields]] = queue.SimpleQueue()

    def tell(rows: int, of: int | None) -> None:
        lines.put((False, {"progress": {"rows": rows, "of": of}}))

    def run() -> None:
        try:
            last = {"result": work(tell)}
        except HeadwatersError as error:
            last = {"problem": problem_of(error)}
        except Exception as error:  # noqa: BLE001  # the answer has begun: its last line must come
            log.error("unexpected_error", error=type(error).__name__)  # noqa: TRY400  # no stack in the log
            last = {"problem": problem_of(HeadwatersError())}
        lines.put((True, last))

    threading.Thread(target=run, name="local-work", daemon=True).start()
    ended = False
    while not ended:
        ended, line = lines.get()
        yield orjson.dumps(line) + b"\n"
