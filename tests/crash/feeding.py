"""A node that is fed from a folder, a database, a push and a station, until it is killed before some step.

The steps are those that the disk or the exchange keeps: syncs, renames, removals, commits and calls. The
exchange is the parent's, and goes on where the node does not.
"""

import os
import signal
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from contracts.clock import FrozenClock
from nodes.intake.flow import run
from nodes.intake.spool import land, sweep
from nodes.node import Node, open_node
from tests.nodes.intake.feeding import batch

FOLDER, TABLE, PUSH, STATION = "from-folder", "from-table", "from-push", "from-station"
PUSHES = {"push 1": (PUSH, 100, 4), "push 2": (PUSH, 104, 2), "frames 1": (STATION, 200, 3)}
"""Key, source, first record and count of what is handed over."""

_STEPS = ("fsync", "rename", "replace", "unlink", "link")

Wire = "Connection[Any, Any]"  # Any: requests and answers as tuples of plain values


class Piped(httpx.BaseTransport):
    """Carries calls to the exchange through a pipe."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the parent; two calls never go at once, as the node's work here is one thread's."""
        self._pipe.send(("call", request.method, str(request.url), request.headers.raw, request.read()))
        status, headers, body = self._pipe.recv()
        kept = [item for item in headers if item[0].lower() != b"content-length"]
        return httpx.Response(status, headers=kept, stream=httpx.ByteStream(body), request=request)


def feed(node: Node, promise: Callable[[str], None] = lambda _: None) -> None:
    """Hand over every batch, and run every source until nothing waits."""
    for key, (source, first, count) in PUSHES.items():
        land(node, source, batch(first, count), key=key)
        promise(key)
    for name in (FOLDER, TABLE, PUSH, STATION):
        run(node, name)


def feed_until_killed(home: str, at: datetime, last_step: int, pipe: "Connection[Any, Any]") -> None:
    """Feed the node in ``home``; die before step ``last_step``, or tell how many steps it took."""
    steps = _Steps(last_step)
    for name in _STEPS:
        setattr(os, name, steps.counted(getattr(os, name)))
    event.listen(Engine, "commit", lambda _: steps.take())
    transport = Piped(pipe)
    transport.handle_request = steps.counted(transport.handle_request)  # type: ignore[method-assign]  # a step too
    with open_node(Path(home), clock=FrozenClock(at), transport=transport) as node:
        sweep(node)
        feed(node, lambda key: pipe.send(("landed", key)))
    pipe.send(("done", steps.taken))


class _Steps:
    def __init__(self, last: int) -> None:
        self.taken = 0
        self._last = last

    def take(self) -> None:
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.taken += 1

    def counted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **more: Any) -> Any:
            self.take()
            return work(*args, **more)

        return counting
