"""The gateway inside a serving node: it comes with the node, and loses nothing that it answered."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from contracts.errors import Usage
from nodes.addresses import AddressInUse
from nodes.simulation import report
from nodes.simulator import NoAnswer
from nodes.stations.collect import collect, journal_folder
from nodes.stations.journal import Journal, segments
from nodes.stations.listening import Listening
from tests.nodes.sharing import World
from tests.nodes.stations.collecting import province
from tests.nodes.stations.hearing import MN, PASSWORD, hour, talk

COMMAND = [sys.executable, "-W", "error", "-m", "exchange.cli", "node", "serve"]


@contextmanager
def serving(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], tuple[str, int]]]:
    """Serve a home in a process of its own, with stations on a free port."""
    with subprocess.Popen(
        [*COMMAND, "--home", str(home), "--stations", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        line = orjson.loads(process.stdout.readline())
        host, port = line["stations"].rsplit(":", 1)
        try:
            yield process, (host, int(port))
        finally:
            process.kill()


def test_a_killed_node_loses_nothing_that_it_answered(world: World) -> None:
    """Killed while stations send, and started again: every report that was answered is there once."""
    one = province(world)
    one.journal.close()
    home = world.provider.home
    answered: list[str] = []

    async def send(address: tuple[str, int], process: subprocess.Popen[bytes], kill_after: int) -> None:
        for number in range(40):
            found = await talk(address, [hour(number).frame()], 1)
            answered.extend(answer.qn for answer in found)
            if len(answered) == kill_after:
                process.kill()
                return

    with serving(home.path) as (process, address):
        asyncio.run(send(address, process, 15))
    with serving(home.path) as (process, address):
        asyncio.run(send(address, process, 10_000))
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=10)
    collect(one.node, Journal(journal_folder(one.node), one.node.clock))

    assert ended == 0
    assert not (home.path / "run" / "stations").exists()
    assert len(answered) == 15 + 40
    assert set(one.hours().values()) == {1}
    assert len(one.hours()) == 2 * 40


def test_a_tick_notes_and_collects(world: World) -> None:
    """At the first tick what an earlier run left is handed over; then once a minute, or much at once."""
    one = province(world)
    one.take(hour(0))
    one.journal.close()
    hearing = Listening(world.provider)
    hearing.tick(world.provider)
    first = len(one.landed())
    hearing.journal.append([hour(1).frame()])
    hearing.tick(world.provider)
    soon = len(one.landed())
    world.clock.advance(60)
    hearing.tick(world.provider)

    assert (first, soon, len(one.landed())) == (2, 2, 4)
    hearing.journal.close()


def test_a_made_up_station_reports_to_the_gateway(world: World) -> None:
    """The simulator speaks to a gateway under MN and password, and finds nobody where nobody listens."""
    one = province(world)
    one.journal.close()

    async def story() -> tuple[str, dict[str, object]]:
        hearing = Listening(world.provider)
        address = await hearing.start("127.0.0.1:0")
        with pytest.raises(AddressInUse):
            await Listening(world.provider).start(address)
        with pytest.raises(Usage):
            await Listening(world.provider).start("nonsense")
        done = await asyncio.to_thread(simulate, address)
        await hearing.close()
        return address, done

    def simulate(address: str) -> dict[str, object]:
        return report(
            address, mn=MN, st="32", edition="2017", password=PASSWORD, sm4_key=None, hours=3, seed=1
        )

    address, done = asyncio.run(story())

    assert (done["packets"], done["transmissions"], done["synthetic"]) == (3, 3, True)
    assert sum(path.stat().st_size > 0 for path in segments(journal_folder(one.node))) == 1
    with pytest.raises(NoAnswer):
        simulate(address)
    with pytest.raises(Usage):
        simulate("nowhere")
    with pytest.raises(Usage):
        report(address, mn=MN, st="99", edition="2017", password=PASSWORD, sm4_key=None, hours=1, seed=1)
