"""A node's own findings are kept for good, numbered without gaps, and each fact once."""

import threading

from contracts.clock import FrozenClock
from contracts.messages import Severity, Text
from nodes import page
from nodes.node import Node, open_node
from tests.nodes.simulated_exchange import SimulatedExchange

TITLE = Text(zh="镜像损坏 <b>", en="The mirror is damaged")


def raise_one(node: Node, index: int = 7, event_class: str = "mirror.mended") -> None:
    node.alarms.raise_alarm(event_class, Severity.HIGH, TITLE, {"index": index, "path": "tile/0/000"})


def test_an_alarm_is_kept(node: Node, clock: FrozenClock, exchange: SimulatedExchange) -> None:
    """What was raised is read back as it was, also after a restart."""
    raise_one(node)

    with open_node(node.home.path, clock=clock, transport=exchange.transport) as again:
        [alarm] = again.alarms.after()
    assert (alarm.number, alarm.event_class, alarm.severity) == (1, "mirror.mended", Severity.HIGH)
    assert (alarm.title, alarm.at) == (TITLE, clock.now())
    assert alarm.facts == {"index": 7, "path": "tile/0/000"}


def test_the_same_fact_stands_once(node: Node, clock: FrozenClock) -> None:
    """A finding that is made again and again is one alarm; other facts or another class are another."""
    for _ in range(3):
        raise_one(node)
        clock.advance(60)
    raise_one(node, index=8)
    raise_one(node, event_class="mirror.mismatch")

    assert [one.number for one in node.alarms.after()] == [1, 2, 3]
    assert [one.number for one in node.alarms.after(2)] == [3]
    assert node.alarms.newest() == 3


def test_numbers_have_no_gaps_between_threads(node: Node) -> None:
    """Whoever raises alarms at once, the numbers follow one another."""
    threads = [threading.Thread(target=raise_one, args=[node, index]) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.number for one in node.alarms.after()] == list(range(1, 9))


def test_the_page_shows_them(node: Node) -> None:
    """People see the node's own findings on its page, escaped."""
    raise_one(node)

    shown = page.render(page.gather(node))

    assert "镜像损坏 &lt;b&gt;" in shown
    assert "mirror.mended" in shown
