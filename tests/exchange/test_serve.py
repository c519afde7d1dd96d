"""Serving as a process: it says where, keeps the address private, and stops at once with polls open."""

import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from audit.formats.dsse import sign
from audit.httpsig import RequestSigner
from audit.keys.signing import SealingKey, SigningKey, load_key
from contracts.clock import SystemClock
from contracts.messages import Heads, Poll, Registration
from exchange.home import init
from exchange.serve import run
from nodes.addresses import AddressInUse
from nodes.control import ControlClient
from nodes.registration import parse_invite
from tests.certificates import write_certificate
from tests.exchange.provinces import ORIGIN, SICHUAN

SERVE = [sys.executable, "-m", "exchange.cli", "exchange", "serve"]


@contextmanager
def serving(home: Path, listen: str = "127.0.0.1:0") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a home in a process of its own ; give the process and its address."""
    process = subprocess.Popen(
        [*SERVE, "--home", str(home), "--listen", listen],
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
    """It prints its address, writes it 0600, and ends in order at SIGTERM with a long poll open."""
    with serving(served_home) as (process, address):
        kept = served_home / "run" / "address"
        mode, text = kept.stat().st_mode & 0o777, kept.read_text().strip()
        with httpx.Client(base_url=address, trust_env=False) as client:
            node_key, participant = admit(client, served_home)
            poll = open_poll(address, node_key, participant)
            ready = client.get("/health/ready")  # its commit stands behind the poll's
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)
        with poll:
            answer = poll.recv(100_000)

    assert (0o600, address) == (mode, text)
    assert (ready.status_code, code) == (200, 0)
    assert b'"requests":[]' in answer
    assert not kept.exists()


def test_off_loopback_there_is_tls_and_people_have_loopback(served_home: Path) -> None:
    """With a certificate the public listener speaks TLS; an operator signs on loopback beside it."""
    certificate, key = served_home / "tls" / "cert.pem", served_home / "tls" / "key.pem"
    write_certificate(certificate, key)
    with (served_home / "headwaters.toml").open("a") as settings:
        settings.write(f'tls_certificate = "{certificate}"\ntls_key = "{key}"\n')
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    trusted = ssl.create_default_context(cafile=certificate)
    with serving(served_home, f"0.0.0.0:{port}"):
        ready = httpx.get(f"https://127.0.0.1:{port}/health/ready", verify=trusted, trust_env=False)
        status = ControlClient(served_home, "operator").get("/operator/status")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False)

    assert ready.status_code == 200
    assert status["log"]["sealed"] is False


def test_an_address_in_use_is_said_plainly(served_home: Path) -> None:
    """A port that another process holds is an unavailable part with a next step."""
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(AddressInUse):
        run(served_home, f"127.0.0.1:{held.getsockname()[1]}")


def admit(client: httpx.Client, home: Path) -> tuple[SigningKey, str]:
    """Invite, join and approve a node over the network."""
    administrator = load_key(home / "people" / "administrator.key")
    auth = RequestSigner(administrator, "person:administrator", clock=SystemClock())
    body = {"profile": SICHUAN.model_dump(mode="json"), "witness": False, "expires_hours": 1}
    invite = parse_invite(client.post("/operator/invites", json=body, auth=auth).json()["invite"])
    node_key = SigningKey.generate()
    statement = Registration(
        participant=invite.participant,
        secret=invite.secret,
        node_key=node_key.public.text,
        sealing_key=SealingKey.generate().public_text,
        witness_vkey=None,
        address=None,
        at=SystemClock().now(),
    )
    joined = client.post(
        "/join", content=sign(Registration.payload_type, statement.canonical(), [node_key]).encode()
    )
    told = {"fingerprint": joined.json()["fingerprint"]}
    approved = client.post(f"/operator/members/{invite.participant}/approve", json=told, auth=auth)
    assert approved.status_code == 200, approved.text
    return node_key, invite.participant


def open_poll(address: str, node_key: SigningKey, participant: str) -> socket.socket:
    """Send a long poll and leave its answer unread."""
    host, port = address.removeprefix("http://").split(":")
    auth = RequestSigner(node_key, participant, clock=SystemClock())
    message = Poll(wait_seconds=30, heads=Heads(directory=2)).canonical()
    request = next(auth.auth_flow(httpx.Request("POST", f"{address}/mailbox/poll", content=message)))
    lines = ["POST /mailbox/poll HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    connection = socket.create_connection((host, int(port)))
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + message)
    return connection
