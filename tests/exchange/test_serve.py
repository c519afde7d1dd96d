"""Serving as a process: it says where, keeps the address private, and stops at once with polls open."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from audit.httpsig import RequestSigner
from audit.keys import SigningKey, load_key
from contracts.clock import SystemClock, monotonic_seconds
from contracts.messages import Heads, Poll
from exchange.home import init
from exchange.serve import AddressTaken, run
from tests.exchange.provinces import ORIGIN, SICHUAN

RUN = "import sys; from pathlib import Path; from exchange.serve import run; run(Path(sys.argv[1]), sys.argv[2])"


@contextmanager
def serving(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a home in a process of its own on a free port; give the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(home), "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, str(json.loads(process.stdout.readline())["serving"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def served_home(tmp_path: Path) -> Path:
    """Found an exchange on the machine's own clock."""
    home = tmp_path / "served"
    init(home, origin=ORIGIN, public_url="http://127.0.0.1:8420")
    return home


def test_an_exchange_serves_says_where_and_stops_at_once(served_home: Path) -> None:
    """It prints its address, writes it 0600, answers signed calls, and ends within two seconds of SIGTERM
    although a 30-second poll is open."""
    administrator = load_key(served_home / "people" / "administrator.key")
    with serving(served_home) as (process, address):
        kept = served_home / "run" / "address"
        mode, text = kept.stat().st_mode & 0o777, kept.read_text().strip()
        with httpx.Client(base_url=address, trust_env=False) as client:
            ready = client.get("/health/ready")
            auth = RequestSigner(administrator, "person:administrator", clock=SystemClock())
            body = {"profile": SICHUAN.model_dump(mode="json"), "witness": False, "expires_hours": 1}
            invited = client.post("/operator/invites", json=body, auth=auth)
        poll = open_poll(address)
        began = monotonic_seconds()
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)
        seconds = monotonic_seconds() - began
        poll.close()

    assert (0o600, address) == (mode, text)
    assert (200, 201) == (ready.status_code, invited.status_code)
    assert code == 0
    assert seconds < 2.0
    assert not kept.exists()


def test_an_address_in_use_is_said_plainly(served_home: Path) -> None:
    """A port that another process holds is an unavailable part with a next step."""
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(AddressTaken):
        run(served_home, f"127.0.0.1:{held.getsockname()[1]}")


def open_poll(address: str) -> socket.socket:
    """Send a request whose answer is not read: an unsigned body that trickles would do, and so does this."""
    host, port = address.removeprefix("http://").split(":")
    stranger = SigningKey.generate()
    auth = RequestSigner(stranger, "p-aaaaaaaaaaaa", clock=SystemClock())
    message = Poll(wait_seconds=30, heads=Heads()).canonical()
    request = next(auth.auth_flow(httpx.Request("POST", f"{address}/mailbox/poll", content=message)))
    lines = [f"POST /mailbox/poll HTTP/1.1\r\nhost: {host}:{port}"]
    lines += [f"{k}: {v}" for k, v in request.headers.items() if k != "host"]
    connection = socket.create_connection((host, int(port)))
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + message)
    return connection
