"""A witness never forgets what it cosigned: its state is durable before its signature leaves."""

from functools import partial

import pytest

from contracts.clock import FrozenClock
from tests.crash.recorder import FaultKind
from tests.crash.rounds import Loss, broken, crashes, rounds, seeds
from tests.crash.witnessing import broken_promises, cosign
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import SimulatedExchange

WITNESS = "witness"


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("seed", seeds(1, 10))
def test_a_crash_makes_no_witness_forget(
    join_node: JoinNode, exchange: SimulatedExchange, clock: FrozenClock, seed: int, loss: Loss
) -> None:
    """After any loss of unsynced bytes a witness refuses every other history of a size that it cosigned."""
    recorder = cosign(join_node(), exchange, clock, seed)

    check = partial(broken_promises, exchange=exchange, clock=clock)
    assert broken(WITNESS, loss, crashes(recorder, seed, loss=loss, count=rounds(4, 10)), check) == []


@pytest.mark.parametrize("kind", FaultKind)
@pytest.mark.parametrize("seed", seeds(1, 5))
def test_a_failing_disk_makes_no_witness_forget(
    join_node: JoinNode, exchange: SimulatedExchange, clock: FrozenClock, seed: int, kind: FaultKind
) -> None:
    """While the disk fails no cosignature leaves that the witness would not know of after a crash."""
    recorder = cosign(join_node(), exchange, clock, seed, fault=kind)

    assert recorder.struck > 0
    check = partial(broken_promises, exchange=exchange, clock=clock)
    cases = crashes(recorder, seed, loss=list(Loss)[seed % 2], count=rounds(2, 4))
    assert broken(WITNESS, kind, cases, check) == []
