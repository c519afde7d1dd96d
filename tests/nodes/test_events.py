import pytest

from audit.keys.signing import SignatureInvalid, SigningKey
from nodes.events import EventMissing
from nodes.node import Node
from tests.nodes.simulated_exchange import SimulatedExchange


def test_events_are_fetched_after_the_newest_and_kept(node: Node, exchange: SimulatedExchange) -> None:
    """Each event is verified, kept once, and fetched once."""
    exchange.add_event()
    exchange.add_event()
    first = node.events.refresh()
    exchange.add_event()
    second = node.events.refresh()

    assert [event.number for event in (*first, *second)] == [1, 2, 3]
    assert [event.number for event in node.events.after(1)] == [2, 3]
    assert node.events.newest() == 3


def test_a_gap_in_the_numbers_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """An event that is left out is noticed, and what came before it is kept."""
    exchange.add_event()
    exchange.add_event(number=3)

    with pytest.raises(EventMissing):
        node.events.refresh()
    assert node.events.newest() == 1


def test_an_event_by_another_key_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """Only the pinned statement key signs events."""
    exchange.statement_key = SigningKey.generate()
    exchange.add_event()

    with pytest.raises(SignatureInvalid):
        node.events.refresh()
    assert node.events.newest() == 0
