"""The log keeps what it acknowledged and contradicts no checkpoint that left it, whatever the disk loses."""

from pathlib import Path

import pytest

from tests.crash.log_writing import broken_promises, write_log
from tests.crash.recorder import FaultKind, Promise
from tests.crash.rounds import Loss, broken, crashes, rounds, seeds
from tests.crash.shard_writing import broken_promises as unfinished
from tests.crash.shard_writing import write_shards

LOG, SHARDS = "log", "log: shards"


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("seed", seeds(2, 25))
def test_a_crash_loses_nothing_that_was_acknowledged(log_folder: Path, seed: int, loss: Loss) -> None:
    """After any loss of unsynced bytes the log starts, goes on, walks clean and holds all it acknowledged."""
    recorder = write_log(log_folder, seed)

    assert broken(LOG, loss, crashes(recorder, seed, loss=loss, count=rounds(5, 10)), broken_promises) == []


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("seed", seeds(1, 8))
def test_a_failing_disk_loses_nothing_that_was_acknowledged(
    log_folder: Path, seed: int, kind: FaultKind
) -> None:
    """A disk that fails makes the log refuse; it goes on when the disk does, and a crash changes nothing."""
    recorder = write_log(log_folder, seed, fault=kind)

    assert recorder.struck > 0
    cases = crashes(recorder, seed, loss=list(Loss)[seed % 2], count=rounds(3, 5))
    assert broken(LOG, kind, cases, broken_promises) == []


@pytest.mark.parametrize("seed", seeds(1, 4))
def test_crash_after_crash_loses_nothing(log_folder: Path, seed: int) -> None:
    """A log that goes on from one crash into the next keeps every promise of its earlier lives."""
    promises: tuple[Promise, ...] = ()
    for life in range(rounds(4, 10)):
        number = seed * 1000 + life
        recorder = write_log(log_folder, number)
        recorder.events[:0] = promises
        last = max(
            crashes(recorder, number, loss=list(Loss)[life % 2], count=2), key=lambda one: not one.at_the_end
        )
        promises = last.promises
        assert broken(LOG, "one crash after another", [last], broken_promises) == []


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("seed", seeds(1, 8))
def test_a_crash_between_shards_loses_nothing(log_folder: Path, seed: int, loss: Loss) -> None:
    """Wherever the closing of a shard and the opening of the next are cut short, a restart finishes them."""
    recorder = write_shards(log_folder, seed)

    assert broken(SHARDS, loss, crashes(recorder, seed, loss=loss, count=rounds(6, 12)), unfinished) == []
