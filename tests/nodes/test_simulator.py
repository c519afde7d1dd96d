"""Made-up stations against the receiver over loopback TCP: what is answered is on disk, and the reverse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from contracts import library
from contracts.clock import BEIJING
from contracts.hj212 import Packet, parse_frame
from contracts.validation import RowValidator
from nodes.simulator import Link, NoAnswer, Report, Station, run, schedule, stations
from nodes.sources.hj212 import Hj212Receiver, Limits, Spool, open_hj212

FIRST = datetime(2026, 3, 1, tzinfo=BEIJING)
QUICK = 0.2  # seconds that a test waits for an answer that does not come
WATER, AIR = stations(2, seed=7)


@asynccontextmanager
async def receiving(
    spool: Path, known: dict[str, str] | None = None, limits: Limits | None = None
) -> AsyncIterator[tuple[Hj212Receiver, tuple[str, int]]]:
    receiver = Hj212Receiver(spool, stations=known, limits=limits)
    address = await receiver.start("127.0.0.1")
    try:
        yield receiver, address
    finally:
        await receiver.close()


def test_the_same_seed_sends_the_same_packets() -> None:
    """A run can be repeated byte for byte; another seed gives other stations and values."""
    one, same, other = ([p.frame() for p, _ in schedule(stations(3, s), FIRST, 5)] for s in (1, 1, 2))

    assert one == same
    assert not set(one) & set(other)


def test_the_values_follow_the_day() -> None:
    """Ozone peaks in the afternoon and nitrogen dioxide in the evening, hour packets begin at the hour."""
    packets = [AIR.packet(FIRST.replace(hour=hour)) for hour in range(24)]
    means = {
        factor: [
            float(value)
            for packet in packets
            for item in packet.items
            for name, value in item
            if name == f"{factor}-Avg"
        ]
        for factor in ("a05024", "a21004")
    }

    assert max(means["a05024"]) == max(means["a05024"][12:19])
    assert max(means["a21004"]) in means["a21004"][15:]
    assert packets[8].items[0] == (("DataTime", "20260301080000"),)
    assert packets[8].qn.startswith("2026030109")


def test_what_is_sent_arrives_as_rows_of_the_contract(tmp_path: Path) -> None:
    """Every packet is answered and kept; validation holds back exactly the values that were spoilt."""
    spool = tmp_path / "stations.hj212"
    who = stations(5, seed=11)

    async def story() -> tuple[Hj212Receiver, Report]:
        async with receiving(spool) as (receiver, address):
            report = await run(who, FIRST, 12, address, defect_every=5, answer_seconds=QUICK)
            assert report.answered == 60
            return receiver, report

    receiver, report = asyncio.run(story())
    numbered = list(open_hj212(spool, synthetic=True))
    validator = RowValidator(library.load("pollution-source-online"))
    rejected = [bad for number, row in numbered if (bad := validator.judge(number, row)) is not None]

    assert report.defects == {"wrong-type": 4, "out-of-range": 4, "bad-checksum": 4}
    assert (receiver.counts.accepted, receiver.counts.refused, report.transmissions) == (60, 4, 64)
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert {row["mn"] for _, row in numbered} == {station.mn for station in who}
    assert len(rejected) == 8
    spoilt = [row["value"] for number, row in numbered if number in {r.row_number for r in rejected}]
    assert sorted(map(str, spoilt)) == ["9999999999"] * 4 + ["ERR"] * 4


def test_rows_name_their_units(tmp_path: Path) -> None:
    """Particles come in ng/m3 as the standard says, unless the device is known to differ."""
    spool = tmp_path / "air.hj212"
    file = Spool(spool)
    file.append(replace(AIR, seed=1).packet(FIRST).frame())
    file.close()

    by_default = {row["factor"]: row["unit"] for _, row in open_hj212(spool)}
    by_device = {row["factor"]: row["unit"] for _, row in open_hj212(spool, {"a34004": "ug/m3"})}

    assert by_default["a34004"] == by_default["a34002"] == "ng/m3"
    assert by_device["a34004"] == "ug/m3"
    assert by_device["a21026"] == "mg/m3"


HAND = Packet("20260301090000000", "32", "2061", "1", "A" * 24, 5)


@pytest.mark.parametrize(
    ("item", "column", "expected"),
    [
        ("w01018-Avg=23.4", "value", 23.4),
        ("w01018-Avg=-2", "value", -2),
        ("w01018-Avg=", "value", None),
        ("w01018-Avg=1e5", "value", "1e5"),
        ("w01018-Avg=NaN", "value", "NaN"),
        ("w01018-Flag=N", "flag", "N"),
        ("w01018-Cou=4.2", "total_unit", "kg"),
        ("w99999-Avg=1", "unit", None),
        ("w01018-Avg=1,w01001-Avg=9", "value", 1),
    ],
)
def test_nothing_is_guessed(tmp_path: Path, item: str, column: str, expected: object) -> None:
    """What is no number stays text, what is missing stays missing, and an unknown factor has no unit."""
    pairs = tuple((pair.split("=")[0], pair.split("=")[1]) for pair in item.split(","))
    spool = tmp_path / "x.hj212"
    spool.write_bytes(replace(HAND, items=((("DataTime", "20260301080000"),), pairs)).frame())

    ((_, row),) = open_hj212(spool)

    assert (row[column], row["local_time"], row["period"]) == (expected, "2026-03-01T08:00", "hour")


def test_a_time_that_is_none_stays_as_it_came(tmp_path: Path) -> None:
    """DataTime outside the calendar, or missing, is left for validation to refuse."""
    spool = tmp_path / "x.hj212"
    value = (("w01018-Avg", "1"),)
    wrong = replace(HAND, items=((("DataTime", "20261301080000"),), value))
    spool.write_bytes(wrong.frame() + replace(HAND, items=(value,)).frame())

    assert [row["local_time"] for _, row in open_hj212(spool)] == ["20261301080000", None]


def test_a_spool_is_read_past_torn_and_repeated_frames(tmp_path: Path) -> None:
    """A crash in the middle of an append costs that packet only, and a packet sent twice counts once."""
    frames = [WATER.packet(FIRST.replace(hour=hour)).frame() for hour in range(3)]
    damaged = frames[1].replace(b"w01018", b"w01019", 1)
    spool = tmp_path / "x.hj212"
    spool.write_bytes(frames[0] + frames[1][:-30])

    file = Spool(spool)
    for frame in (frames[2], frames[2], damaged):
        file.append(frame)
    file.close()

    times = {row["local_time"] for _, row in open_hj212(spool)}
    assert times == {"2026-03-01T00:00", "2026-03-01T02:00"}
    assert len(list(open_hj212(spool))) == 8


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    """An append after close is an error, never a write into whatever file came next."""
    file = Spool(tmp_path / "x.hj212")
    file.close()

    with pytest.raises(OSError, match="Bad file descriptor"):
        file.append(b"x")


def test_bad_packets_get_no_answer_and_the_connection_stays(tmp_path: Path) -> None:
    """Noise and a wrong checksum are refused in silence; the next good packet is answered."""
    good = WATER.packet(FIRST).frame()
    bad = good[:-6] + (b"0000" if good[-6:-2] != b"0000" else b"0001") + b"\r\n"

    async def story() -> tuple[bytes, Hj212Receiver]:
        async with receiving(tmp_path / "x.hj212") as (receiver, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"hello\r\n" + bad + b"##00" + good)
            answer = await reader.readuntil(b"\r\n")
            writer.close()
            await writer.wait_closed()
            return answer, receiver

    answer, receiver = asyncio.run(story())

    assert parse_frame(answer) == parse_frame(good).answer()
    assert (receiver.counts.accepted, receiver.counts.refused) == (1, 1)
    assert receiver.counts.skipped_bytes == len(b"hello\r\n##00")
    assert (tmp_path / "x.hj212").read_bytes() == good


@pytest.mark.parametrize("stranger", [replace(WATER, mn="F" * 24), replace(WATER, password="guess")])
def test_unknown_stations_get_no_answer(tmp_path: Path, stranger: Station) -> None:
    """Where stations are registered, another MN or a wrong PW is refused, and nothing of it is kept."""
    spool = tmp_path / "x.hj212"

    async def story() -> int:
        async with receiving(spool, {WATER.mn: WATER.password}) as (receiver, address):
            link = Link(*address, answer_seconds=QUICK / 4)
            try:
                with pytest.raises(NoAnswer):
                    await link.send(stranger.packet(FIRST))
                await link.send(WATER.packet(FIRST))
            finally:
                await link.close()
            return receiver.counts.refused

    assert asyncio.run(story()) == 4
    assert spool.read_bytes() == WATER.packet(FIRST).frame()


def test_only_data_is_kept(tmp_path: Path) -> None:
    """Other commands are answered when they ask for it, and leave no trace in the spool."""
    other = replace(WATER.packet(FIRST), cn="2081")
    quiet = replace(WATER.packet(FIRST), flag=4)
    realtime = replace(WATER.packet(FIRST), cn="2011")

    async def story() -> None:
        async with receiving(tmp_path / "x.hj212") as (_, address):
            link = Link(*address, answer_seconds=QUICK)
            try:
                await link.send(other)
                with pytest.raises(NoAnswer):
                    await link.send(quiet)
                await link.send(realtime)
            finally:
                await link.close()

    asyncio.run(story())

    assert (tmp_path / "x.hj212").read_bytes() == quiet.frame() * 4 + realtime.frame()
    assert {row["period"] for _, row in open_hj212(tmp_path / "x.hj212")} == {"hour"}


async def hung_up(address: tuple[str, int], first: bytes, drip: bytes = b"") -> bool:
    """Send, then drip byte after byte; tell whether the receiver closed the connection."""
    reader, writer = await asyncio.open_connection(*address)
    closed = asyncio.create_task(reader.read())
    try:
        writer.write(first)
        for byte in drip:
            done, _ = await asyncio.wait({closed}, timeout=0.03)
            if done:
                break
            writer.write(bytes([byte]))
        async with asyncio.timeout(3):
            await asyncio.wait({closed})
        return closed.done()
    except TimeoutError:
        return False
    finally:
        closed.cancel()
        await asyncio.gather(closed, return_exceptions=True)
        writer.close()


GREEDY = {
    "slow": (Limits(packet_seconds=0.1), b"##0100QN=2026", b"0" * 60),
    "idle": (Limits(idle_seconds=0.1), b"", b""),
    "garbage": (Limits(garbage_bytes=1000), b"x" * 2000, b""),
    "dripping garbage": (Limits(idle_seconds=0.1), b"", b"x" * 60),
    "one too many": (Limits(connections=0), b"", b""),
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_greedy_connection_is_closed(tmp_path: Path, name: str) -> None:
    """Too slow, too silent, too noisy or too many: the connection ends and the others do not suffer."""
    limits, first, drip = GREEDY[name]

    async def story() -> tuple[bool, int]:
        async with receiving(tmp_path / "x.hj212", limits=limits) as (receiver, address):
            return await hung_up(address, first, drip), receiver.counts.closed_early

    assert asyncio.run(story()) == (True, 1)


def test_nobody_listens(tmp_path: Path) -> None:
    """A station whose receiver is gone says so after its retries."""

    async def story() -> None:
        async with receiving(tmp_path / "x.hj212") as (_, address):
            gone = address
        link = Link(*gone, answer_seconds=QUICK)
        with pytest.raises(NoAnswer):
            await link.send(WATER.packet(FIRST))
        assert link.transmissions == 0

    asyncio.run(story())
