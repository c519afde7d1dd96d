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
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from contracts.errors import Unavailable
from exchange.app import create_app
from exchange.parts import Parts, build_parts
from exchange.settings import Settings, SettingsInvalid, load_settings
from exchange.wiring import HOOKS
from nodes.addresses import PlainHttpRefused, is_loopback
from nodes.home import write_private

STOP_SECONDS = 1  # for requests in progress; long polls are sent home at once
KEEP_ALIVE_SECONDS = 75
BACKLOG = 512


class AddressTaken(Unavailable):
    """The address cannot be listened on."""

    code = "address-taken"
    title_zh = "监听地址不可用"
    next_zh = "换一个端口,或停止占用它的进程。"
    next_en = "Choose another port, or stop the process that holds it."


def run(home: Path, listen: str | None = None) -> None:
    """Serve a home until SIGTERM or SIGINT.

    Raises NoExchangeHome, SettingsInvalid, PlainHttpRefused, AddressTaken, SequencerRunning.
    """
    settings = load_settings(home, **({"listen": listen} if listen else {}))
    check_listen(settings)
    with _bind(settings) as listener:
        port = listener.getsockname()[1]
        settings = settings.model_copy(update={"listen": f"{_bracketed(settings.listen_host)}:{port}"})
        parts = build_parts(settings, HOOKS)
        server = _Server(_config(parts), parts)
        try:
            asyncio.run(server.serve(sockets=[listener]))
        finally:
            settings.address_path.unlink(missing_ok=True)
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
            address = settings.own_address
            settings.address_path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(settings.address_path, f"{address}\n".encode())
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


def _config(parts: Parts) -> uvicorn.Config:
    settings = parts.settings
    return uvicorn.Config(
        create_app(parts),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _bind(settings: Settings) -> socket.socket:
    host = settings.listen_host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.listen_port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise AddressTaken(f"{settings.listen}: {error.strerror}") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
