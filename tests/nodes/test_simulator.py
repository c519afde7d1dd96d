"""Made-up stations against a gateway over loopback TCP, and the file of frames that they leave."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from contracts import library
from contracts.clock import BEIJING
from contracts.hj212 import Packet
from contracts.validation import RowValidator
from nodes.simulation import MadeUpRegister
from nodes.simulator import Link, NoAnswer, Report, run, schedule, stations
from nodes.sources.hj212 import open_hj212
from nodes.stations.gateway import Counts, Gateway
from nodes.stations.journal import Journal, segments
from tests.nodes.stations.hearing import CLOCK

FIRST = datetime(2026, 3, 1, tzinfo=BEIJING)
QUICK = 0.2  # seconds that a test waits for an answer that does not come
WATER, AIR = stations(2, seed=7)


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
    who = stations(5, seed=11)

    async def story() -> tuple[Counts, Report]:
        gateway = Gateway(MadeUpRegister(who), Journal(tmp_path, CLOCK), CLOCK)
        address = await gateway.start("127.0.0.1")
        report = await run(who, FIRST, 12, address, defect_every=5, answer_seconds=QUICK)
        await gateway.close()
        return gateway.counts, report

    counts, report = asyncio.run(story())
    (spool,) = segments(tmp_path)
    numbered = list(open_hj212(spool, synthetic=True))
    validator = RowValidator(library.load("pollution-source-online"))
    rejected = [bad for number, row in numbered if (bad := validator.judge(number, row)) is not None]

    assert report.defects == {"wrong-type": 4, "out-of-range": 4, "bad-checksum": 4}
    assert (counts.accepted, counts.refused, report.transmissions) == (60, 4, 64)
    assert report.answered == 60
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    assert {row["mn"] for _, row in numbered} == {station.mn for station in who}
    assert len(rejected) == 8
    spoilt = [row["value"] for number, row in numbered if number in {r.row_number for r in rejected}]
    assert sorted(map(str, spoilt)) == ["9999999999"] * 4 + ["ERR"] * 4


def test_rows_name_their_units(tmp_path: Path) -> None:
    """Particles come in ng/m3 unless the device is known to differ, and are reported in ug/m3."""
    spool = tmp_path / "air.hj212"
    spool.write_bytes(replace(AIR, seed=1).packet(FIRST).frame())

    by_default = {row["factor"]: row for _, row in open_hj212(spool)}
    by_device = {row["factor"]: row for _, row in open_hj212(spool, {"a34004": "ug/m3"})}

    assert by_default["a34004"]["unit"] == by_device["a34004"]["unit"] == "ug/m3"
    assert by_default["a34004"]["value"] == float(str(by_device["a34004"]["value"])) / 1000
    assert by_device["a21026"] == by_default["a21026"]


HAND = Packet("20260301090000000", "32", "2061", "1", "A" * 24, 5)


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

    with spool.open("ab") as file:
        file.write(frames[2] + frames[2] + damaged)

    times = {row["local_time"] for _, row in open_hj212(spool)}
    assert times == {"2026-03-01T00:00", "2026-03-01T02:00"}
    assert len(list(open_hj212(spool))) == 8


def test_parts_of_a_file_are_joined(tmp_path: Path) -> None:
    """Sub-packets in a file become one packet, and a part that stays alone is passed over aloud."""
    time = (("DataTime", "20260301080000"),)
    parts = [
        replace(HAND, flag=7, pnum=2, pno=1, items=(time, (("w01018-Avg", "1"),))),
        replace(HAND, flag=7, pnum=2, pno=2, items=((("w21003-Avg", "2"),),)),
        replace(HAND, flag=7, pnum=3, pno=2, items=((("w21011-Avg", "3"),),)),
        replace(HAND, items=(time, (("w01001-Avg", "1"), ("w01001-Avg", "2")))),
    ]
    spool = tmp_path / "x.hj212"
    spool.write_bytes(b"".join(part.frame() for part in parts))

    assert [(row["factor"], row["value"]) for _, row in open_hj212(spool)] == [("w01018", 1), ("w21003", 2)]


def test_nobody_listens() -> None:
    """A station whose receiver is gone says so after its retries."""

    async def story() -> None:
        server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1")
        gone = server.sockets[0].getsockname()
        server.close()
        await server.wait_closed()
        link = Link(str(gone[0]), int(gone[1]), QUICK)
        with pytest.raises(NoAnswer):
            await link.send(WATER.packet(FIRST))
        assert link.transmissions == 0

    asyncio.run(story())
