"""No grant that left the exchange is missing from its log; rows and entries stay together in any crash."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.engine import open_engine
from tests.crash.granting import HOME, broken_promises, grant_and_close, one_engine
from tests.crash.recorder import FaultKind
from tests.crash.rounds import Loss, broken, crashes, rounds, seeds

EXCHANGE = "exchange: grants"


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """Start the policy engine once."""
    policy = open_engine("embedded:")
    with one_engine(policy):
        yield
    policy.close()


@pytest.fixture
def folder(exchange_home: Path, tmp_path: Path) -> Path:
    """Give a folder with the home of an exchange."""
    shutil.copytree(exchange_home, tmp_path / "run" / HOME)
    return tmp_path / "run"


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("seed", seeds(1, 10))
def test_a_crash_leaves_no_grant_unlogged(folder: Path, seed: int, loss: Loss) -> None:
    """A released grant, its row, its evidence and its closing are there after any loss of unsynced bytes."""
    recorder = grant_and_close(folder, seed)

    cases = crashes(recorder, seed, loss=loss, count=rounds(4, 10))
    assert broken(EXCHANGE, loss, cases, broken_promises) == []


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("seed", seeds(1, 5))
def test_a_failing_disk_leaves_no_grant_unlogged(folder: Path, seed: int, kind: FaultKind) -> None:
    """While the disk fails no grant leaves; when it works again grants do, and a crash changes nothing."""
    recorder = grant_and_close(folder, seed, fault=kind)

    assert recorder.struck > 0
    cases = crashes(recorder, seed, loss=list(Loss)[seed % 2], count=rounds(2, 4))
    assert broken(EXCHANGE, kind, cases, broken_promises) == []
