"""A node that is killed while it takes rows in, before any step, loses no row and releases none twice."""

import copy
import multiprocessing
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from contracts.clock import FrozenClock
from nodes.intake.model import FolderSettings, NewSource, PushSettings, SqlSettings, StationSettings
from nodes.intake.sources import add_source, list_sources
from nodes.intake.spool import sweep
from nodes.intake.tables import PieceRow
from nodes.node import Node, open_node
from nodes.publishing.datasets import declare_dataset, register_contract
from tests.crash.feeding import FOLDER, PUSH, PUSHES, STATION, TABLE, feed, feed_until_killed
from tests.crash.rounds import FULL, found, played
from tests.nodes.completeness_exchange import CompletenessExchange
from tests.nodes.intake.feeding import batch, once_each, released
from tests.nodes.sharing import CONTRACT, DATASET, Joined, declaration, rows

SUBJECT = "nodes: intake"
STRIDE = 1 if FULL else 13
EXPECTED = once_each(1, 7) + once_each(100, 6) + once_each(200, 3) + once_each(300, 5)


@dataclass(frozen=True)
class Fed:
    """A home with four sources that have not run yet, and its exchange."""

    home: Path
    exchange: CompletenessExchange
    clock: FrozenClock


@pytest.fixture
def fed(joined: Joined, tmp_path: Path) -> Fed:
    clock = FrozenClock(joined.at)
    exchange = copy.deepcopy(joined.exchange)
    exchange.clock = clock
    place = tmp_path / "place"
    home = Path(shutil.copytree(joined.homes[0], place / "home"))
    watched = place / "watched"
    watched.mkdir()
    (watched / "a.ndjson").write_bytes(batch(1, 4))
    (watched / "b.ndjson").write_bytes(batch(5, 3))
    address = place / "address"
    address.touch(mode=0o600)
    address.write_text(f"sqlite:///{_table(place / 'source.db')}")
    table = SqlSettings(url_file=str(address), table="buoy", by="record_number")
    with open_node(home, clock=clock, transport=exchange.transport) as node:
        register_contract(node, CONTRACT)
        declare_dataset(node, declaration())
        for name, settings in (
            (FOLDER, FolderSettings(path=str(watched), settle_seconds=0, after="move")),
            (TABLE, table),
            (PUSH, PushSettings()),
            (STATION, StationSettings()),
        ):
            add_source(node, NewSource(name=name, dataset=DATASET, settings=settings))
    return Fed(home, exchange, clock)


def _table(path: Path) -> Path:
    records = rows(5, first=300)
    names = ", ".join(records[0])
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE buoy ({names})")
        marks = ", ".join(f":{name}" for name in records[0])
        database.executemany(f"INSERT INTO buoy VALUES ({marks})", records)  # noqa: S608  # names of our own
    database.close()
    return path


def _fed_until(fed: Fed, exchange: CompletenessExchange, step: int) -> tuple[list[str], int | None]:
    """Run a node until it is killed; give the batches that it said had landed, and the steps if it ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.feeding"])
    here, there = context.Pipe()
    arguments = (str(fed.home), fed.clock.now(), step, there)
    process = context.Process(target=feed_until_killed, args=arguments, daemon=True)
    process.start()
    there.close()
    landed: list[str] = []
    whole: int | None = None
    while True:
        try:
            match here.recv():
                case ("call", method, url, headers, body):
                    request = httpx.Request(method, url, headers=headers, content=body)
                    answer = exchange.transport.handle_request(request)
                    here.send((answer.status_code, answer.headers.raw, answer.read()))
                case ("landed", key):
                    landed.append(key)
                case ("done", steps):
                    whole = steps
        except (EOFError, ConnectionError):
            break
    process.join()
    here.close()
    assert process.exitcode in {0, -9}
    return landed, whole


def _broken_after(fed: Fed, start: Path, step: int) -> tuple[list[str], bool]:
    """Kill a node before a step, start it again, let senders repeat; say what was broken, and if it ended."""
    # The sources name their places, so each round begins in the same one.
    shutil.rmtree(fed.home.parent)
    shutil.copytree(start, fed.home.parent)
    exchange = copy.deepcopy(fed.exchange)
    landed, whole = _fed_until(fed, exchange, step)
    with open_node(fed.home, clock=fed.clock, transport=exchange.transport) as node:
        sweep(node)
        faults = [f"{key} was acknowledged and is not there" for key in landed if not _is_there(node, key)]
        feed(node)
        again = released(node)
        if again != EXPECTED:
            faults.append(f"lost {EXPECTED - again}, twice {again - EXPECTED}")
        if list((fed.home / "intake").rglob("*/*")):
            faults.append("the spool is not empty")
        faults += [f"{one['source']} has rows left" for one in list_sources(node) if one["waiting"]]
    return [f"step {step}: {fault}" for fault in faults], whole is not None


def _is_there(node: Node, key: str) -> bool:
    with node.database.read() as session:
        return session.exec(select(PieceRow).where(PieceRow.key == key)).first() is not None


def test_wherever_it_is_killed_every_row_is_released_once(fed: Fed, tmp_path: Path) -> None:
    """Before each sync, rename, removal, commit and call: what was acknowledged is there, nothing twice."""
    start = Path(shutil.copytree(fed.home.parent, tmp_path / "start"))
    losses: list[str] = []
    step, ended = 0, False
    while not ended:
        broken, ended = _broken_after(fed, start, step)
        played[SUBJECT, "kill -9"] += 1
        found[SUBJECT, "kill -9"] += bool(broken)
        losses += broken
        step += STRIDE

    assert losses == []
    assert step > len(PUSHES)
