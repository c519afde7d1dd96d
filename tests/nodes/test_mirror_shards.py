"""The mirror and gossip follow the log from shard to shard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.formats.merkle import tree_root
from audit.proofs.equivocation import verify_fork
from contracts.canonical import sha256_hex
from contracts.clock import FrozenClock
from contracts.messages import SubscriptionHead, SubscriptionHeads
from nodes.node import Node, open_node
from nodes.witnessing.forks import EQUIVOCATION, LogStopped
from nodes.witnessing.mirror import Mirror
from nodes.witnessing.mirror_files import Mirrors
from nodes.witnessing.mirror_walk import MirrorMismatch
from nodes.witnessing.monitor import BROKEN, replay
from tests.nodes.conftest import JoinNode
from tests.nodes.gossiping import Wires
from tests.nodes.sharded_exchange import ShardedExchange
from tests.nodes.test_monitor import OTHER, STRANGER, Writer


@pytest.fixture
def exchange(clock: FrozenClock) -> ShardedExchange:
    return ShardedExchange(clock)


@pytest.fixture
def other(node: Node, exchange: ShardedExchange, join_node: JoinNode, clock: FrozenClock) -> Iterator[Node]:
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as second:
        node.trust.refresh_directory()
        yield second


def pen(node: Node, text: str) -> str:
    assert node.witness is not None
    return node.witness._cosigner.cosign(text, node.clock.now())


def publish(exchange: ShardedExchange, node: Node) -> None:
    text = exchange.checkpoint().decode().partition("\n\n")[0] + "\n"
    exchange.cosignatures = [pen(node, text)]


def close(exchange: ShardedExchange, node: Node, heads: bytes | None = None) -> None:
    exchange.close(lambda text: pen(node, text), heads)
    publish(exchange, node)


def carried(writer: Writer, clock: FrozenClock, origin: str, index: int) -> bytes:
    """Say where the writer's subscription stands: one transfer, still open."""
    head = SubscriptionHead.model_validate(
        {
            "subscription": writer.subscription,
            "provider": STRANGER,
            "consumer": OTHER,
            "agreement": "sha256:" + "7" * 64,
            "seq": 1,
            "last_leaf": writer._previous,
            "open_grants": [
                {"grant": writer._gid, "seq": 1, "state": "open", "origin": origin, "index": index}
            ],
        }
    )
    return SubscriptionHeads(heads=[head]).canonical()


def test_each_shard_has_a_folder_of_its_own(node: Node, exchange: ShardedExchange) -> None:
    """A closed shard is whole at its end; the next one is copied beside it, with the heads it took over."""
    exchange.log_entries(*(b"entry %d" % n for n in range(300)))
    publish(exchange, node)
    node.mirror.update()
    close(exchange, node)
    exchange.log_entries(b"more", b"and more")
    publish(exchange, node)

    done = node.mirror.update()

    assert done.size == 3
    first, second = node.mirror.files(1), node.mirror.files(2)
    assert first.root(301) == tree_root(exchange.past[0].leaves)
    assert second.root(3) == tree_root(exchange.leaves)
    assert second.read("heads.json") == exchange.heads
    assert first.read("heads.json") is None
    assert node.mirror.scrub().checked == 1 + 2 + 1
    assert node.mirror.update().fetched == 0


def test_a_new_node_copies_all_shards(node: Node, exchange: ShardedExchange) -> None:
    """Whoever comes late copies the closed shards from their ends."""
    exchange.log_entries(b"one", b"two")
    close(exchange, node)
    close(exchange, node)

    node.mirror.update()

    claims = [node.mirror.files(number).checkpoint() for number in (1, 2, 3)]
    assert [one.size for one in claims if one is not None] == [3, 2, 1]


def test_wrong_heads_are_refused(node: Node, exchange: ShardedExchange) -> None:
    """The heads of a shard are those that its first entry names."""
    close(exchange, node)
    exchange.heads = b'{"heads":[] }'

    with pytest.raises(MirrorMismatch):
        node.mirror.update()
    assert node.mirror.files(2).note() is None


def test_the_replay_goes_on_in_the_next_shard(
    node: Node, exchange: ShardedExchange, clock: FrozenClock
) -> None:
    """A grant of one shard is closed in the next, and a gap between the shards is found."""
    writer = Writer(exchange, clock, STRANGER, OTHER)
    granted = writer.grant()
    origin = exchange.origin
    close(exchange, node, carried(writer, clock, origin, granted))
    writer.done(granted, gsh=origin)
    broken = writer.grant(seq=3)
    publish(exchange, node)

    node.mirror.update()
    replay(node)

    assert [(one.event_class, one.facts["index"]) for one in node.alarms.after()] == [(BROKEN, broken)]


def test_two_ends_of_one_shard_are_proved(node: Node, other: Node, exchange: ShardedExchange) -> None:
    """Two nodes that were led to different next shards find out that the shard before had two ends."""
    exchange.log_entries(b"one", b"two")
    before = (exchange.origin, exchange.log_key, list(exchange.leaves))
    close(exchange, node)
    node.mirror.update()
    exchange.origin, exchange.log_key, exchange.leaves = before
    exchange.past.clear()
    exchange.log_entries(b"three")
    close(exchange, other)
    other.mirror.update()
    exchange.down = True

    Wires(node, other).asker(node).round()

    for one in (node, other):
        [file] = one.home.evidence.iterdir()
        fork = verify_fork(file.read_bytes(), [one.trust.shards.all()[0].key])
        assert (fork.origin, fork.size) == (before[0], 3)
        assert [alarm.event_class for alarm in one.alarms.after()] == [EQUIVOCATION]
        with pytest.raises(LogStopped):
            one.trust.see_checkpoint(exchange.past[0].closing.checkpoint.encode())


def test_a_copy_elsewhere_is_the_same(node: Node, exchange: ShardedExchange, tmp_path: Path) -> None:
    """The same shards are written to any folder that is named."""
    close(exchange, node)
    copy = Mirror(Mirrors(tmp_path / "copy"), source=node.broker, trust=node.trust, alarms=node.alarms)
    copy.update()
    node.mirror.update()

    def digests(folder: Path) -> dict[str, str]:
        files = (file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): sha256_hex(file.read_bytes()) for file in files}

    assert digests(tmp_path / "copy") == digests(node.home.mirror)
