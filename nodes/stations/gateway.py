"""Hear HJ 212 stations over TCP, keep what they send durably, and answer.

A data packet that is in order is in the journal before its answer 9014 goes out; one that is not gets no
answer, so the station sends it again, and lies in quarantine with the reason. Notices and the heartbeat of
2025 (9015) are answered by 9013, answers to questions by nothing. A client that is slow, silent, noisy or
does not read is closed, and the others do not suffer: where room is short, whoever has sent nothing in order
goes first. What strangers do is counted, and told once a round, so that they cannot fill the log.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from contracts.clock import Clock
from contracts.hj212 import DATA_COMMANDS, PacketTooLarge, Skipped, Splitter, answer_command
from nodes.background import in_thread
from nodes.stations.guessing import Guesses
from nodes.stations.journal import GroupCommit, Journal, JournalFull
from nodes.stations.model import (
    NOISE,
    Heard,
    Refused,
    Station,
    StationGuessed,
    StationUnknown,
    Taken,
    TooManyStations,
    judge_frame,
    refuse,
)

READ_BYTES = 64 * 1024
UNREAD_BYTES = 64 * 1024  # answers that a client may leave unread in the kernel
MAX_WAITING_REFUSALS = 1000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connection may ask of the gateway before it is closed."""

    connections: int = 2048
    connections_per_address: int = 256
    idle_seconds: float = 2 * 3600.0  # hour data come once an hour
    packet_seconds: float = 10.0  # from the first byte of a packet to its last, and for reading an answer
    garbage_bytes: int = 16 * 1024  # in a row, without a packet
    refused_frames: int = 100  # in a row, without one that is taken


@dataclass(slots=True)
class Counts:
    """What a gateway has seen since it started."""

    accepted: int = 0
    answered: int = 0
    refused: int = 0
    skipped_bytes: int = 0
    closed_early: int = 0


class Register(Protocol):
    """Who may send, and where it is noted who did; called from any thread."""

    def stations(self) -> Mapping[str, Station]:
        """Give every station by its MN."""
        ...

    def note(
        self,
        refused: Sequence[tuple[str, Refused]],
        uncounted: Mapping[str, int],
        heard: Mapping[str, Heard],
    ) -> None:
        """Keep what was refused, with the address it came from, and when stations were heard; durable."""
        ...


@dataclass(slots=True)
class Gateway:
    """The TCP server; ``note`` brings what it refused and whom it heard to the register."""

    register: Register
    journal: Journal
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    counts: Counts = field(default_factory=Counts)
    _stations: Mapping[str, Station] = field(default_factory=dict)
    _commit: GroupCommit | None = None
    _server: asyncio.Server | None = None
    _tasks: dict[asyncio.Task[None], str] = field(default_factory=dict)
    _unproven: dict[asyncio.Task[None], None] = field(default_factory=dict)
    _guesses: Guesses = field(default_factory=Guesses)
    _closed: Counter[str] = field(default_factory=Counter)
    _heard: dict[str, Heard] = field(default_factory=dict)
    _refused: list[tuple[str, Refused]] = field(default_factory=list)
    _uncounted: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def start(self, host: str, port: int = 0) -> tuple[str, int]:
        """Listen, and give the address; port 0 takes a free one. Raise OSError when it cannot be had."""
        self.reload()
        self._commit = GroupCommit(self.journal)
        self._server = await asyncio.start_server(self._connected, host, port, limit=READ_BYTES)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    def reload(self) -> None:
        """Read the register anew; connections that are open are held to it from their next frame on."""
        self._stations = self.register.stations()

    def note(self) -> None:
        """Write down what was refused and who was heard since the last time; from any thread."""
        with self._lock:
            refused, self._refused = self._refused, []
            uncounted, self._uncounted = self._uncounted, Counter()
            heard, self._heard = self._heard, {}
            closed, self._closed = self._closed, Counter()
        if refused or uncounted:
            reasons = Counter(one.reason for _, one in refused) + uncounted
            log.info("hj212_refused", reasons=dict(reasons))
        if closed:
            log.warning("hj212_connections_closed", why=dict(closed))
        self.register.note(refused, uncounted, heard)

    async def close(self) -> None:
        """Stop listening, end the connections, write down what is to be noted, close the journal."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None
        await in_thread(self.note)
        self.journal.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        connection = writer.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
        address = str((writer.get_extra_info("peername") or ["?"])[0])[:64]
        self._tasks[task] = address
        self._unproven[task] = None
        try:
            self._check_room(address)
            await self._serve(reader, writer, address)
        except (TimeoutError, PacketTooLarge, TooManyStations) as error:
            self.counts.closed_early += 1
            self._note_closed(type(error).__name__)
        except (EOFError, asyncio.CancelledError):
            # Only close() and _check_room cancel; nobody awaits this task, so none reports it as a failure.
            log.debug("hj212_connection_ended")
        except JournalFull as error:
            self._note_closed(error.code)
        except OSError as error:
            self._note_closed(type(error).__name__)
        finally:
            self._tasks.pop(task, None)
            self._unproven.pop(task, None)
            # What was not read by a client that was closed must not keep the connection.
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        """Read until the station hangs up (EOFError), is too slow (TimeoutError) or sends garbage."""
        splitter = Splitter()
        garbage_bytes = refused = 0
        clock = asyncio.get_running_loop().time
        until = clock() + self.limits.idle_seconds
        while True:
            begun = splitter.pending_bytes > 0
            async with asyncio.timeout_at(until):
                pieces = list(splitter.feed(await _read(reader)))
            for piece in pieces:
                if isinstance(piece, Skipped):
                    garbage_bytes += piece.size_bytes
                    self._skip(piece, address)
                else:
                    garbage_bytes = 0
            frames = [piece for piece in pieces if isinstance(piece, bytes)]
            taken = await self._take(frames, writer, address)
            if taken and (task := asyncio.current_task()) is not None:
                self._unproven.pop(task, None)
            refused = 0 if taken else refused + len(frames)
            if garbage_bytes > self.limits.garbage_bytes or refused > self.limits.refused_frames:
                raise PacketTooLarge("nothing came that could be taken")
            # Only a whole frame earns time; a packet that has begun must end, however its bytes drip in.
            whole = bool(frames)
            if splitter.pending_bytes and (whole or not begun):
                until = clock() + self.limits.packet_seconds
            elif whole:
                until = clock() + self.limits.idle_seconds

    async def _take(self, frames: list[bytes], writer: asyncio.StreamWriter, address: str) -> int:
        """Judge frames that came together, keep what is in order as one, answer it, and count it."""
        taken = 0
        durable: list[bytes] = []
        answers: list[bytes] = []
        for frame in frames:
            found = self._judge(frame, address)
            if isinstance(found, Refused):
                self._refuse(found, address)
                continue
            taken += 1
            self._hear(found.packet.mn)
            cn = found.packet.cn
            if cn in DATA_COMMANDS or "2000" <= cn <= "2999":
                durable.append(frame)
            reply = answer_command(cn)
            if reply is not None and found.packet.wants_answer:
                answers.append(found.packet.answer_frame(reply))
        if durable:
            if self._commit is None:
                raise EOFError
            await self._commit.append(b"".join(durable))
            self.counts.accepted += len(durable)
        if answers:
            writer.write(b"".join(answers))
            async with asyncio.timeout(self.limits.packet_seconds):
                await writer.drain()
            self.counts.answered += len(answers)
        return taken

    def _hear(self, mn: str, refused: int = 0) -> None:
        with self._lock:
            before = self._heard.get(mn)
            total = refused + (before.refused if before else 0)
            self._heard[mn] = Heard(self.clock.now(), total)

    def _refuse(self, found: Refused, address: str) -> None:
        self.counts.refused += 1
        if found.mn is not None and found.mn in self._stations:
            self._hear(found.mn, refused=1)
        self._quarantine(found, address)

    def _skip(self, piece: Skipped, address: str) -> None:
        self.counts.skipped_bytes += piece.size_bytes
        detail = f"{piece.size_bytes} bytes that are no frame"
        self._quarantine(refuse(piece.sample, NOISE, detail, piece.size_bytes), address)

    def _quarantine(self, found: Refused, address: str) -> None:
        with self._lock:
            if len(self._refused) < MAX_WAITING_REFUSALS:
                self._refused.append((address, found))
            else:
                self._uncounted[found.reason] += 1

    def _judge(self, frame: bytes, address: str) -> Taken | Refused:
        """Judge a frame, and take none for a station at whose password its address is guessing."""
        found = judge_frame(frame, self._stations)
        now = asyncio.get_running_loop().time()
        if isinstance(found, Taken):
            if not self._guesses.is_guessing(address, found.packet.mn, now):
                return found
            return refuse(frame, StationGuessed.code, "too many wrong passwords came from this address")
        mn = found.mn
        if found.reason == StationUnknown.code and mn is not None and mn in self._stations:
            self._guesses.note_wrong(address, mn, now)
        return found

    def _note_closed(self, why: str) -> None:
        with self._lock:
            self._closed[why] += 1

    def _check_room(self, address: str) -> None:
        same = sum(1 for one in self._tasks.values() if one == address)
        if same > self.limits.connections_per_address:
            raise TooManyStations("one address holds too many connections")
        if len(self._tasks) > self.limits.connections:
            own = asyncio.current_task()
            stranger = next((task for task in self._unproven if task is not own), None)
            if stranger is None:
                raise TooManyStations("all connections are taken")
            del self._unproven[stranger], self._tasks[stranger]
            stranger.cancel()


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(READ_BYTES)
    if not data:
        raise EOFError
    return data
