"""A frozen clock, an exchange in memory, and a node that has joined it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from nodes.node import Node, open_node
from nodes.registration import join, parse_invite
from tests.nodes.simulated_exchange import SimulatedExchange

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def exchange(clock: FrozenClock) -> SimulatedExchange:
    exchange = SimulatedExchange(clock)
    exchange.grow(3)
    return exchange


JoinNode = Callable[..., Path]


@pytest.fixture
def join_node(exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path) -> JoinNode:
    """Give a function that lets a new participant join; it gives the home."""

    def run(name: str = "sichuan", *, witness: bool = True, address: str | None = None) -> Path:
        text = exchange.invite(witness=witness)
        participant = parse_invite(text).participant
        join(
            text,
            tmp_path / name,
            person_name="li-wei",
            address=address,
            on_pending=lambda _: exchange.approve(participant),
            clock=clock,
            transport=exchange.transport,
            pause=clock.advance,
        )
        return tmp_path / name

    return run


@pytest.fixture
def node(exchange: SimulatedExchange, clock: FrozenClock, join_node: JoinNode) -> Iterator[Node]:
    with open_node(join_node(), clock=clock, transport=exchange.transport) as node:
        yield node
