"""A node replays what it did itself, and finds nothing to object to."""

from audit.formats.merkle import leaf_hash
from nodes.outbox import tick
from nodes.receiving.pull import PullOptions, pull
from nodes.witnessing.monitor import UNREADABLE, replay
from tests.nodes.sharing import DATASET, World


def test_what_this_node_did_itself_raises_nothing(world: World) -> None:
    """Releases, agreements, transfers and receipts of its own are known on both sides."""
    world.declare()
    world.publish()
    world.agree()
    pull(world.consumer, DATASET, PullOptions())
    for node in (world.provider, world.consumer):
        tick(node)
        published, world.exchange.published = world.exchange.published, world.exchange.cosigned  # type: ignore[method-assign]  # as the exchange publishes it
        node.mirror.update()
        world.exchange.published = published  # type: ignore[method-assign]  # as it was
        assert replay(node) == len(world.exchange.leaves)

        wrong = [one for one in node.alarms.after() if one.event_class != UNREADABLE]
        assert wrong == []
    kinds = {
        world.exchange.leaf_bytes[leaf].split(b'"t":"')[-1].split(b'"')[0]
        for leaf in world.exchange.leaves
        if world.exchange.leaf_bytes[leaf].startswith(b"{")
    }
    assert {b"grant", b"done"} <= kinds
    assert leaf_hash(b"entry 0") in world.exchange.leaves
