"""A server that answers a decision's request with whatever a test tells it to, byte for byte."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

Write: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
Respond: TypeAlias = bytes | Write


@dataclass(frozen=True, slots=True)
class Hostile:
    """Where the server is, and the requests that it read, each as its head and its body."""

    port: int
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL that a policy engine is opened with."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hostile_server(respond: Respond) -> Iterator[Hostile]:
    """Run the server in a thread of its own, so that the caller may have any event loop or none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hostile-server")
    thread.start()
    running = asyncio.run_coroutine_threadsafe(_start(respond), loop).result(30)
    try:
        yield running[1]
    finally:
        asyncio.run_coroutine_threadsafe(_stop(running[0]), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def http(body: object, status: str = "200 OK", **headers: str | None) -> bytes:
    """Write a whole response; ``Content_Type`` names that header, and None leaves it out."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named: dict[str, str | None] = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
    named |= {key.replace("_", "-"): value for key, value in headers.items()}
    lines = [f"{key}: {value}" for key, value in named.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + raw


async def _start(respond: Respond) -> tuple[asyncio.Server, Hostile]:
    asked: list[tuple[str, bytes]] = []
    held: set[asyncio.Task[None] | None] = set()  # a task that waits for ever is garbage to the event loop

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while isinstance(respond, bytes):
                    asked.append(await _request(reader))
                    writer.write(respond)
                    await writer.drain()
                asked.append(await _request(reader))
                await respond(writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, Hostile(server.sockets[0].getsockname()[1], asked)


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
    return head, await reader.readexactly(int(lengths[0].partition(":")[2]))


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
