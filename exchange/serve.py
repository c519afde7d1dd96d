"""Running the exchange as a process: bind, open the parts, serve, and stop at once when asked.

Off loopback it listens with TLS only. When it serves it prints one JSON line, ``{"serving": address}``, and
keeps the address in ``run/address``; a stop sends every open long poll home first.
"""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from audit.durable import write_private
from contracts.errors import Unavailable
from exchange.app import create_app
from exchange.parts import Parts, build_parts
from exchange.settings import Settings, SettingsInvalid, load_settings
from exchange.wiring import HOOKS
from nodes.addresses import AddressInUse, PlainHttpRefused, bracketed, is_loopback

STOP_SECONDS = 1  # for requests in progress; long polls are sent home at once
KEEP_ALIVE_SECONDS = 75
BACKLOG = 512


def run(home: Path, listen: str | None = None) -> None:
    """Serve a home until SIGTERM or SIGINT.

    Raises NoExchangeHome, SettingsInvalid, PlainHttpRefused, AddressInUse, SequencerRunning.
    """
    settings = load_settings(home, **({"listen": listen} if listen else {}))
    check_listen(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(_bind(settings.listen_host, settings.listen_port))
        taken = {"listen": f"{bracketed(settings.listen_host)}:{listener.getsockname()[1]}"}
        local = None
        if settings.tls_certificate is not None:
            # People on this machine need no certificate to be trusted: a loopback listener is theirs.
            local = stack.enter_context(_bind("127.0.0.1", settings.local_port))
            taken["local_port"] = local.getsockname()[1]
        settings = settings.model_copy(update=taken)
        stack.callback(settings.address_path.unlink, missing_ok=True)
        parts = build_parts(settings, HOOKS)
        server = _Server(_config(parts), parts)
        asyncio.run(_serve(server, parts, listener, local))
    if not server.started:
        raise Unavailable("the exchange did not start; its log lines say why")


def check_listen(settings: Settings) -> None:
    """Raise PlainHttpRefused or SettingsInvalid unless the listener is on loopback or has TLS."""
    if settings.tls_certificate is None:
        if not is_loopback(settings.listen_host):
            raise PlainHttpRefused(f"{settings.listen_host} is not this machine, and there is no certificate")
        return
    for path in (settings.tls_certificate, settings.tls_key):
        if path is None or not path.is_file():
            raise SettingsInvalid(f"there is no file {path}")


async def _serve(
    server: "_Server", parts: Parts, listener: socket.socket, local: socket.socket | None
) -> None:
    if local is None:
        await server.serve(sockets=[listener])
        return
    beside = _Beside(_config(parts, app=server.config.app, beside=True))
    near = asyncio.create_task(beside.serve(sockets=[local]))
    try:
        await server.serve(sockets=[listener])
    finally:
        beside.should_exit = True
        await near


class _Beside(uvicorn.Server):
    """A second listener of the same app; the first one has the lifespan and hears the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class _Server(uvicorn.Server):
    """A server that says when it serves, and that wakes the long polls when it is told to stop."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the address on stdout and in ``run/address``."""
        await super().startup(sockets=sockets)
        if self.started:
            settings = self._parts.settings
            settings.address_path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(settings.address_path, f"{settings.own_address}\n".encode())
            address = settings.public_url if settings.tls_certificate else settings.own_address
            sys.stdout.write(json.dumps({"serving": address}) + "\n")
            sys.stdout.flush()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT; uvicorn's own way would raise them again after an orderly end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.should_exit = True
        self._parts.mailbox.close()


def _config(parts: Parts, app: Any = None, *, beside: bool = False) -> uvicorn.Config:
    # Any: uvicorn's own union of application types.
    settings = parts.settings
    return uvicorn.Config(
        app or create_app(parts),
        lifespan="off" if beside else "on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=None if beside else settings.tls_certificate,
        ssl_keyfile=None if beside else settings.tls_key,
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressInUse(f"{host}:{port}: {error.strerror}") from error
