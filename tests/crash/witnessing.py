"""A witness that cosigns while everything about its disk is recorded, and what it must keep of its word.

What it cosigned or saw must be known to it after any crash: it never cosigns, beside that, another history.
"""

import random
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import format_add_checkpoint
from audit.formats.note import format_note, parse_note
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from nodes.node import Node, open_node
from nodes.witnessing.witness import Witness
from tests.crash.connections import connecting
from tests.crash.recorder import Fault, FaultKind, Recorder, recording
from tests.crash.rounds import Crash
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange

STEPS = 30
_OFTEN = 8  # pages in the write-ahead log before it is carried over into the database
_REFUSALS = (HeadwatersError, DBAPIError)


def cosign(
    home: Path,
    exchange: SimulatedExchange,
    clock: FrozenClock,
    seed: int,
    *,
    fault: FaultKind | None = None,
    pragma: str = "",
) -> Recorder:
    """Cosign and see a growing log and record it; under a ``fault`` the disk fails on the way."""
    chance = random.Random(seed)  # noqa: S311  # what to do next, no secret
    with (
        recording(home) as recorder,
        connecting(pages=_OFTEN, pragma=pragma),
        _opened(home, exchange, clock) as node,
    ):
        for _ in range(STEPS):
            if fault is not None and chance.random() < 0.4:
                recorder.fault = Fault.soon(fault, chance, within=4)
            exchange.grow(chance.randint(0, 3))
            with suppress(*(_REFUSALS if fault else ())):
                _step(recorder, node, exchange, chance)
            recorder.fault = None
            clock.advance(1)
        exchange.grow()
        _cosigned(recorder, _witness(node), exchange)  # the disk is well again, if it was not
    return recorder


def _step(recorder: Recorder, node: Node, exchange: SimulatedExchange, chance: random.Random) -> None:
    if chance.random() < 0.3:
        seen = node.trust.see_checkpoint(exchange.checkpoint())
        recorder.promise("seen", str(seen.size), seen.root)
    else:
        _cosigned(recorder, _witness(node), exchange)


def _cosigned(recorder: Recorder, witness: Witness, exchange: SimulatedExchange) -> None:
    answer = witness.add_checkpoint(exchange.add_checkpoint_body(witness.size()))
    assert answer.status == 200, answer
    claim = Checkpoint.parse(parse_note(exchange.checkpoint()).text)
    recorder.promise("cosigned", str(claim.size), claim.root)


def broken_promises(crash: Crash, exchange: SimulatedExchange, clock: FrozenClock) -> list[str]:
    """Open the node on what the disk holds and name everything that it no longer knows or would sign."""
    try:
        with _opened(crash.folder, exchange, clock) as node:
            witness = _witness(node)
            cosigned = max((int(one.about) for one in crash.about("cosigned")), default=0)
            seen = max((int(one.about) for one in crash.about("seen")), default=0)
            last = node.trust.last_checkpoint()
            broken = []
            if witness.size() < cosigned:
                broken.append(f"cosigned {cosigned} and knows of {witness.size()}")
            if seen > (last.size if last else 0):
                broken.append(f"saw {seen} and knows of {last.size if last else 0}")
            if _ask(witness, exchange.add_checkpoint_body(witness.size())) != 200:
                broken.append("does not cosign the honest log any more")
            # Last, because a witness that has seen a fork cosigns nothing of that log any more.
            sizes = {0, cosigned, witness.size()}
            if any(_cosigns(witness, _fork(exchange, cosigned, old)) for old in sizes):
                broken.append(f"cosigned another history of size {cosigned}")
    except _REFUSALS as error:
        return [f"the witness does not start: {type(error).__name__}: {error}"]
    return broken


def _fork(exchange: SimulatedExchange, size: int, old: int) -> bytes:
    """Ask for a cosignature on a history of ``size`` that differs in its first entry."""
    text = str(Checkpoint(ORIGIN, size, bytes(32)))
    note = format_note(text, [exchange.signer.sign(text)])
    return format_add_checkpoint(old, [], note)


def _cosigns(witness: Witness, body: bytes) -> bool:
    try:
        return _ask(witness, body) == 200
    except HeadwatersError:
        return False


def _ask(witness: Witness, body: bytes) -> int:
    return witness.add_checkpoint(body).status


def _witness(node: Node) -> Witness:
    assert node.witness is not None
    return node.witness


def _opened(home: Path, exchange: SimulatedExchange, clock: FrozenClock) -> Node:
    return open_node(home, clock=clock, transport=exchange.transport)
