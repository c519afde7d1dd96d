"""An outside recorder on the provider's published address: it sees every byte that leaves, and looks first.

Before a request for ``GET /deliveries/{grant}/data`` goes on to the provider, so before the first byte of its
answer can leave, the recorder opens the exchange's database read-only by itself and looks for the grant. It
shares no code with the exchange's stores and believes a checkpoint only under the log's pinned key. A
connection that ends at one side is ended at the other, as a network would.
"""

import re
import socket
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import VerifierKey, parse_note
from audit.log.entry import EntryKind, parse_entry
from contracts.clock import monotonic_seconds

PIECE_BYTES = 16 * 1024
RECEIVE_BUFFER_BYTES = 64 * 1024  # little may wait between the provider and the recorder
_DATA = re.compile(rb"GET /deliveries/([a-z0-9-]+)/data HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Durable:
    """A grant's committed place in the log, and the size of a signed checkpoint that covers it."""

    index: int
    covered_by: int


@dataclass(slots=True)
class Delivery:
    """One answer with data: what the log held before it was asked for, and what went out when."""

    grant: str
    status: int
    durable: Durable | None
    size_bytes: int
    released_bytes: int = 0
    last_byte_seconds: float = field(default_factory=monotonic_seconds)
    is_over: bool = False


def find_grant(database: Path, log_vkey: str, grant: str) -> Durable | None:
    """Look a grant up in a database that others write; None unless entry and checkpoint are committed."""
    key = VerifierKey.parse(log_vkey)
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
        rows = connection.execute(
            "SELECT idx, leaf FROM log_entry WHERE kind = 'grant' AND instr(leaf, ?)", (grant.encode(),)
        ).fetchall()
        for index, leaf in rows:
            entry = parse_entry(leaf)
            if entry.kind is not EntryKind.GRANT or entry.fields["gid"] != grant:
                continue
            covering = connection.execute(
                "SELECT note FROM log_checkpoint WHERE size > ? ORDER BY size LIMIT 1", (index,)
            ).fetchone()
            size = _signed_size(covering[0].encode(), key) if covering else 0
            return Durable(index, size) if size > index else None
    return None


def _signed_size(note: bytes, key: VerifierKey) -> int:
    signed = parse_note(note)
    return Checkpoint.parse(signed.text).size if signed.verified([key]) else 0


class Recorder:
    """A proxy for HTTP/1.1 as the node's own client speaks it; ``pace`` slows data to bytes per second."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.deliveries: list[Delivery] = []
        self.pace: int | None = None
        self.database = Path()
        self._closing = threading.Event()
        self._upstream = 0
        self._log_vkey = ""
        self._acceptor: threading.Thread | None = None

    def begin(self, *, upstream: int, database: Path, log_vkey: str) -> None:
        """Start to pass connections on to the provider's own port."""
        self._upstream, self.database, self._log_vkey = upstream, database, log_vkey
        self._acceptor = threading.Thread(target=self._accept, name="recorder", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Accept nothing more, and let what is slowed down end."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        if self._acceptor is not None:
            self._acceptor.join(10)

    def released(self) -> list[Delivery]:
        """Give the answers that carried data."""
        return [one for one in self.deliveries if one.status in {200, 206}]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(client,), name="recorded", daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        with client, socket.socket() as provider, suppress(OSError):
            provider.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            provider.connect(("127.0.0.1", self._upstream))
            with client.makefile("rb") as asks, provider.makefile("rb") as answers:
                while (ask := _head(asks)) and not self._closing.is_set():
                    data = _DATA.match(ask)
                    durable = self._look_up(data[1].decode()) if data else None
                    provider.sendall(ask + asks.read(_length(ask)))
                    if not self._pass_answer(data, durable, answers, client):
                        return

    def _look_up(self, grant: str) -> Durable | None:
        return find_grant(self.database, self._log_vkey, grant)

    def _pass_answer(
        self,
        data: re.Match[bytes] | None,
        durable: Durable | None,
        answers: BufferedReader,
        client: socket.socket,
    ) -> bool:
        """Pass one answer on; say whether it came whole."""
        answer = _head(answers)
        if not answer:
            return False
        delivery = None
        if data is not None:
            delivery = Delivery(data[1].decode(), int(answer.split()[1]), durable, _length(answer))
            self.deliveries.append(delivery)
        client.sendall(answer)
        try:
            return self._pass_body(_length(answer), answers, client, delivery)
        finally:
            if delivery is not None:
                delivery.is_over = True

    def _pass_body(
        self, left: int, answers: BufferedReader, client: socket.socket, delivery: Delivery | None
    ) -> bool:
        while left:
            piece = answers.read1(min(left, PIECE_BYTES))
            if not piece or self._closing.is_set():
                return False
            left -= len(piece)
            if delivery is not None:
                delivery.released_bytes += len(piece)
                delivery.last_byte_seconds = monotonic_seconds()
            client.sendall(piece)
            if delivery is not None and self.pace:
                self._closing.wait(len(piece) / self.pace)
        return True


def _head(stream: BufferedReader) -> bytes:
    """Read up to the empty line; nothing where the other side has closed before it."""
    lines = []
    while (line := stream.readline()) not in {b"", b"\r\n"}:
        lines.append(line)
    return b"".join([*lines, line]) if line else b""


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0
