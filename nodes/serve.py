"""Serving a node: its listeners, the mailbox, the outbox, and a quick and orderly end.

A loopback listener is always there, for the people on this machine; an address off loopback is served with
TLS or not at all. The node starts while the exchange is down and connects when it is back. One JSON line on
standard output says that it serves; SIGTERM and SIGINT end it within two seconds.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson
import structlog
import uvicorn
from fastapi import FastAPI

from audit.durable import write_private
from contracts.errors import HeadwatersError, Usage
from nodes import outbox
from nodes.addresses import AddressInUse, BadAddress, PlainHttpRefused, bracketed, host_port, is_loopback
from nodes.app import create_app
from nodes.background import in_thread
from nodes.correcting import stepping
from nodes.counting import counts
from nodes.home import NodeHome
from nodes.intake import flow as intake
from nodes.intake import spool
from nodes.mailbox import MailboxLoop
from nodes.node import Node, open_node
from nodes.publishing.artifacts import sweep_drafts
from nodes.quarantine import mending
from nodes.rotating import rotation
from nodes.stations.listening import TICK_SECONDS, Listening
from nodes.witnessing import gossip, network

log = structlog.get_logger(__name__)

SHUTDOWN_SECONDS = 1
INSIST_SECONDS = 1.8
LOCAL_HOST = "127.0.0.1"
# What the kernel may hold unsent of one answer: a revoked stream must not go on for megabytes.
UNSENT_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Duty:
    """What a node does beside answering: again and again, with a pause of ``seconds``."""

    name: str
    seconds: float
    work: Callable[[Node], object]


DUTIES = (
    Duty("outbox", 0.5, outbox.tick),
    Duty("counts", 10.0, counts.tick),
    Duty("objections", 10.0, stepping.tick),
    Duty("keys", 30.0, rotation.finish_rotations),
    Duty("quarantine", 3600.0, mending.expire_due),
    Duty("sources", 1.0, intake.tick),
    Duty("mirror", network.MIRROR_SECONDS, network.mirror_round),
)


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and the base URL under which it is reached."""

    socket: socket.socket
    url: str
    tls: tuple[Path, Path] | None = None


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: ``run`` has them for everything."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening and say so."""
        await super().startup(sockets)
        self._ready.set()

    async def wait_ready(self) -> None:
        """Wait until it listens."""
        await self._ready.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


def run(
    path: Path,
    listen: str = f"{LOCAL_HOST}:0",
    *,
    gossip_seconds: float = gossip.PERIOD_SECONDS,
    stations: str | None = None,
) -> None:
    """Serve the node in ``path`` until SIGTERM or SIGINT; ask the other witnesses every ``gossip_seconds``.

    ``stations`` is the HOST:PORT on which HJ 212 stations are heard; None hears nobody.

    Raises:
        NotJoined, AlreadyServing: the home cannot be served.
        PlainHttpRefused: ``listen`` is off loopback and the home has no ``tls/cert.pem`` and ``tls/key.pem``.
        AddressInUse, Usage: ``listen`` or ``stations`` cannot be bound, or is not HOST:PORT.
    """
    home = NodeHome(path)
    home.read_identity()
    lock = home.lock()
    try:
        for folder in (home.artifacts, home.views):
            sweep_drafts(folder)
        listeners = bind(home, listen)
        with open_node(path) as node, contextlib.ExitStack() as stack:
            spool.sweep(node)
            for listener in listeners:
                stack.callback(listener.socket.close)
            asyncio.run(_serve(node, listeners, gossip_seconds, stations))
    finally:
        home.address_file.unlink(missing_ok=True)
        lock.release()


def bind(home: NodeHome, listen: str) -> list[Listener]:
    """Bind ``listen`` and, where that is off loopback, a loopback port beside it."""
    host, port = _split(listen)
    if is_loopback(host):
        return [_bind(host, port, None)]
    if not (home.tls_certificate.is_file() and home.tls_key.is_file()):
        raise PlainHttpRefused(f"{host} is off loopback and tls/ holds no certificate and key")
    return [_bind(LOCAL_HOST, 0, None), _bind(host, port, (home.tls_certificate, home.tls_key))]


async def _serve(node: Node, listeners: list[Listener], gossip_seconds: float, stations: str | None) -> None:
    app = create_app(node, listeners=[listener.url for listener in listeners])
    hearing = None if stations is None else Listening(node)
    heard_at = None if hearing is None or stations is None else await hearing.start(stations)
    app.state.stations = hearing
    servers = [Server(_config(app, listener)) for listener in listeners]
    serving = [
        asyncio.create_task(server.serve([listener.socket]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    await _until_listening(servers, serving)
    stop = asyncio.Event()
    watchdog = threading.Timer(INSIST_SECONDS, os._exit, [0])
    watchdog.daemon = True
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stop, watchdog)
    mailbox = MailboxLoop(node, app)
    app.state.mailbox = mailbox
    polling = asyncio.create_task(mailbox.run())
    gossiping = Duty("gossip", 1.0, network.Gossiping(gossip_seconds).tick)
    own = (gossiping,) if hearing is None else (gossiping, Duty("stations", TICK_SECONDS, hearing.tick))
    duties = [asyncio.create_task(_repeat(node, duty, stop)) for duty in (*DUTIES, *own)]
    _announce(node, listeners, heard_at)
    try:
        await _until_stopped(stop, [polling, *duties, *serving])
    finally:
        stop.set()
        polling.cancel()
        for server in servers:
            server.should_exit = True
        await asyncio.wait([polling, *serving])
        await asyncio.wait(duties, timeout=SHUTDOWN_SECONDS / 2)
        if hearing is not None:
            await hearing.close()
        watchdog.cancel()
        log.info("node_stopped")


async def _until_listening(servers: list[Server], serving: list[asyncio.Task[None]]) -> None:
    """Wait until every server listens, or one has ended before it did."""
    for server, task in zip(servers, serving, strict=True):
        ready = asyncio.create_task(server.wait_ready())
        await asyncio.wait([ready, task], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()


def _stop(stop: asyncio.Event, watchdog: threading.Timer) -> None:
    # What is on disk is whole at every moment, so a call that hangs on the network may be left behind.
    if not stop.is_set():
        watchdog.start()
    stop.set()


async def _until_stopped(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for a signal; a part that ends by itself ends the node, with its error."""
    asked = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _repeat(node: Node, duty: Duty, stop: asyncio.Event) -> None:
    """Do a duty again and again until the end; what keeps it waiting is logged once."""
    trouble = ""
    while not stop.is_set():
        try:
            await in_thread(partial(duty.work, node))
            trouble = ""
        except HeadwatersError as error:
            if error.code != trouble:
                log.warning("duty_waits", duty=duty.name, code=error.code)
            trouble = error.code
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), duty.seconds)


def _announce(node: Node, listeners: list[Listener], stations: str | None) -> None:
    # The first listener is the loopback one: commands of people use it.
    write_private(node.home.address_file, listeners[0].url.encode() + b"\n")
    line = {"serving": listeners[-1].url, "participant": node.participant}
    if stations is not None:
        line["stations"] = stations
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()
    log.info("node_serving", participant=node.participant)


def _config(app: FastAPI, listener: Listener) -> uvicorn.Config:
    certificate, key = listener.tls or (None, None)
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="critical",  # its tracebacks could carry data; nodes.problems reports what happened
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def _bind(host: str, port: int, tls: tuple[Path, Path] | None) -> Listener:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # the connections that are accepted inherit it
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise AddressInUse(f"{host}:{port} cannot be taken: {error.strerror}") from error
    scheme = "http" if tls is None else "https"
    return Listener(bound, f"{scheme}://{bracketed(host)}:{bound.getsockname()[1]}", tls)


def _split(listen: str) -> tuple[str, int]:
    try:
        return host_port(listen)
    except BadAddress as error:
        raise Usage("listen is HOST:PORT") from error
