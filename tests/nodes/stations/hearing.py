"""A gateway on loopback with a register in memory, and a client that sends bytes and reads answers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.clock import FrozenClock
from contracts.hj212 import Edition, Packet, Splitter, parse_frame
from nodes.stations.gateway import Gateway, Limits
from nodes.stations.journal import Journal, segments
from nodes.stations.model import Heard, Refused, Secret, Station

MN = "010000A8900016F000169DC0"
PASSWORD = "123456"
CLOCK = FrozenClock(datetime(2026, 3, 1, 1, 0, tzinfo=UTC))
STATION = Station(MN, "outlet", "outlets", Edition.Y2017, Secret(PASSWORD))


@dataclass
class MemoryRegister:
    """A register that remembers what it was told."""

    known: dict[str, Station]
    refused: list[tuple[str, Refused]] = field(default_factory=list)
    uncounted: dict[str, int] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)

    def stations(self) -> Mapping[str, Station]:
        return dict(self.known)

    def note(
        self,
        refused: Sequence[tuple[str, Refused]],
        uncounted: Mapping[str, int],
        heard: Mapping[str, Heard],
    ) -> None:
        self.refused += refused
        self.uncounted |= uncounted
        self.heard |= heard

    @property
    def reasons(self) -> list[str]:
        return [one.reason for _, one in self.refused]


def register_of(*stations: Station) -> MemoryRegister:
    return MemoryRegister({one.mn: one for one in stations or (STATION,)})


@asynccontextmanager
async def hearing(
    folder: Path, register: MemoryRegister | None = None, limits: Limits | None = None
) -> AsyncIterator[tuple[Gateway, tuple[str, int]]]:
    """Run a gateway; at the end everything is noted."""
    gateway = Gateway(register or register_of(), Journal(folder, CLOCK), CLOCK, limits or Limits())
    address = await gateway.start("127.0.0.1")
    try:
        yield gateway, address
    finally:
        await gateway.close()


def journalled(folder: Path) -> bytes:
    """Give every frame of a journal."""
    return b"".join(path.read_bytes() for path in segments(folder))


def hour(number: int, *, mn: str = MN, value: str = "23.4", **changes: object) -> Packet:
    """Give the hour packet of one hour of the year."""
    day, at = divmod(number, 24)
    packet = Packet(
        qn=f"2026{1 + day // 28:02}{1 + day % 28:02}{at:02}0100000",
        st="32",
        cn="2061",
        pw=PASSWORD,
        mn=mn,
        flag=5,
        items=(
            (("DataTime", f"2026{1 + day // 28:02}{1 + day % 28:02}{at:02}0000"),),
            (("w01018-Avg", value), ("w01018-Flag", "N")),
            (("w21003-Avg", "1.2"), ("w21003-Flag", "N")),
        ),
    )
    return replace(packet, **changes)  # type: ignore[arg-type]  # the fields of a packet


async def talk(address: tuple[str, int], sent: Iterable[bytes], answers: int) -> list[Packet]:
    """Send pieces one by one and read so many answers."""
    reader, writer = await asyncio.open_connection(*address)
    splitter = Splitter()
    found: list[Packet] = []
    try:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(20):
            while len(found) < answers:
                data = await reader.read(65536)
                if not data:
                    break
                found += [parse_frame(piece) for piece in splitter.feed(data) if isinstance(piece, bytes)]
    finally:
        writer.close()
    return found
