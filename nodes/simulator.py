"""Stations that speak HJ 212 over TCP, for demonstrations and tests: every value they send is made up.

The same seed sends the same packets, with diurnal courses, data flags and a few defects on purpose: a value
that is no number, a value out of range, and a checksum that is wrong the first time. A station waits for the
data answer 9014 and sends again, as HJ 212-2017 table 1 says (10 s, three times).
"""

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from contracts.clock import BEIJING
from contracts.errors import Unavailable
from contracts.hj212 import (
    DATA_ANSWER,
    HOUR_DATA,
    Edition,
    Flag,
    Item,
    Packet,
    Skipped,
    Splitter,
    parse_frame,
)
from contracts.hj212.sm4 import seal

AIR = "22"
WASTE_WATER = "32"
ANSWER_SECONDS = 10.0
RETRIES = 3

Defect = Literal["wrong-type", "out-of-range", "bad-checksum"]
DEFECTS: tuple[Defect, ...] = ("wrong-type", "out-of-range", "bad-checksum")


@dataclass(frozen=True, slots=True)
class Course:
    """A made-up daily course: mean, swing and the hour of the peak, in the unit of HJ 212-2017 annex B."""

    factor: str
    mean: float
    swing: float
    peak_hour: float
    digits: int
    # How much one unit of the mean makes in an hour, in the unit of the total; None has no total.
    total_per_unit: float | None = None


# Particles in ng/m3 (35 ug/m3 is 35,000), gases in mg/m3, water in mg/L; totals in kg an hour at 100 m3/h.
COURSES: dict[str, tuple[Course, ...]] = {
    AIR: (
        Course("a34004", 38_000, 14_000, 8, 0),
        Course("a34002", 66_000, 22_000, 9, 0),
        Course("a21026", 0.011, 0.004, 10, 3),
        Course("a21004", 0.034, 0.014, 19, 3),
        Course("a21005", 0.7, 0.2, 8, 2),
        Course("a05024", 0.075, 0.06, 15, 3),
    ),
    WASTE_WATER: (
        Course("w01001", 7.2, 0.2, 14, 2),
        Course("w01009", 6.4, 0.9, 15, 1),
        Course("w01018", 24.0, 6.0, 11, 1, total_per_unit=0.1),
        Course("w21003", 1.2, 0.4, 12, 2, total_per_unit=0.1),
    ),
}


class NoAnswer(Unavailable):
    """The receiver gave no data answer."""

    code = "hj212-no-answer"
    title_zh = "接收端没有返回 9014 数据应答"
    next_zh = "核对接收地址与端口,看接收端日志里拒收的原因。"
    next_en = "Check the receiver's address and port, and its log for the reason it refused."


@dataclass(frozen=True, slots=True)
class Station:
    """One made-up station; everything it sends follows from its seed, its MN and the hour."""

    mn: str
    st: str
    seed: int
    password: str = "123456"  # noqa: S105  # the standard's own example, for made-up stations only
    edition: Edition = Edition.Y2017
    sm4_key: bytes | None = None

    def packet(self, hour: datetime, defect: Defect | None = None) -> Packet:
        """Give the hour packet (CN 2061) of the hour that begins at ``hour``, sent just after its end."""
        start = hour.astimezone(BEIJING)
        chance = random.Random(f"{self.seed}/{self.mn}/{start:%Y%m%d%H}")  # noqa: S311  # not for secrets
        courses = COURSES[self.st]
        items = [_item(course, start.hour, chance) for course in courses]
        items = [_spoil(item, defect) if place == 0 else item for place, item in enumerate(items)]
        sent = start + timedelta(hours=1, milliseconds=chance.randrange(60_000))
        packet = Packet(
            qn=f"{sent:%Y%m%d%H%M%S}{sent.microsecond // 1000:03d}",
            st=self.st,
            cn=HOUR_DATA,
            pw=self.password,
            mn=self.mn,
            flag=self.edition.bits | Flag.ANSWER,
            items=((("DataTime", f"{start:%Y%m%d%H}0000"),), *items),
        )
        return packet if self.sm4_key is None else seal(packet, self.sm4_key)


@dataclass(slots=True)
class Report:
    """What a run sent: packets answered, transmissions made, and the defects that were put in."""

    answered: int = 0
    transmissions: int = 0
    defects: dict[Defect, int] = field(default_factory=lambda: dict.fromkeys(DEFECTS, 0))


def stations(count: int, seed: int) -> list[Station]:
    """Make ``count`` stations, waste water and air by turns, with MNs that follow from the seed."""
    chance = random.Random(f"{seed}/stations")  # noqa: S311  # not for secrets
    return [
        Station(f"{chance.getrandbits(96):024X}", (WASTE_WATER, AIR)[number % 2], seed)
        for number in range(count)
    ]


def schedule(
    who: Sequence[Station], first: datetime, hours: int, defect_every: int = 20
) -> Iterator[tuple[Packet, Defect | None]]:
    """Give the packets hour by hour; every ``defect_every``-th has the next kind of defect (0: none)."""
    number = 0
    for step in range(hours):
        for station in who:
            number += 1
            spoilt = defect_every > 0 and number % defect_every == 0
            defect = DEFECTS[(number // defect_every - 1) % len(DEFECTS)] if spoilt else None
            yield station.packet(first + timedelta(hours=step), defect), defect


class Link:
    """A station's TCP connection: it sends, waits for 9014, and sends again."""

    def __init__(self, host: str, port: int, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._address = (host, port)
        self._answer_seconds = answer_seconds
        self._splitter = Splitter()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.transmissions = 0

    async def send(self, packet: Packet, *, spoil_first: bool = False) -> None:
        """Send until the answer comes; raise NoAnswer after three retries, or when nobody listens."""
        for attempt in range(1 + RETRIES):
            raw = packet.frame()
            if spoil_first and attempt == 0:
                raw = raw[:-6] + (b"FFFF" if raw[-6:-2] != b"FFFF" else b"0000") + raw[-2:]
            try:
                reader, writer = await self._open()
                self.transmissions += 1
                writer.write(raw)
                await writer.drain()
                async with asyncio.timeout(self._answer_seconds):
                    await self._answer(reader, packet)
            except TimeoutError:
                continue
            except OSError:
                await self.close()
                continue
            return
        raise NoAnswer(f"no data answer after {1 + RETRIES} transmissions")

    async def close(self) -> None:
        """Close the connection; a later send opens a new one."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            self._splitter = Splitter()
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                return  # the other side closed first, which is what we wanted

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader, packet: Packet) -> None:
        while True:
            data = await reader.read(4096)
            if not data:
                raise ConnectionResetError("the receiver closed the connection")
            for piece in self._splitter.feed(data):
                if not isinstance(piece, Skipped):
                    answer = parse_frame(piece)
                    if (answer.cn, answer.qn, answer.mn) == (DATA_ANSWER, packet.qn, packet.mn):
                        return


async def run(
    who: Sequence[Station],
    first: datetime,
    hours: int,
    address: tuple[str, int],
    *,
    defect_every: int = 20,
    answer_seconds: float = ANSWER_SECONDS,
) -> Report:
    """Send ``hours`` hours from ``first`` for every station, one connection each; raise NoAnswer."""
    report = Report()
    links = {station.mn: Link(*address, answer_seconds) for station in who}
    try:
        for packet, defect in schedule(who, first, hours, defect_every):
            await links[packet.mn].send(packet, spoil_first=defect == "bad-checksum")
            report.answered += 1
            if defect is not None:
                report.defects[defect] += 1
    finally:
        for link in links.values():
            await link.close()
            report.transmissions += link.transmissions
    return report


def _item(course: Course, hour: int, chance: random.Random) -> Item:
    """Make one factor's values: total, min, avg, max and flag; a faulty device or link gives no values."""
    swing = course.swing * math.cos((hour - course.peak_hour) * math.tau / 24)
    mean = max(course.mean + swing + chance.gauss(0, course.swing / 6), 0.0)
    spread = course.swing * chance.uniform(0.05, 0.2)
    flag = chance.choices("NMCSTDB", (94, 1, 1, 1, 1, 1, 1))[0]
    low, avg, high = (f"{max(v, 0.0):.{course.digits}f}" for v in (mean - spread, mean, mean + spread))
    if flag in "DB":
        return ((f"{course.factor}-Flag", flag),)
    total = (
        ()
        if course.total_per_unit is None
        else ((f"{course.factor}-Cou", f"{mean * course.total_per_unit:.2f}"),)
    )
    values = (("Min", low), ("Avg", avg), ("Max", high), ("Flag", flag))
    return total + tuple((f"{course.factor}-{name}", value) for name, value in values)


def _spoil(item: Item, defect: Defect | None) -> Item:
    """Put a defect into a factor's mean; its flag still says N, for a defect does not announce itself."""
    bad = {"wrong-type": "ERR", "out-of-range": "9999999999"}.get(defect or "")
    if bad is None:
        return item
    factor = item[0][0].split("-")[0]
    return ((f"{factor}-Avg", bad), (f"{factor}-Flag", "N"))
