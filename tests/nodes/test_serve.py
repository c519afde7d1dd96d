import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import pytest

from nodes.addresses import AddressInUse, PlainHttpRefused
from nodes.home import AlreadyServing, NodeHome, NotJoined
from nodes.serve import bind, run
from tests.certificates import write_certificate
from tests.nodes.conftest import JoinNode

COMMAND = [sys.executable, "-W", "error", "-m", "exchange.cli", "node", "serve"]
ANYWHERE = "0.0.0.0:0"  # served with TLS or refused, which is the point


@pytest.mark.parametrize(("listen", "number"), [("127.0.0.1:0", signal.SIGTERM), (ANYWHERE, signal.SIGINT)])
def test_a_node_serves_without_its_exchange_and_ends_in_order(
    join_node: JoinNode, listen: str, number: int
) -> None:
    """A node starts while the exchange is down, says where it serves, and ends in order."""
    home = NodeHome(join_node())
    write_certificate(home.tls_certificate, home.tls_key)
    with subprocess.Popen(
        [*COMMAND, "--home", str(home.path), "--listen", listen],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        line = orjson.loads(process.stdout.readline())
        local = home.address_file.read_text().strip()
        served = str(line["serving"]).replace("0.0.0.0", "127.0.0.1")  # noqa: S104  # how it is reached
        trusted = ssl.create_default_context(cafile=home.tls_certificate)
        live = [httpx.get(url + "/health/live", trust_env=False, verify=trusted) for url in (local, served)]
        with pytest.raises(AlreadyServing):
            home.lock()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)

    assert [answer.json() for answer in live] == [{"status": "live"}] * 2
    assert served.startswith("http:" if listen == "127.0.0.1:0" else "https:")
    assert (process.returncode, rest) == (0, b"")
    assert b"node_stopped" in errors
    assert b"Traceback" not in errors
    assert not home.address_file.exists()


def test_an_empty_folder_is_not_served(tmp_path: Path) -> None:
    """A folder without a node says to join first."""
    with pytest.raises(NotJoined):
        run(tmp_path)


def test_off_loopback_there_is_tls_or_nothing(join_node: JoinNode) -> None:
    """Without certificate and key a node does not listen off loopback."""
    with pytest.raises(PlainHttpRefused):
        bind(NodeHome(join_node()), "0.0.0.0:0")  # refused, which is the point


def test_a_taken_port_is_named(join_node: JoinNode) -> None:
    """A port that somebody else holds is an error with a next step."""
    home = NodeHome(join_node())
    (first,) = bind(home, "127.0.0.1:0")
    with first.socket:
        first.socket.listen()
        with pytest.raises(AddressInUse):
            bind(home, first.url.removeprefix("http://"))
