"""Every node sees the same directories: one that was shown to a node and is not in the log is an alarm."""

import pytest

from audit.log.entry import Entry, EntryKind
from contracts.clock import FrozenClock
from contracts.messages import Directory
from nodes.node import Node
from nodes.signed import peek_statement
from nodes.trusting.directory_watch import UNLOGGED
from nodes.witnessing.monitor import replay
from tests.nodes.gossiping import cosigned
from tests.nodes.simulated_exchange import SimulatedExchange


@pytest.fixture
def exchange(clock: FrozenClock) -> SimulatedExchange:
    """Give a log without entries that nobody can read."""
    return SimulatedExchange(clock)


def _log(exchange: SimulatedExchange, text: str) -> None:
    signed = peek_statement(text, Directory)
    said = {"n": signed.statement.number, "prev": signed.statement.previous, "dig": signed.digest}
    exchange.log_entries(Entry(EntryKind.DIRECTORY, signed.statement.issued_at, said).encode())


def _mirror(node: Node, exchange: SimulatedExchange) -> list[str]:
    cosigned(exchange, node)
    node.mirror.update()
    replay(node)
    return [alarm.event_class for alarm in node.alarms.after()]


def _show(node: Node, exchange: SimulatedExchange, number: int | None = None) -> None:
    """Show this node a directory of its own, under a number that others know otherwise."""
    if number is not None:
        exchange.number = number - 1
    exchange.issue_directory()
    node.trust.refresh_directory()


def test_logged_directories_are_no_alarm(node: Node, exchange: SimulatedExchange) -> None:
    """What was shown is what the log names, whether the node or the mirror comes first."""
    node.trust.refresh_directory()
    _log(exchange, exchange.current)
    _log(exchange, exchange.issue_directory())
    assert _mirror(node, exchange) == []

    node.trust.refresh_directory()

    assert _mirror(node, exchange) == []
    replay(node)
    assert node.alarms.after() == []


@pytest.mark.parametrize("mirrored_first", [False, True])
def test_a_directory_for_one_node_alone_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, *, mirrored_first: bool
) -> None:
    """The log names another directory of that number, whenever it comes to this node."""
    _log(exchange, exchange.current)
    before, number = exchange.previous, exchange.number
    _log(exchange, exchange.issue_directory())
    if mirrored_first:
        assert _mirror(node, exchange) == []
    exchange.number, exchange.previous = number, before
    clock.advance(1)
    _show(node, exchange)

    assert _mirror(node, exchange) == [UNLOGGED]


def test_a_number_that_the_log_never_reaches_is_an_alarm(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A number beyond the log's is waited for no longer than the log takes to go on."""
    _log(exchange, exchange.current)
    _show(node, exchange, number=1_000)
    assert _mirror(node, exchange) == []
    clock.advance(61)
    policy = Entry(EntryKind.POLICY_ACTIVATE, clock.now(), {"pol": "sha256:" + "0" * 64})
    exchange.log_entries(policy.encode())

    assert _mirror(node, exchange) == [UNLOGGED]
