"""C7: read HJ 212 packets from a stream into validated records, beside a bare checksum and split.

Packets of some 430 bytes with four factors of five values each, all different, in one TCP stream cut at odd
places. The bare limit does what every public implementation read for this does at least: Annex A byte by byte
from a table, then splits by semicolon, comma and equals sign; it checks no form, no station, no unit, no
contract. Encrypted packets (HJ 212-2025) are measured beside them. One core; packets per CPU second.

The gateway itself is measured over loopback TCP, each packet on disk before its answer: fifty stations that
send twenty packets before they wait, in the same process as the gateway, so a part of the time is theirs.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.figures import Figure, Limit
from contracts import library
from contracts.clock import SystemClock
from contracts.hj212 import Edition, Packet, Splitter, records_of
from contracts.hj212.sm4 import seal
from contracts.validation import RowValidator
from nodes.stations.gateway import Gateway
from nodes.stations.journal import Journal
from nodes.stations.model import Heard, Secret, Station, Taken, judge_frame

PACKETS = 20_000
ROUNDS = 5
SEED = 212
STATIONS = 50
AT_ONCE = 20
FACTORS = ("w01018", "w21003", "w21011", "w21001")
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
PASSWORD = "123456"  # noqa: S105  # the standard's example, for made-up packets


def run(folder: Path) -> list[Figure]:
    """Read the same packets in clear, encrypted, and bare, by turns; then let stations send them."""
    stations = {f"{number:024X}": _station(f"{number:024X}", Edition.Y2017) for number in range(100)}
    sealing = {mn: _station(mn, Edition.Y2025, KEY) for mn in stations}
    packets = list(_packets(list(stations)))
    clear = b"".join(packet.frame() for packet in packets)
    small = [replace(packet, flag=9, items=packet.items[:3]) for packet in packets]
    sealed = b"".join(seal(packet, KEY).frame() for packet in small)
    validator = RowValidator(library.load("pollution-source-online"))
    best = {
        "bare": _best(lambda: _bare(clear)),
        "clear": _best(lambda: _read(clear, stations, validator, len(FACTORS))),
        "sealed": _best(lambda: _read(sealed, sealing, validator, 2)),
    }
    plain = Limit("packets/CPU-s, bare CRC and split", best["bare"])
    unit = "packets/CPU-s"
    return [
        Figure("C7", "HJ 212 into validated records", best["clear"], unit, plain, bar="10,000", aim="20,000"),
        Figure("C7", "HJ 212-2025, SM4, two factors", best["sealed"], unit, plain),
        Figure("C7", "answered over TCP, durable", _answered(folder, packets, stations), "packets/s"),
    ]


def _answered(folder: Path, packets: list[Packet], stations: dict[str, Station]) -> float:
    """Give the packets per second of wall time that a gateway answers."""
    by_station: dict[str, list[bytes]] = {}
    for packet in packets:
        by_station.setdefault(packet.mn, []).append(packet.frame())
    sending = list(by_station.values())[:STATIONS]

    async def story() -> float:
        clock = SystemClock()
        gateway = Gateway(_Known(stations), Journal(folder / "journal", clock), clock)
        address = await gateway.start("127.0.0.1")
        began = time.perf_counter()
        await asyncio.gather(*(_send(address, frames) for frames in sending))
        seconds = time.perf_counter() - began
        await gateway.close()
        return gateway.counts.answered / seconds

    return asyncio.run(story())


async def _send(address: tuple[str, int], frames: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    splitter = Splitter()
    for at in range(0, len(frames), AT_ONCE):
        group = frames[at : at + AT_ONCE]
        writer.write(b"".join(group))
        answers = 0
        while answers < len(group):
            answers += sum(1 for _ in splitter.feed(await reader.read(65536)))
    writer.close()


@dataclass(frozen=True)
class _Known:
    """A register that notes nothing."""

    known: Mapping[str, Station]

    def stations(self) -> Mapping[str, Station]:
        """Give every station."""
        return self.known

    def note(
        self, refused: Sequence[object], uncounted: Mapping[str, int], heard: Mapping[str, Heard]
    ) -> None:
        """Refuse nothing, so there is nothing to keep."""
        if refused or uncounted or not heard:
            raise AssertionError("a packet in order was refused")


def _station(mn: str, edition: Edition, key: bytes | None = None) -> Station:
    return Station(mn, mn, "outlets", edition, Secret(PASSWORD, key))


def _packets(mns: list[str]) -> Iterator[Packet]:
    chance = random.Random(SEED)  # noqa: S311  # not for secrets
    for number in range(PACKETS):
        at = f"202603{1 + number // 2400 % 28:02}{number // 100 % 24:02}"
        items = [_item(factor, chance) for factor in FACTORS]
        content = ((("DataTime", f"{at}0000"),), *items)
        yield Packet(f"{at}0100000", "32", "2061", PASSWORD, mns[number % 100], 5, content)


def _item(factor: str, chance: random.Random) -> tuple[tuple[str, str], ...]:
    numbers = [(f"{factor}-{tail}", f"{chance.uniform(1, 60):.2f}") for tail in ("Cou", "Min", "Avg", "Max")]
    return (*numbers, (f"{factor}-Flag", "N"))


def _best(work: Callable[[], None]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return PACKETS / min(times)


def _read(stream: bytes, stations: dict[str, Station], validator: RowValidator, records_each: int) -> None:
    splitter = Splitter()
    valid = 0
    for at in range(0, len(stream), 60_001):
        for frame in splitter.feed(stream[at : at + 60_001]):
            judged = judge_frame(frame, stations) if isinstance(frame, bytes) else None
            if not isinstance(judged, Taken):
                raise AssertionError("a packet in order was refused")  # noqa: TRY004  # it is no type
            records = list(records_of(judged.packet, judged.station.units))
            valid += len(records) - len(validator.doubtful_records(records))  # as a source judges them
    if valid != PACKETS * records_each:
        raise AssertionError(f"{valid} records are valid, not {PACKETS * records_each}")


def _bare(stream: bytes) -> None:
    table = _table()
    found = at = 0
    while at < len(stream):
        size = int(stream[at + 2 : at + 6])
        segment = stream[at + 6 : at + 6 + size]
        register = 0xFFFF
        for byte in segment:
            register = (register >> 8) ^ byte
            register = table[register & 0xFF] ^ (register & 0xFF00)
        if int(stream[at + 6 + size : at + 10 + size], 16) != register:
            raise AssertionError("a checksum is wrong")
        content = segment.decode().split("&&")[1]
        values = dict(pair.split("=") for item in content.split(";") for pair in item.split(","))
        found += len(values) > 0
        at += 12 + size
    if found != PACKETS:
        raise AssertionError(f"{found} packets were found")


def _table() -> list[int]:
    table = []
    for value in range(256):
        register = value
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
        table.append(register)
    return table
