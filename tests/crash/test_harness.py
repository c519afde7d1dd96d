"""The harness itself: it finds the losses of code that forgets to sync, and its disk does what disks do."""

import os
import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from policies.engine import open_engine
from tests.crash import granting, log_writing, shard_writing, sharing_nodes, witnessing
from tests.crash.disk import PAGE, SECTOR, Create, Cut, Disk, Remove, Rename, Sync, SyncFolder, Write
from tests.crash.recorder import recording
from tests.crash.rounds import Loss, crashes
from tests.nodes.conftest import JoinNode
from tests.nodes.sharing import Joined
from tests.nodes.simulated_exchange import SimulatedExchange

CARELESS = ["synchronous=OFF", "synchronous=NORMAL"]


@pytest.mark.parametrize("pragma", CARELESS)
def test_a_log_that_does_not_sync_is_caught(log_folder: Path, pragma: str) -> None:
    """Acknowledged entries are found missing when commits are not synced."""
    recorder = log_writing.write_log(log_folder, 1, pragma=pragma)

    found = [log_writing.broken_promises(one) for one in crashes(recorder, 1, loss=Loss.DROPPED, count=8)]
    assert any(found)


def test_shards_that_are_not_synced_are_caught(log_folder: Path) -> None:
    """A shard that was opened is found lost when commits are not synced."""
    recorder = shard_writing.write_shards(log_folder, 1, pragma="synchronous=OFF")

    found = [shard_writing.broken_promises(one) for one in crashes(recorder, 1, loss=Loss.DROPPED, count=8)]
    assert any(found)


@pytest.mark.parametrize("pragma", CARELESS)
def test_an_exchange_that_does_not_sync_is_caught(exchange_home: Path, tmp_path: Path, pragma: str) -> None:
    """Released grants are found unlogged when commits are not synced."""
    shutil.copytree(exchange_home, tmp_path / "run" / granting.HOME)
    policy = open_engine("embedded:")
    with granting.one_engine(policy):
        recorder = granting.grant_and_close(tmp_path / "run", 1, pragma=pragma)
        found = [granting.broken_promises(one) for one in crashes(recorder, 1, loss=Loss.DROPPED, count=12)]
    policy.close()

    assert any(found)


@pytest.mark.parametrize("pragma", CARELESS)
def test_a_witness_that_does_not_sync_is_caught(
    join_node: JoinNode, exchange: SimulatedExchange, clock: FrozenClock, pragma: str
) -> None:
    """A cosignature is found forgotten when commits are not synced."""
    recorder = witnessing.cosign(join_node(), exchange, clock, 1, pragma=pragma)

    found = [
        witnessing.broken_promises(one, exchange, clock)
        for one in crashes(recorder, 1, loss=Loss.DROPPED, count=8)
    ]
    assert any(found)


@pytest.mark.parametrize("careless", [*({"pragma": pragma} for pragma in CARELESS), {"deaf": True}], ids=str)
def test_a_node_that_does_not_sync_is_caught(
    joined: Joined, tmp_path: Path, careless: dict[str, object]
) -> None:
    """Rows, files and proofs are found missing when commits, or the node's own files, are not synced."""
    for home in joined.homes:
        shutil.copytree(home, tmp_path / "run" / home.name)
    exchange, clock = sharing_nodes.fresh(joined)
    recorder = partial(sharing_nodes.share, tmp_path / "run", exchange, clock, 1)(**careless)  # type: ignore[arg-type]  # one of two known options

    found = [
        sharing_nodes.broken_promises(one, exchange, clock)
        for one in crashes(recorder, 1, loss=Loss.DROPPED, count=16)
    ]
    assert any(found)


# --- the disk --------------------------------------------------------------------------------------


def _states(disk: Disk, place: Path, block: int = PAGE) -> set[bytes | None]:
    """Give everything that a file may hold after a crash."""
    chance, seen = random.Random(1), set()  # noqa: S311  # no secret
    for _ in range(200):
        disk.write_image(chance, block)
        seen.add(place.read_bytes() if place.is_file() else None)
    return seen


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give the place of a file in a folder of its own."""
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "file"


def test_what_was_synced_survives(place: Path) -> None:
    """A synced file whose name was synced holds exactly what was written."""
    disk = Disk(place.parent)
    for one in (
        Create(str(place)),
        Write(str(place), 0, b"abc"),
        Sync(str(place)),
        SyncFolder(str(place.parent)),
    ):
        disk.do(one)

    assert _states(disk, place) == {b"abc"}


def test_what_was_not_synced_may_be_lost_in_any_part(place: Path) -> None:
    """Each page of unsynced writes is there or not, on its own."""
    place.write_bytes(b"a" * 2 * PAGE)
    disk = Disk(place.parent)
    disk.do(Write(str(place), 0, b"b" * 2 * PAGE))

    assert _states(disk, place) == {
        first + last for first in (b"a" * PAGE, b"b" * PAGE) for last in (b"a" * PAGE, b"b" * PAGE)
    }


def test_a_torn_write_is_torn_between_sectors(place: Path) -> None:
    """In torn images a page is mixed of old and new sectors, never of smaller pieces."""
    place.write_bytes(b"a" * PAGE)
    disk = Disk(place.parent)
    disk.do(Write(str(place), 0, b"b" * PAGE))

    states = _states(disk, place, SECTOR)
    pieces = {state[at : at + SECTOR] for state in states if state for at in range(0, PAGE, SECTOR)}
    assert len(states) > 20
    assert pieces == {b"a" * SECTOR, b"b" * SECTOR}


def test_a_failed_sync_is_not_made_good_by_the_next(place: Path) -> None:
    """What a failed sync lost stays lost, though a later sync succeeds (as on Linux)."""
    place.write_bytes(b"old")
    disk = Disk(place.parent)
    for one in (Write(str(place), 0, b"new"), Sync(str(place), failed=True), Sync(str(place))):
        disk.do(one)

    assert _states(disk, place) == {b"old"}


def test_names_are_durable_with_their_folder_only(place: Path) -> None:
    """A rename may be lost until its folder is synced, and holds from then on."""
    place.write_bytes(b"old")
    draft = str(place.with_name("draft"))
    disk = Disk(place.parent)
    for one in (Create(draft), Write(draft, 0, b"new"), Sync(draft), Rename(draft, str(place))):
        disk.do(one)

    assert _states(disk, place) == {b"old", b"new"}
    disk.do(SyncFolder(str(place.parent)))
    assert _states(disk, place) == {b"new"}
    disk.do(Remove(str(place)))
    assert _states(disk, place) == {b"new", None}


def test_a_draft_that_was_not_synced_may_be_empty_in_place(place: Path) -> None:
    """Rename before sync: the new name may stand over nothing."""
    draft = str(place.with_name("draft"))
    disk = Disk(place.parent)
    for one in (
        Create(draft),
        Write(draft, 0, b"new"),
        Rename(draft, str(place)),
        SyncFolder(str(place.parent)),
    ):
        disk.do(one)

    assert b"" in _states(disk, place)


def test_a_shortened_file_may_keep_its_length(place: Path) -> None:
    """A truncation is lost like any other write, as long as it is not synced."""
    place.write_bytes(b"abc")
    disk = Disk(place.parent)
    disk.do(Cut(str(place), 1))

    assert {b"abc", b"a"} <= _states(disk, place)


def test_pythons_own_files_are_recorded(place: Path) -> None:
    """Opening, writing, syncing, moving and removing a file of Python's is seen in its order."""
    draft = place.with_name("draft")
    with recording(place.parent) as recorder:
        with draft.open("wb") as file:
            file.write(b"one")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
        place.unlink()

    name, final = str(draft), str(place)
    assert recorder.events == [
        Create(name),
        Write(name, 0, b"one"),
        Cut(name, 3),
        Sync(name),
        Rename(name, final),
        Remove(final),
    ]
