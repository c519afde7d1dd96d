"""Receive HJ 212-2017 from stations over TCP, keep it durably, and read it back as rows.

A data packet that is in order is on disk before its answer 9014 goes out; one that is not gets no answer,
so the station sends it again. The spool (suffix ``.hj212``) is the raw frames one after another: a torn
tail, and packets sent twice because an answer was lost, are passed over when it is read. HJ 212 has no
signatures: whoever can reach the port can send under any MN, so listen inside the station network only.
"""

import asyncio
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from audit.durable import sync_folder
from contracts.errors import Invalid, TooMany
from contracts.hj212 import (
    FACTORS,
    HOUR_DATA,
    MINUTE_DATA,
    ChecksumWrong,
    Item,
    Packet,
    PacketInvalid,
    PacketTooLarge,
    Skipped,
    Splitter,
    parse_frame,
    parse_time,
)

PERIODS = {MINUTE_DATA: "minute", HOUR_DATA: "hour"}
DATA_COMMANDS = frozenset({"2011", "2031", MINUTE_DATA, HOUR_DATA})
READ_BYTES = 64 * 1024
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)
_COLUMNS = {"Avg": "value", "Min": "min_value", "Max": "max_value", "Cou": "total"}
_STATION_KEYS = ("mn", "st", "local_time", "period", "factor")
ROW_KEYS = (*_STATION_KEYS, *_COLUMNS.values(), "unit", "total_unit", "flag", "synthetic")

log = structlog.get_logger(__name__)


class StationUnknown(Invalid):
    """A packet names a station or a password that is not known here."""

    code = "hj212-station-unknown"
    title_zh = "报文的 MN 或 PW 未登记"
    next_zh = "先登记该站点的 MN 与密码。"
    next_en = "Register the station's MN and password first."


class TooManyStations(TooMany):
    """There are more connections from stations than the receiver takes."""

    code = "hj212-connections"
    title_zh = "站点连接数超过上限"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connection may ask of the receiver before it is closed."""

    connections: int = 256
    idle_seconds: float = 2 * 3600.0  # hour data come once an hour
    packet_seconds: float = 10.0  # from the first byte of a packet to its last
    garbage_bytes: int = 16 * 1024  # in a row, without a packet


@dataclass(slots=True)
class Counts:
    """What a receiver has seen since it started."""

    accepted: int = 0
    refused: int = 0
    skipped_bytes: int = 0
    closed_early: int = 0


class Spool:
    """A file of raw frames that only grows; an append that returned is on disk. Safe from several threads."""

    def __init__(self, path: Path) -> None:
        """Open or create ``path``; frames go to its end, also after a torn one."""
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sync_folder(path.parent)

    def append(self, frame: bytes) -> None:
        """Write one frame and wait for the disk; raise OSError."""
        with self._lock:
            written = 0
            while written < len(frame):
                written += os.write(self._file, frame[written:])
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; a later append raises OSError, for it must not reach another file."""
        with self._lock:
            os.close(self._file)
            self._file = -1


class Hj212Receiver:
    """A TCP server for stations; see the module's promises.

    ``stations`` maps each MN to its PW; None takes any, which is for demonstrations only.
    """

    def __init__(
        self, spool: Path, *, stations: Mapping[str, str] | None = None, limits: Limits | None = None
    ) -> None:
        self.counts = Counts()
        self._path = spool
        self._stations = stations
        self._limits = limits or Limits()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spool: Spool | None = None
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int = 0) -> tuple[str, int]:
        """Listen, and give the address; port 0 takes a free one."""
        self._spool = Spool(self._path)
        self._server = await asyncio.start_server(self._connected, host, port, limit=READ_BYTES)
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def close(self) -> None:
        """Stop listening, end the connections, close the spool."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        if self._spool is not None:
            self._spool.close()
        self._server = self._spool = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._tasks.add(task)
        try:
            self._check_room()
            await self._serve(reader, writer)
        except (TimeoutError, PacketTooLarge, TooManyStations) as error:
            self.counts.closed_early += 1
            log.info("hj212_connection_closed", why=type(error).__name__)
        except (EOFError, asyncio.CancelledError):
            # Only close() cancels; nobody awaits this task, and Python 3.11 would report it as a failure.
            log.debug("hj212_connection_ended")
        except OSError as error:
            log.warning("hj212_connection_failed", why=type(error).__name__)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the station hangs up (EOFError), is too slow (TimeoutError) or sends garbage."""
        splitter = Splitter()
        garbage_bytes = 0
        clock = asyncio.get_running_loop().time
        until = clock() + self._limits.idle_seconds
        while True:
            begun = splitter.pending_bytes > 0
            async with asyncio.timeout_at(until):
                pieces = list(splitter.feed(await _read(reader)))
            for piece in pieces:
                if isinstance(piece, Skipped):
                    garbage_bytes += piece.size_bytes
                    self.counts.skipped_bytes += piece.size_bytes
                else:
                    garbage_bytes = 0
                    await self._judge(piece, writer)
            if garbage_bytes > self._limits.garbage_bytes:
                raise PacketTooLarge("only garbage came")
            # Only a whole frame earns time; a packet that has begun must end, however its bytes drip in.
            whole = any(isinstance(piece, bytes) for piece in pieces)
            if splitter.pending_bytes and (whole or not begun):
                until = clock() + self._limits.packet_seconds
            elif whole:
                until = clock() + self._limits.idle_seconds

    async def _judge(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        """Keep a frame that is in order, then answer; refuse any other in silence, as the standard does."""
        try:
            packet = parse_frame(frame)
            self._check_station(packet)
        except (PacketInvalid, PacketTooLarge, StationUnknown) as error:
            self.counts.refused += 1
            log.info("hj212_refused", why=error.code, noise=isinstance(error, ChecksumWrong))
            return
        if packet.cn in DATA_COMMANDS:
            if self._spool is None:
                raise EOFError
            await asyncio.to_thread(self._spool.append, frame)
            self.counts.accepted += 1
        if packet.wants_answer:
            writer.write(packet.answer().frame())
            await writer.drain()

    def _check_room(self) -> None:
        if len(self._tasks) > self._limits.connections:
            raise TooManyStations("all connections are taken")

    def _check_station(self, packet: Packet) -> None:
        if self._stations is None:
            return
        expected = self._stations.get(packet.mn, "")
        same = hmac.compare_digest(expected.encode(), packet.pw.encode())
        if not (same and expected):
            raise StationUnknown("the station's MN and PW are not registered")


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(READ_BYTES)
    if not data:
        raise EOFError
    return data


def open_hj212(
    path: Path, units: Mapping[str, str] | None = None, *, synthetic: bool | None = None
) -> Iterator[tuple[int, dict[str, object]]]:
    """Read a spool as rows of the contract ``pollution-source-online``, numbered from 1.

    ``units`` names the unit of a factor where the device differs from HJ 212-2017 annex B (many send
    particles in ug/m3, not ng/m3); ``synthetic`` marks rows as made up, for a packet cannot say it. Text that
    is no number stays text, and a factor without a known unit has none, so that validation can hold the row
    back; nothing is guessed. Frames that do not parse are passed over.
    """
    known = {code: factor.unit for code, factor in FACTORS.items()} | dict(units or {})
    number = 0
    for packet in _packets(path):
        for row in _rows(packet, known):
            number += 1
            yield number, {**row, "synthetic": synthetic}


def _packets(path: Path) -> Iterator[Packet]:
    splitter = Splitter()
    seen: set[bytes] = set()
    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            for piece in splitter.feed(data):
                if isinstance(piece, Skipped):
                    log.warning("hj212_spool_gap", size_bytes=piece.size_bytes)
                    continue
                name = hashlib.sha256(piece).digest()
                if name in seen:
                    continue
                seen.add(name)
                try:
                    packet = parse_frame(piece)
                except (PacketInvalid, PacketTooLarge) as error:
                    log.warning("hj212_spool_gap", why=error.code)
                else:
                    yield packet


def _rows(packet: Packet, units: Mapping[str, str]) -> Iterator[dict[str, object]]:
    period = PERIODS.get(packet.cn)
    if period is None:
        return
    times = [value for item in packet.items for name, value in item if name == "DataTime"]
    for item in packet.items:
        if item[0][0] != "DataTime":
            yield {
                "mn": packet.mn,
                "st": packet.st,
                "local_time": _local_time(times),
                "period": period,
                **_measured(item, units),
            }


def _measured(item: Item, units: Mapping[str, str]) -> dict[str, object]:
    factor = item[0][0].partition("-")[0]
    known = FACTORS.get(factor)
    row: dict[str, object] = {
        "factor": factor,
        **dict.fromkeys(_COLUMNS.values()),
        "unit": units.get(factor),
        "total_unit": known.total_unit if known else None,
        "flag": None,
    }
    for name, text in item:
        head, _, tail = name.partition("-")
        if head == factor and tail in _COLUMNS:
            row[_COLUMNS[tail]] = _number(text)
        elif head == factor and tail == "Flag":
            row["flag"] = text
    return row


def _local_time(times: list[str]) -> str | None:
    """Write DataTime as the contract does; a time that is none stays as it came, to be held back."""
    if len(times) != 1:
        return None
    try:
        return parse_time(times[0]).strftime("%Y-%m-%dT%H:%M")
    except PacketInvalid:
        return times[0]


def _number(text: str) -> float | int | str | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
