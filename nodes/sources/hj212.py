"""Read a file of HJ 212 frames (suffix ``.hj212``) as rows of the contract ``pollution-source-online``.

The file is raw frames one after another. A torn tail, noise between frames and packets that were sent twice
because an answer was lost are passed over. Encrypted packets need the station's key and are read
by the gateway (``nodes.stations``) only; here they are passed over like noise, aloud.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from contracts.hj212 import (
    RECORD_KEYS,
    Assembly,
    DeviceUnits,
    Packet,
    PacketInvalid,
    PacketTooLarge,
    Record,
    Skipped,
    Splitter,
    Unassembled,
    Whole,
    parse_frame,
    records_of,
)

READ_BYTES = 64 * 1024
ROW_KEYS = RECORD_KEYS

log = structlog.get_logger(__name__)


def open_hj212(
    path: Path, units: Mapping[str, str] | None = None, *, synthetic: bool | None = None
) -> Iterator[tuple[int, Record]]:
    """Give the rows of a file, numbered from 1.

    ``units`` names the unit that a device sends for a factor where it is not that of HJ 212-2017 annex B
    (many send particles in ug/m3, not ng/m3); ``synthetic`` marks rows as made up: a packet cannot say it.
    """
    known = DeviceUnits(dict(units or {}))
    known.check()
    number = 0
    for packet in _wholes(path):
        try:
            rows = list(records_of(packet, known, synthetic=synthetic))
        except PacketInvalid as error:
            log.warning("hj212_packet_passed_over", why=error.detail)
            continue
        for row in rows:
            number += 1
            yield number, row


def _wholes(path: Path) -> Iterator[Packet]:
    for found in _assembled(path):
        if isinstance(found, Whole):
            yield found.packet
        else:
            log.warning("hj212_parts_passed_over", parts=len(found.parts), why=found.why)


def _assembled(path: Path) -> Iterator[Whole | Unassembled]:
    """Join sub-packets; no time passes inside a file, so a set of them waits until the end of it."""
    assembly = Assembly()
    for packet in _packets(path):
        yield from assembly.add(packet, 0.0)
    yield from assembly.expire(float("inf"))


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
