"""Turn the closed segments of the journal into records, and hand them to the sources of their stations.

1. A segment is read into a *yield*: records by source, digests of its packets, frames to quarantine, parts
   that wait. It is a file (``NNNNNNNN.yield``) written whole, so a segment yields the same bytes ever after.
2. One transaction notes digests, parts, frames and counts.
3. Each source's records land under a key that lands once; then segment and yield are done with.
A crash at any point repeats a step, and the repetition changes nothing: nothing is lost, nothing comes twice.
"""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy import delete, func
from sqlmodel import col, select

from audit.durable import write_private
from contracts.clock import epoch_ms
from contracts.errors import HeadwatersError
from contracts.hj212 import (
    Assembly,
    Packet,
    PacketInvalid,
    Splitter,
    Unassembled,
    Whole,
    records_of,
)
from contracts.hj212.assembly import WAIT_SECONDS
from contracts.messages import Severity, Text
from nodes.exclusive import exclusively
from nodes.intake.spool import land
from nodes.node import Node
from nodes.stations.journal import Journal, number_of
from nodes.stations.model import UNASSEMBLED, Refused, Station, Taken, judge_frame, refuse
from nodes.stations.registry import add_refusals, all_stations
from nodes.stations.tables import StationPacketRow, StationPartRow, StationRow

READ_BYTES = 1 << 20
KEPT_BYTES = 512 * 1024 * 1024
REMEMBER_DAYS = 30
ASKED_AT_ONCE = 500
JOURNAL = "journal"
BLOCKED = "stations.blocked"
_BLOCKED_TITLE = Text(
    zh="站点数据没有数据来源接收,报文日志在增长",
    en="No source takes what stations sent, and the journal grows",
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """What one station sent in one segment."""

    packets: int = 0
    records: int = 0
    repeated: int = 0


@dataclass(slots=True)
class Yield:
    """What one segment comes to."""

    number: int
    at: int
    rows: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    digests: set[str] = field(default_factory=set)
    refused: list[Refused] = field(default_factory=list)
    parts: list[tuple[float, bytes]] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))


@dataclass(slots=True)
class Collected:
    """What a round handed over."""

    segments: int = 0
    records: int = 0
    refused: int = 0
    sources: set[str] = field(default_factory=set)


def journal_folder(node: Node) -> Path:
    """Give the folder of the journal."""
    return node.home.path / "stations"


def collect(node: Node, journal: Journal, *, wait_seconds: float = WAIT_SECONDS) -> Collected:
    """Hand over everything that the journal holds; sub-packets wait ``wait_seconds`` for their set.

    Raises Busy while another round runs; and, after every other segment was tried, the error of a source that
    did not take its records: they stay and are handed over by a later round.
    """
    done = Collected()
    trouble: HeadwatersError | None = None
    with exclusively(node.home.path / ".stations.lock"):
        journal.close_segment(even_empty=_parts_overdue(node, wait_seconds))
        for segment in journal.closed():
            made = _made(node, segment, wait_seconds)
            try:
                _land(node, made, done)
            except HeadwatersError as error:
                # Told once for each source: the segment holds other stations' frames back, too.
                node.alarms.raise_alarm(
                    BLOCKED,
                    Severity.HIGH,
                    _BLOCKED_TITLE,
                    {"sources": ", ".join(made["rows"]), "code": error.code},
                )
                trouble = error
                continue
            _finish(journal, segment)
            done.segments += 1
    if trouble is not None:
        raise trouble
    return done


def _parts_overdue(node: Node, wait_seconds: float) -> bool:
    with node.database.read() as session:
        first: int | None = session.exec(select(func.min(StationPartRow.since))).one()
    if first is None:
        return False
    return epoch_ms(node.clock.now()) - first >= wait_seconds * 1000


def _made(node: Node, segment: Path, wait_seconds: float) -> dict[str, Any]:  # Any: our own JSON
    """Read a segment's yield, or make it: steps 1 and 2."""
    file = _yield_file(segment)
    if not file.is_file():
        write_private(file, _written(_read(node, segment, wait_seconds)))
    made: dict[str, Any] = orjson.loads(file.read_bytes())
    _note(node, made)
    return made


def _read(node: Node, segment: Path, wait_seconds: float) -> Yield:
    at = int(segment.stat().st_mtime * 1000)
    stations = all_stations(node)
    out = Yield(number_of(segment), at)
    originals: dict[Packet, bytes] = {}
    assembly = Assembly(wait_seconds)
    for since, frame, judged in _waiting(node, stations):
        if isinstance(judged, Refused):
            out.refused.append(judged)
            continue
        originals[judged.packet] = frame
        for one in assembly.add(judged.packet, since):
            _take(out, one, stations, originals)
    for frame, packet in _fresh(node, segment, stations, out):
        originals[packet] = frame
        for one in assembly.add(packet, at / 1000):
            _take(out, one, stations, originals)
    for one in assembly.expire(at / 1000):
        _take(out, one, stations, originals)
    out.parts = [(since, originals[packet]) for since, packet in assembly.waiting()]
    return out


def _fresh(
    node: Node, segment: Path, stations: dict[str, Station], out: Yield
) -> Iterator[tuple[bytes, Packet]]:
    """Give the packets of a segment that report something for the first time."""
    taken: list[tuple[bytes, Packet, str]] = []
    for frame in _frames(segment):
        judged = judge_frame(frame, stations)
        if isinstance(judged, Refused):
            # Changed since it was taken: the station was retired, or its password is another one now.
            out.refused.append(judged)
        else:
            taken.append((frame, judged.packet, _digest(judged.packet)))
    known = _known(node, [digest for _, _, digest in taken])
    for frame, packet, digest in taken:
        tally = out.tallies[packet.mn]
        if digest in known or digest in out.digests:
            tally.repeated += 1
            continue
        out.digests.add(digest)
        tally.packets += 1
        yield frame, packet


def _take(
    out: Yield, one: Whole | Unassembled, stations: dict[str, Station], originals: dict[Packet, bytes]
) -> None:
    if isinstance(one, Unassembled):
        out.refused += [refuse(originals[part], UNASSEMBLED, one.why) for part in one.parts]
        return
    station = stations[one.packet.mn]
    synthetic = True if station.synthetic else None
    try:
        lines = [orjson.dumps(row) for row in records_of(one.packet, station.units, synthetic=synthetic)]
    except PacketInvalid as error:
        out.refused += [refuse(originals[part], error.code, error.detail) for part in one.parts]
        return
    out.rows[station.source] += lines
    out.tallies[station.mn].records += len(lines)


def _digest(packet: Packet) -> str:
    """Name what a packet reports: the same report sent again is the same, whatever its QN.

    A packet that does not say its time, as a later sub-packet may, is told apart by its QN.
    """
    content = packet.content()
    qn = "" if "DataTime=" in content else packet.qn
    text = "|".join((packet.mn, packet.st, packet.cn, qn, str(packet.pnum), str(packet.pno), content))
    return hashlib.sha256(text.encode()).hexdigest()


def _known(node: Node, digests: list[str]) -> set[str]:
    known: set[str] = set()
    with node.database.read() as session:
        for at in range(0, len(digests), ASKED_AT_ONCE):
            query = select(StationPacketRow.digest).where(
                col(StationPacketRow.digest).in_(digests[at : at + ASKED_AT_ONCE])
            )
            known.update(session.exec(query).all())
    return known


def _frames(segment: Path) -> Iterator[bytes]:
    splitter = Splitter()
    with segment.open("rb") as file:
        while data := file.read(READ_BYTES):
            for piece in splitter.feed(data):
                if isinstance(piece, bytes):
                    yield piece
                else:
                    log.warning("hj212_journal_gap", segment=segment.name, size_bytes=piece.size_bytes)
    if splitter.pending_bytes:
        # Torn by a crash before it was answered: the station sends it again.
        log.warning("hj212_journal_torn", segment=segment.name, size_bytes=splitter.pending_bytes)


def _waiting(node: Node, stations: dict[str, Station]) -> Iterator[tuple[float, bytes, Taken | Refused]]:
    with node.database.read() as session:
        rows = session.exec(select(StationPartRow).order_by(col(StationPartRow.id))).all()
    for row in rows:
        yield row.since / 1000, row.frame, judge_frame(row.frame, stations)


def _written(out: Yield) -> bytes:
    return orjson.dumps(
        {
            "number": out.number,
            "at": out.at,
            "rows": {
                source: b"\n".join([*lines, b""]).decode() for source, lines in out.rows.items() if lines
            },
            "digests": sorted(out.digests),
            "refused": [
                [one.reason, one.detail, _text(one.raw), one.size_bytes, one.mn] for one in out.refused
            ],
            "parts": [[int(since * 1000), _text(frame)] for since, frame in out.parts],
            "tallies": {mn: [one.packets, one.records, one.repeated] for mn, one in out.tallies.items()},
        }
    )


def _note(node: Node, made: dict[str, Any]) -> None:  # Any: our own JSON
    """Note a yield once; a row of its own tells that it was."""
    number, at = made["number"], made["at"]
    marker = f"segment-{number:08}-{at}"
    refused = [
        (JOURNAL, Refused(reason, detail, base64.b64decode(raw), size, mn))
        for reason, detail, raw, size, mn in made["refused"]
    ]
    with node.database.transaction() as session:
        if session.get(StationPacketRow, marker) is not None:
            return
        for digest in (marker, *made["digests"]):
            session.add(StationPacketRow(digest=digest, segment=number, at=at))
        session.connection().execute(delete(StationPartRow))
        for since, frame in made["parts"]:
            session.add(StationPartRow(since=since, frame=base64.b64decode(frame)))
        for mn, (packets, records, repeated) in made["tallies"].items():
            row = session.get(StationRow, mn)
            if row is not None:
                row.packets += packets
                row.records += records
                row.repeated += repeated
                row.data_at = at
                session.add(row)
        add_refusals(session, refused, {}, at=at)
        oldest = epoch_ms(node.clock.now() - timedelta(days=REMEMBER_DAYS))
        session.connection().execute(delete(StationPacketRow).where(col(StationPacketRow.at) < oldest))


def _land(node: Node, made: dict[str, Any], done: Collected) -> None:  # Any: our own JSON
    for source, text in made["rows"].items():
        rows = text.encode()
        name = hashlib.sha256(rows).hexdigest()[:16]
        landed = land(node, source, rows, key=f"hj212-{made['number']:08}-{name}")
        done.sources.add(source)
        done.records += 0 if landed.repeated else landed.rows
    done.refused += len(made["refused"])


def _finish(journal: Journal, segment: Path) -> None:
    kept = segment.parent / "kept"
    journal.remove(segment, kept if segment.stat().st_size else None)
    _yield_file(segment).unlink()
    if not kept.is_dir():
        return
    files = sorted(kept.iterdir())
    size = sum(path.stat().st_size for path in files)
    for path in files:
        if size <= KEPT_BYTES:
            break
        size -= path.stat().st_size
        path.unlink()


def _yield_file(segment: Path) -> Path:
    return segment.with_suffix(".yield")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
