"""What a province told anybody is there after any crash: releases, receipts, received files, proofs."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.crash.recorder import FaultKind
from tests.crash.rounds import Loss, broken, crashes, rounds, seeds
from tests.crash.sharing_nodes import broken_promises, fresh, share
from tests.nodes.sharing import Joined

NODES = "nodes: outbox and files"


@pytest.fixture
def folder(joined: Joined, tmp_path: Path) -> Path:
    """Give a folder with the homes of a provider and a consumer."""
    for home in joined.homes:
        shutil.copytree(home, tmp_path / "run" / home.name)
    return tmp_path / "run"


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("seed", seeds(1, 8))
def test_a_crash_loses_no_receipt_and_no_proof(folder: Path, joined: Joined, seed: int, loss: Loss) -> None:
    """A receipt waits in the outbox, or its proof lies beside a whole file, whatever is lost."""
    exchange, clock = fresh(joined)
    recorder = share(folder, exchange, clock, seed)

    check = partial(broken_promises, exchange=exchange, clock=clock)
    assert broken(NODES, loss, crashes(recorder, seed, loss=loss, count=rounds(4, 10)), check) == []


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("seed", seeds(1, 4))
def test_a_failing_disk_loses_no_receipt_and_no_proof(
    folder: Path, joined: Joined, seed: int, kind: FaultKind
) -> None:
    """While a disk fails work stops with a refusal and is taken up again; a crash changes nothing."""
    exchange, clock = fresh(joined)
    recorder = share(folder, exchange, clock, seed, fault=kind)

    assert recorder.struck > 0
    check = partial(broken_promises, exchange=exchange, clock=clock)
    cases = crashes(recorder, seed, loss=list(Loss)[seed % 2], count=rounds(2, 4))
    assert broken(NODES, kind, cases, check) == []
