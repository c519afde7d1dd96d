import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from audit.httpsig import verify_request
from audit.keys.signing import PublicKey, create_key, load_key
from contracts.clock import SystemClock
from contracts.errors import HeadwatersError, Refused, TooMany, Usage
from contracts.problem import document
from nodes.control import ControlClient, NoSuchPerson, NotServing

PROGRESS = [{"progress": {"rows": 1, "of": 2}}, {"result": {"release": 7}}]


class _Face(BaseHTTPRequestHandler):
    """Checks each signature as a node does, and answers by path."""

    key: PublicKey

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        host = self.headers["host"]
        parts = verify_request(
            self.command,
            f"http://{host}{self.path}",
            list(self.headers.items()),
            body,
            resolve=lambda _: self.key,
            clock=SystemClock(),
        )
        match self.path.partition("?")[0]:
            case "/local/echo":
                said = {"by": parts.keyid, "path": self.path, "body": orjson.loads(body or b"null")}
                self._answer(200, orjson.dumps(said))
            case "/local/stream":
                self._answer(200, b"".join(orjson.dumps(line) + b"\n" for line in PROGRESS))
            case "/local/broken":
                self._answer(
                    200, orjson.dumps({"problem": document(Refused("no", reasons=["a"]), "x")}) + b"\n"
                )
            case _:
                self._answer(429, orjson.dumps(document(TooMany("slowly"), "x")))

    do_GET = do_POST = _serve  # noqa: N815  # the names are the standard library's

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
        """Say nothing."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    _Face.key = create_key(tmp_path / "people" / "li-wei.key").public
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Face)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "address").write_text(f"http://127.0.0.1:{server.server_port}\n")
    yield tmp_path
    server.shutdown()
    server.server_close()
    thread.join()


def test_requests_are_signed_by_the_only_person(home: Path) -> None:
    """Where one person has a key, nobody needs to be named; empty query values are left out."""
    client = ControlClient(home)

    assert client.get("/local/echo", {"q": "水 质", "limit": None, "n": 1}) == {
        "by": "person:li-wei",
        "path": "/local/echo?q=%E6%B0%B4+%E8%B4%A8&n=1",
        "body": None,
    }
    assert client.post("/local/echo", {"a": 1})["body"] == {"a": 1}


def test_one_of_several_people_must_be_named(home: Path) -> None:
    """Nobody is chosen by chance, and a name without a key is refused."""
    create_key(home / "people" / "wang-fang.key")

    with pytest.raises(Usage):
        ControlClient(home).get("/local/echo")
    with pytest.raises(NoSuchPerson):
        ControlClient(home, "zhang-san").get("/local/echo")
    assert ControlClient(home, "li-wei").get("/local/echo")["by"] == "person:li-wei"


def test_a_refusal_comes_back_as_its_error(home: Path) -> None:
    """A problem document becomes an error of the same family, with its words."""
    with pytest.raises(TooMany, match="slowly"):
        ControlClient(home).get("/local/nowhere")


def test_a_stream_gives_its_lines_and_raises_its_problem(home: Path) -> None:
    """Lines come as they are; a problem line is raised, with its facts."""
    assert list(ControlClient(home).stream_ndjson("/local/stream", {})) == PROGRESS
    with pytest.raises(Refused) as caught:
        list(ControlClient(home).stream_ndjson("/local/broken", {}))
    assert caught.value.facts == {"reasons": ["a"]}
    with pytest.raises(TooMany):
        list(ControlClient(home).stream_ndjson("/local/nowhere", {}))


def test_a_process_that_does_not_run_is_named(home: Path) -> None:
    """Without an address, or with nobody behind it, the person is told to start the service."""
    (home / "run" / "address").write_text("http://127.0.0.1:9\n")
    with pytest.raises(NotServing):
        ControlClient(home).get("/local/echo")
    (home / "run" / "address").unlink()
    with pytest.raises(NotServing) as caught:
        ControlClient(home).get("/local/echo")
    assert "serve" in caught.value.next_en
    assert load_key(home / "people" / "li-wei.key").public == _Face.key


def test_a_home_without_people_is_refused(tmp_path: Path) -> None:
    """No key, no act."""
    with pytest.raises(HeadwatersError):
        ControlClient(tmp_path).get("/local/echo")


def test_a_command_starts_light() -> None:
    """Importing the client brings in neither a web server nor a database."""
    program = "import sys, nodes.control; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    heavy = {"fastapi", "starlette", "sqlalchemy", "sqlmodel", "alembic", "polars", "uvicorn"}
    assert heavy.isdisjoint(loaded.stdout.split())
