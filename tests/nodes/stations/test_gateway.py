"""The gateway over real sockets: what is answered is on disk, what is refused is in quarantine."""

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.hj212 import Edition, Packet, frame
from contracts.hj212.sm4 import seal
from nodes.simulator import Link, NoAnswer
from nodes.stations import gateway as gateway_module
from nodes.stations.gateway import Limits
from nodes.stations.guessing import MAX_KEPT, MAX_WRONG, SPAN_SECONDS, Guesses
from nodes.stations.journal import Journal, JournalFull
from nodes.stations.model import Secret, StationGuessed, StationState, StationUnknown
from tests.nodes.stations.hearing import (
    CLOCK,
    MN,
    STATION,
    hearing,
    hour,
    journalled,
    register_of,
    talk,
)

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
QUICK = 0.2  # seconds that a test waits for an answer that does not come
GOOD = hour(0)


def spoilt(raw: bytes) -> bytes:
    """Give the frame with a wrong checksum."""
    return raw[:-6] + (b"0000" if raw[-6:-2] != b"0000" else b"0001") + b"\r\n"


def test_what_is_answered_is_on_disk(tmp_path: Path) -> None:
    """Each data packet is answered by its 9014, and the journal holds the frames as they came."""
    sent = [hour(number) for number in range(30)]

    async def story() -> list[Packet]:
        async with hearing(tmp_path) as (_, address):
            return await talk(address, [packet.frame() for packet in sent], 30)

    assert asyncio.run(story()) == [packet.answer() for packet in sent]
    assert journalled(tmp_path) == b"".join(packet.frame() for packet in sent)


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_packets_split_and_merged_by_tcp(tmp_path: Path, cut: int) -> None:
    """However the bytes are cut, every packet is answered once."""
    stream = b"".join(hour(number).frame() for number in range(6))
    pieces = [stream[at : at + cut] for at in range(0, len(stream), cut)]

    async def story() -> list[Packet]:
        async with hearing(tmp_path) as (_, address):
            return await talk(address, pieces, 6)

    assert [answer.qn for answer in asyncio.run(story())] == [hour(number).qn for number in range(6)]


def test_bad_packets_get_no_answer_and_lie_in_quarantine(tmp_path: Path) -> None:
    """Noise, a wrong checksum and text that is not UTF-8 are refused; the next good packet is answered."""
    register = register_of()
    gbk = hour(1, value="停电").segment().decode().encode("gbk")
    not_utf8 = frame(gbk)
    sent = b"hello\r\n" + spoilt(GOOD.frame()) + b"##00" + not_utf8 + GOOD.frame()

    async def story() -> list[Packet]:
        async with hearing(tmp_path, register) as (gateway, address):
            found = await talk(address, [sent], 1)
            assert gateway.counts.refused == 2
            assert gateway.counts.skipped_bytes == len(b"hello\r\n##00")
            return found

    assert asyncio.run(story()) == [GOOD.answer()]
    assert sorted(register.reasons) == ["hj212-checksum", "hj212-invalid", "hj212-noise", "hj212-noise"]
    assert all(b"PW=" + STATION.secret.password.encode() not in one.raw for _, one in register.refused)
    assert {one.mn for _, one in register.refused} == {MN, None}
    assert register.heard[MN].refused == 2
    assert journalled(tmp_path) == GOOD.frame()


STRANGERS = {
    "unknown MN": (replace(GOOD, mn="F" * 24), "hj212-station-unknown"),
    "wrong password": (replace(GOOD, pw="guess"), "hj212-station-unknown"),
    "older edition": (replace(GOOD, flag=1), "hj212-edition"),
    "newer edition": (replace(GOOD, flag=9), "hj212-edition"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_get_no_answer(tmp_path: Path, name: str) -> None:
    """Another MN, PW or edition is refused however often it is sent, and nothing of it is kept as data."""
    packet, reason = STRANGERS[name]
    register = register_of()

    async def story() -> None:
        async with hearing(tmp_path, register) as (_, address):
            link = Link(*address, answer_seconds=QUICK / 4)
            try:
                with pytest.raises(NoAnswer):
                    await link.send(packet)
                await link.send(GOOD)
            finally:
                await link.close()

    asyncio.run(story())

    assert register.reasons == [reason] * 4
    assert journalled(tmp_path) == GOOD.frame()


def test_a_retired_station_is_heard_no_more(tmp_path: Path) -> None:
    """A registration that changes holds at once; a station beside it goes on being heard."""
    other = replace(STATION, mn="E" * 24)
    register = register_of(STATION, other)

    async def story() -> list[Packet]:
        async with hearing(tmp_path, register) as (gateway, address):
            before = await talk(address, [GOOD.frame()], 1)
            register.known[MN] = replace(STATION, state=StationState.RETIRED)
            gateway.reload()
            return before + await talk(address, [hour(1).frame(), hour(2, mn=other.mn).frame()], 1)

    assert [answer.mn for answer in asyncio.run(story())] == [MN, other.mn]
    assert register.reasons == ["hj212-station-unknown"]


def test_an_encrypting_station(tmp_path: Path) -> None:
    """With a key, encrypted data are taken; in clear or under another key they are not."""
    station = replace(STATION, edition=Edition.Y2025, secret=Secret("123456", KEY))
    register = register_of(station)
    clear = replace(GOOD, flag=9)
    good, wrong = seal(clear, KEY), seal(clear, bytes(range(16)))
    beat = replace(clear, cn="9015", items=())

    async def story() -> list[Packet]:
        async with hearing(tmp_path, register) as (_, address):
            return await talk(address, [part.frame() for part in (clear, wrong, good, beat)], 2)

    found = asyncio.run(story())

    assert [(answer.cn, answer.flag) for answer in found] == [("9014", 8), ("9013", 8)]
    assert register.reasons == ["hj212-sealed"] * 2
    assert journalled(tmp_path) == good.frame()


def test_each_command_gets_its_answer(tmp_path: Path) -> None:
    """Data get 9014, notices 9013, results nothing, and nothing without bit A; only data are kept."""
    commands = ("2011", "2021", "1013", "9015", "9011", "9012", "2081")
    sent = [hour(number, cn=cn) for number, cn in enumerate(commands)] + [hour(9, flag=4)]

    async def story() -> list[Packet]:
        async with hearing(tmp_path) as (_, address):
            return await talk(address, [packet.frame() for packet in sent], 5)

    found = asyncio.run(story())

    assert sorted(answer.cn for answer in found) == ["9013", "9013", "9014", "9014", "9014"]
    assert journalled(tmp_path) == b"".join(sent[place].frame() for place in (0, 1, 6, 7))


def test_many_stations_at_once(tmp_path: Path) -> None:
    """Connections share writes to the disk, and every one gets the answers to its own packets."""
    stations = [replace(STATION, mn=f"{number:024X}") for number in range(40)]

    async def story() -> list[list[Packet]]:
        async with hearing(tmp_path, register_of(*stations)) as (_, address):
            talks = [talk(address, [hour(n, mn=one.mn).frame() for n in range(10)], 10) for one in stations]
            return await asyncio.gather(*talks)

    for one, answers in zip(stations, asyncio.run(story()), strict=True):
        assert [answer.mn for answer in answers] == [one.mn] * 10


class BrokenJournal(Journal):
    """A journal on a disk that is full."""

    def append(self, _frames: Sequence[bytes]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("fault", ["full disk", "full journal"])
def test_what_is_not_on_disk_is_not_answered(tmp_path: Path, fault: str) -> None:
    """When the journal cannot take a frame the connection ends unanswered, so the station sends again."""
    journal = (
        BrokenJournal(tmp_path, CLOCK) if fault == "full disk" else Journal(tmp_path, CLOCK, max_bytes=10)
    )

    async def story() -> list[Packet]:
        gateway = gateway_module.Gateway(register_of(), journal, CLOCK)
        address = await gateway.start("127.0.0.1")
        try:
            return await talk(address, [GOOD.frame()], 1)
        finally:
            await gateway.close()

    assert asyncio.run(story()) == []
    assert journalled(tmp_path) == b""
    if fault == "full journal":
        with pytest.raises(JournalFull):
            Journal(tmp_path, CLOCK, max_bytes=10).append([GOOD.frame()])


async def hung_up(address: tuple[str, int], first: bytes, drip: bytes = b"") -> bool:
    """Send, then drip byte after byte; tell whether the gateway closed the connection."""
    reader, writer = await asyncio.open_connection(*address)
    closed = asyncio.create_task(reader.read())
    try:
        writer.write(first)
        for byte in drip:
            done, _ = await asyncio.wait({closed}, timeout=0.03)
            if done:
                break
            writer.write(bytes([byte]))
        async with asyncio.timeout(5):
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
    "never in order": (Limits(refused_frames=3), spoilt(GOOD.frame()) * 4, b""),
    "one too many": (Limits(connections=0), b"", b""),
    "one too many from here": (Limits(connections_per_address=0), b"", b""),
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_greedy_connection_is_closed(tmp_path: Path, name: str) -> None:
    """Too slow, too silent, too noisy or too many: the connection ends and the others do not suffer."""
    limits, first, drip = GREEDY[name]

    async def story() -> tuple[bool, int]:
        async with hearing(tmp_path, limits=limits) as (gateway, address):
            return await hung_up(address, first, drip), gateway.counts.closed_early

    assert asyncio.run(story()) == (True, 1)


def test_strangers_give_way_to_stations(tmp_path: Path) -> None:
    """Connections that never sent a thing fill no room: a station gets in, and one that is in stays."""

    async def story() -> tuple[list[bytes], list[Packet]]:
        async with hearing(tmp_path, limits=Limits(connections=3)) as (_, address):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(GOOD.frame())
            answers = [await reader.readuntil(b"\r\n")]
            silent = [await asyncio.open_connection(*address) for _ in range(6)]
            late = await talk(address, [hour(2).frame()], 1)
            writer.write(hour(3).frame())
            answers.append(await reader.readuntil(b"\r\n"))
            for each in [writer, *(one for _, one in silent)]:
                each.close()
            return answers, late

    answers, late = asyncio.run(story())

    assert answers == [GOOD.answer().frame(), hour(3).answer().frame()]
    assert late == [hour(2).answer()]


def test_a_password_is_not_guessed(tmp_path: Path) -> None:
    """After twenty wrong passwords from an address even the right one gets no answer from there."""
    register = register_of(STATION, replace(STATION, mn="E" * 24))
    wrong = b"".join(replace(GOOD, pw=f"{number:06}").frame() for number in range(MAX_WRONG + 1))

    async def story() -> list[Packet]:
        async with hearing(tmp_path, register) as (_, address):
            return await talk(address, [wrong + GOOD.frame() + hour(1, mn="E" * 24).frame()], 1)

    assert [answer.mn for answer in asyncio.run(story())] == ["E" * 24]
    assert Counter(register.reasons) == {StationUnknown.code: MAX_WRONG + 1, StationGuessed.code: 1}
    assert journalled(tmp_path) == hour(1, mn="E" * 24).frame()


def test_guesses_are_forgotten_in_time_and_fill_no_memory() -> None:
    """The span over, a misconfigured station is heard again; the oldest counts go when there are many."""
    guesses = Guesses()
    for _ in range(MAX_WRONG + 1):
        guesses.note_wrong("a", MN, 0.0)

    assert guesses.is_guessing("a", MN, SPAN_SECONDS - 1)
    assert not guesses.is_guessing("b", MN, 1.0)
    assert not guesses.is_guessing("a", MN, SPAN_SECONDS)
    for number in range(MAX_KEPT):
        guesses.note_wrong(str(number), MN, 1.0)
    assert not guesses.is_guessing("a", MN, 2.0)


def test_strangers_do_not_fill_the_log(tmp_path: Path) -> None:
    """However many frames are refused, a round of noting tells of them in one line."""

    async def story() -> None:
        async with hearing(tmp_path) as (_, address):
            await talk(address, [spoilt(GOOD.frame()) * 50 + GOOD.frame()], 1)

    with capture_logs() as lines:
        asyncio.run(story())

    (line,) = [one for one in lines if one["event"] == "hj212_refused"]
    assert line["reasons"] == {"hj212-checksum": 50}


def test_a_client_that_does_not_read_is_closed(tmp_path: Path) -> None:
    """Answers that nobody reads pile up to a limit; then the connection ends."""
    frames = b"".join(hour(number).frame() for number in range(200))

    async def story() -> int:
        async with hearing(tmp_path, limits=Limits(packet_seconds=0.2)) as (gateway, address):
            small = socket.socket()
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            small.setblocking(False)
            await asyncio.get_running_loop().sock_connect(small, address)
            reader, writer = await asyncio.open_connection(sock=small, limit=1)
            try:
                for _ in range(400):
                    writer.write(frames)
                    await writer.drain()
            except ConnectionError:
                reader.feed_eof()
            finally:
                writer.close()
            return gateway.counts.closed_early

    assert asyncio.run(story()) == 1


def test_a_flood_of_refusals_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what waits for the quarantine, refused frames are counted and not held in memory."""
    monkeypatch.setattr(gateway_module, "MAX_WAITING_REFUSALS", 5)
    register = register_of()
    bad = spoilt(GOOD.frame()) * 8

    async def story() -> None:
        async with hearing(tmp_path, register) as (_, address):
            await talk(address, [bad + GOOD.frame()], 1)

    asyncio.run(story())

    assert len(register.refused) == 5
    assert register.uncounted == {"hj212-checksum": 3}
