"""What one bad peer, or a stolen key of an ended shard, does to gossip: nothing to anybody else's part."""

import threading
from collections.abc import Iterator

import httpx
import orjson
import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import tree_root
from audit.formats.note import NoteSigner, format_note
from audit.proofs.equivocation import prove_fork
from contracts.clock import FrozenClock
from nodes.node import Node, open_node
from nodes.relay import ProviderLink
from nodes.witnessing.forks import EQUIVOCATION
from nodes.witnessing.gossip import OVERRUN, PATIENCE_PERIODS, SILENT
from tests.nodes.conftest import JoinNode
from tests.nodes.gossiping import PERIOD_SECONDS, Wires
from tests.nodes.sharded_exchange import ShardedExchange
from tests.nodes.simulated_exchange import ORIGIN
from tests.nodes.test_gossip import classes, standing


@pytest.fixture
def exchange(clock: FrozenClock) -> ShardedExchange:
    exchange = ShardedExchange(clock)
    exchange.grow(3)
    return exchange


@pytest.fixture
def other(node: Node, exchange: ShardedExchange, join_node: JoinNode, clock: FrozenClock) -> Iterator[Node]:
    """Give a second witness that, like ``node``, has followed the log into its second shard."""
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as second:
        node.trust.refresh_directory()
        exchange.close(lambda text: _pen(node, text))
        for one in (node, second):
            one.trust.refresh_directory()
            one.trust.sight.look_for_shards()
        yield second


def _pen(node: Node, text: str) -> str:
    assert node.witness is not None
    return node.witness._cosigner.cosign(text, node.clock.now())


def _old_note(exchange: ShardedExchange, leaves: list[bytes]) -> bytes:
    """Sign with the key of the shard that has ended, as its thief would."""
    text = str(Checkpoint(ORIGIN, len(leaves), tree_root(leaves)))
    return format_note(text, [NoteSigner(ORIGIN, exchange.past[0].key).sign(text)])


def test_a_stolen_key_of_an_ended_shard_stops_no_gossip_about_the_newest(
    node: Node, other: Node, exchange: ShardedExchange
) -> None:
    """The proof is an alarm; but peers are heard about the newest shard, and witnesses go on."""
    ended = exchange.past[0]
    notes = [_old_note(exchange, leaves) for leaves in (ended.leaves, [*ended.leaves[:-1], bytes(32)])]
    key = NoteSigner(ORIGIN, ended.key).verifier_key
    other.forks.keep(prove_fork(notes[0], notes[1], key).encode(), key)
    other.mirror.files(1).keep("checkpoint", notes[1])
    asker = Wires(node, other).asker(node)

    asker.round()
    asker.round()

    assert classes(node) == [EQUIVOCATION]
    assert standing(node, other)[1:] == (False, None)


def test_entries_beyond_the_end_of_a_shard_are_an_alarm(
    node: Node, other: Node, exchange: ShardedExchange
) -> None:
    """A checkpoint larger than the end that a quorum cosigned shows a log that breaks its own word."""
    other.mirror.files(1).keep("checkpoint", _old_note(exchange, [*exchange.past[0].leaves, bytes(32)]))
    Wires(node, other).asker(node).round()

    assert classes(node) == [OVERRUN]


def test_a_peer_that_never_ends_its_answer_ends_no_round(
    node: Node, other: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round goes on without a peer that dribbles, and asks it no second time meanwhile."""
    monkeypatch.setattr("nodes.witnessing.gossip.ROUND_SECONDS", 0.0)
    wires, asked, done = Wires(node, other), [], threading.Event()

    def link(caller: Node, peer: str) -> ProviderLink:
        asked.append(peer)
        done.wait()
        return wires.link(caller, peer)

    asker = wires.asker(node)
    object.__setattr__(asker, "link", link)
    try:
        asker.round()
        asker.round()
        assert asker.busy == {other.participant}
        assert asked == [other.participant]
    finally:
        done.set()


def test_a_peers_own_words_make_no_alarms(node: Node, other: Node, clock: FrozenClock) -> None:
    """A refusal under ever new names is the same silence, said once."""
    wires, named = Wires(node, other), iter(range(100))

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, content=orjson.dumps({"code": f"word-{next(named)}"}), request=request)

    def link(_caller: Node, _peer: str) -> ProviderLink:
        client = httpx.Client(base_url="http://peer.node", transport=httpx.MockTransport(refuse))
        return ProviderLink(client, relayed=False)

    asker = wires.asker(node)
    object.__setattr__(asker, "link", link)
    asker.round()
    clock.advance(PATIENCE_PERIODS * PERIOD_SECONDS)
    asker.round()
    asker.round()

    assert [one for one in classes(node) if one == SILENT] == [SILENT]
    assert "word" not in str(standing(node, other)[2])
