"""An exchange that takes key changes, and the nodes that have joined it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from nodes.node import Node, open_node
from nodes.registration import join, parse_invite
from tests.nodes.keys.key_exchange import KeyExchange

Joined = Callable[[str], Node]


@pytest.fixture
def exchange(clock: FrozenClock) -> KeyExchange:
    exchange = KeyExchange(clock, witnesses=3)
    exchange.grow(3)
    return exchange


@pytest.fixture
def joined(exchange: KeyExchange, clock: FrozenClock, tmp_path: Path) -> Iterator[Joined]:
    opened: list[Node] = []

    def run(name: str) -> Node:
        text = exchange.invite()
        join(
            text,
            tmp_path / name,
            person_name="li-wei",
            on_pending=lambda _: exchange.approve(parse_invite(text).participant),
            clock=clock,
            transport=exchange.transport,
            pause=clock.advance,
        )
        opened.append(open_node(tmp_path / name, clock=clock, transport=exchange.transport))
        return opened[-1]

    yield run
    for node in opened:
        node.close()


@pytest.fixture
def node(joined: Joined) -> Node:
    return joined("sichuan")


@pytest.fixture
def other(joined: Joined, node: Node) -> Node:
    hubei = joined("hubei")
    node.trust.refresh_directory()
    return hubei


@pytest.fixture
def home(node: Node) -> Path:
    """Give the node's home."""
    return node.home.path
