"""A node follows the log from shard to shard by proofs alone, and believes nothing that is not proved."""

import base64
import dataclasses
from collections.abc import Callable

import pytest

from audit.formats.merkle import tree_root
from audit.formats.note import NoteInvalid, NoteSigner, VerifierKey
from audit.formats.quorum import QuorumMissing
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from audit.log.shards import SuccessionBroken
from contracts.clock import FrozenClock
from contracts.messages import Challenge, ChallengeAnswer, ShardView
from nodes.node import Node, open_node
from nodes.trusting.log_sight import ShardOverrun
from nodes.trusting.shards import SuccessionUnproven, witnesses_at
from nodes.witnessing.forks import LogForked
from tests.nodes.conftest import JoinNode
from tests.nodes.sharded_exchange import ShardedExchange
from tests.nodes.simulated_exchange import ORIGIN
from tests.nodes.test_mirror_shards import close, pen, publish

SECOND = f"{ORIGIN}-2"


@pytest.fixture
def exchange(clock: FrozenClock) -> ShardedExchange:
    exchange = ShardedExchange(clock)
    exchange.grow(3)
    return exchange


def look(node: Node) -> None:
    node.trust.sight.look_for_shards()


def known(node: Node) -> list[tuple[str, int | None]]:
    return [(shard.origin, shard.size) for shard in node.trust.shards.all()]


def test_a_proved_shard_is_followed_and_kept(
    node: Node, exchange: ShardedExchange, clock: FrozenClock
) -> None:
    """A checkpoint of a shard that follows is accepted once its origin is proved, and so after a restart."""
    node.trust.see_checkpoint(exchange.published())
    close(exchange, node)
    claim = node.trust.see_checkpoint(exchange.published())

    assert claim.origin == SECOND
    assert known(node) == [(ORIGIN, 4), (SECOND, None)]
    assert node.trust.log_key == exchange.signer.verifier_key
    exchange.down = True
    with open_node(node.home.path, clock=clock, transport=exchange.transport) as again:
        assert known(again) == known(node)
        assert again.trust.see_checkpoint(exchange.published()) == claim
        assert [one.origin for one in again.trust.view().logs] == [ORIGIN, SECOND]


def test_many_shards_are_followed_in_one_look(node: Node, exchange: ShardedExchange) -> None:
    """Whoever comes late walks from the invite's shard to the newest."""
    for _ in range(3):
        close(exchange, node)
    look(node)

    assert [origin for origin, _ in known(node)] == [ORIGIN, *(f"{ORIGIN}-{number}" for number in (2, 3, 4))]


def test_old_checkpoints_hold_after_the_turn(node: Node, exchange: ShardedExchange) -> None:
    """A grant of the closed shard is still proved under its checkpoints."""
    early = exchange.checkpoint(2)
    close(exchange, node)
    look(node)

    assert node.trust.see_checkpoint(early).size == 2


def test_nothing_follows_the_end_of_a_shard(node: Node, exchange: ShardedExchange) -> None:
    """Once its end is proved, a larger checkpoint of a shard is refused, however well it is signed."""
    close(exchange, node)
    look(node)
    ended = exchange.past[0]
    leaves = [*ended.leaves, bytes(32)]
    text = f"{ORIGIN}\n{len(leaves)}\n{base64.b64encode(tree_root(leaves)).decode()}\n"
    note = f"{text}\n{NoteSigner(ORIGIN, ended.key).sign(text)}{pen(node, text)}".encode()

    with pytest.raises(ShardOverrun):
        node.trust.see_checkpoint(note)
    assert node.witness is not None
    assert node.witness.last_note(ORIGIN) is None


def test_a_shard_of_nobody_is_no_shard(node: Node, exchange: ShardedExchange) -> None:
    """A checkpoint of an unknown origin is refused, and more of them do not make the node ask again."""
    stranger = NoteSigner("other.example", SigningKey.generate())
    text = f"other.example\n0\n{base64.b64encode(tree_root([])).decode()}\n"
    note = f"{text}\n{stranger.sign(text)}".encode()
    for _ in range(3):
        with pytest.raises(NoteInvalid):
            node.trust.see_checkpoint(note)

    assert exchange.calls.count(("GET", "/log/shards")) == 1


# --- what is not proved ---------------------------------------------------------------------------


def _views(exchange: ShardedExchange, number: int, change: Callable[[ShardView], ShardView]) -> None:
    """Let the exchange show a shard otherwise."""
    listed = exchange.shard_list()
    shards = [change(one) if one.number == number else one for one in listed.shards]
    exchange.shard_list = lambda: listed.model_copy(update={"shards": shards})  # type: ignore[method-assign]  # a lie


def _other_key(view: ShardView) -> ShardView:
    return view.model_copy(update={"vkey": str(NoteSigner(view.origin, SigningKey.generate()).verifier_key)})


def _other_name(view: ShardView) -> ShardView:
    name = "log.example/other"
    key = VerifierKey.parse(view.vkey)
    return view.model_copy(update={"origin": name, "vkey": str(dataclasses.replace(key, name=name))})


def _without_proof(view: ShardView) -> ShardView:
    return view.model_copy(update={"closing": None})


def _other_leaf(view: ShardView) -> ShardView:
    assert view.closing is not None
    leaf = base64.b64encode(b"{}").decode()
    return view.model_copy(update={"closing": view.closing.model_copy(update={"leaf": leaf})})


def _not_the_last(view: ShardView) -> ShardView:
    assert view.closing is not None
    return view.model_copy(update={"closing": view.closing.model_copy(update={"index": 0})})


def _uncosigned(view: ShardView) -> ShardView:
    assert view.closing is not None
    bare = "".join(view.closing.checkpoint.splitlines(keepends=True)[:5])
    return view.model_copy(update={"closing": view.closing.model_copy(update={"checkpoint": bare})})


@pytest.mark.parametrize(
    ("number", "change", "error"),
    [
        (2, _other_key, SuccessionBroken),
        (2, _other_name, SuccessionBroken),
        (1, _other_key, SuccessionBroken),
        (1, _other_name, SuccessionBroken),
        (1, _without_proof, SuccessionUnproven),
        (1, _other_leaf, SuccessionBroken),
        (1, _not_the_last, SuccessionBroken),
        (1, _uncosigned, QuorumMissing),
    ],
)
def test_what_is_not_proved_is_not_followed(
    node: Node,
    exchange: ShardedExchange,
    number: int,
    change: Callable[[ShardView], ShardView],
    error: type[Exception],
) -> None:
    """Another key or name, no proof, another leaf or place, no quorum: the node stays where it was."""
    close(exchange, node)
    _views(exchange, number, change)

    with pytest.raises(error):
        look(node)
    assert known(node) == [(ORIGIN, None)]


def test_a_shard_that_does_not_end_is_not_followed(node: Node, exchange: ShardedExchange) -> None:
    """The last entry under the cosigned end must be shard.close; any other entry names nothing."""
    close(exchange, node)
    ended = exchange.past[0]
    exchange.origin, exchange.log_key, exchange.leaves = ended.origin, ended.key, list(ended.leaves)
    exchange.past.clear()
    event = Entry(EntryKind.POLICY_ACTIVATE, exchange.clock.now(), {"pol": "sha256:" + "0" * 64})
    exchange.log_entries(event.encode())
    publish(exchange, node)
    longer = exchange.inclusion(len(exchange.leaves) - 1)
    close(exchange, node)
    _views(exchange, 1, lambda view: view.model_copy(update={"closing": longer, "size": longer.index + 1}))

    with pytest.raises(SuccessionBroken):
        look(node)


def test_a_shard_does_not_bear_the_name_of_an_earlier_one(node: Node, exchange: ShardedExchange) -> None:
    """Two keys under one name would leave every reader, and every trust root, in doubt whose word counts."""
    close(exchange, node)
    look(node)
    exchange.close(lambda text: pen(node, text), following=ORIGIN)

    with pytest.raises(SuccessionBroken):
        look(node)
    assert known(node) == [(ORIGIN, 4), (SECOND, None)]


def test_an_end_that_contradicts_what_was_seen_is_not_followed(node: Node, exchange: ShardedExchange) -> None:
    """The final checkpoint extends what this node saw of the shard, or it is a fork."""
    node.trust.see_checkpoint(exchange.checkpoint())
    exchange.leaves[0] = bytes(32)
    exchange.leaf_bytes[bytes(32)] = b"rewritten"
    close(exchange, node)

    with pytest.raises(LogForked):
        look(node)
    assert len(known(node)) == 1


def test_a_known_shard_does_not_change(node: Node, exchange: ShardedExchange) -> None:
    """What was followed stays: another size of a closed shard, or another next one, is refused."""
    close(exchange, node)
    look(node)
    before = known(node)
    _views(exchange, 1, lambda view: view.model_copy(update={"size": 9}))
    with pytest.raises(SuccessionBroken):
        look(node)

    assert known(node) == before


# --- the witness ----------------------------------------------------------------------------------


def test_a_witness_begins_each_shard_anew(node: Node, exchange: ShardedExchange) -> None:
    """The next shard is cosigned from size 0, under the same witness key, and both states are kept."""
    assert node.witness is not None
    first = node.witness.add_checkpoint(exchange.add_checkpoint_body(0))
    close(exchange, node)
    second = node.witness.add_checkpoint(exchange.add_checkpoint_body(0))
    answers = {
        origin: node.witness.answer_challenge(Challenge(origin=origin, nonce="n" * 16)).statement
        for origin in (ORIGIN, SECOND, f"{ORIGIN}-3")
    }

    assert (first.status, second.status) == (200, 200)
    assert {origin: one.size for origin, one in answers.items()} == {ORIGIN: 3, SECOND: 1, f"{ORIGIN}-3": 0}
    assert all(isinstance(one, ChallengeAnswer) for one in answers.values())


def test_a_witness_cosigns_no_shard_that_is_not_proved(node: Node, exchange: ShardedExchange) -> None:
    """A shard whose predecessor does not name it is an unknown log (404), and nothing is remembered of it."""
    assert node.witness is not None
    close(exchange, node)
    _views(exchange, 2, _other_key)

    assert node.witness.add_checkpoint(exchange.add_checkpoint_body(0)).status == 404
    assert node.witness.last_note(SECOND) is None


def test_former_witness_keys_count_in_their_time(node: Node, exchange: ShardedExchange) -> None:
    """A replaced key still counts for checkpoints up to its end, a revoked member's present key does not."""
    [member] = node.trust.directory().members
    old = str(VerifierKey.parse(member.witness_vkey or ""))
    past = {
        "role": "witness",
        "key": old,
        "until": {"origin": ORIGIN, "size": 3},
        "why": "rotated",
        "statement": "{}",
    }
    rotated = type(member).model_validate(member.model_dump() | {"past_keys": [past], "witness_vkey": None})
    claims = [node.trust.see_checkpoint(exchange.checkpoint(size)) for size in (2, 3)]
    exchange.grow(1)
    claims.append(node.trust.see_checkpoint(exchange.checkpoint()))

    counted = [bool(witnesses_at([rotated], [ORIGIN], claim)) for claim in claims]
    assert counted == [True, True, False]
    later = type(member).model_validate(
        member.model_dump() | {"past_keys": [past | {"until": {"origin": SECOND, "size": 1}}]}
    )
    assert len(witnesses_at([later], [ORIGIN], claims[2])[member.participant]) == 1


def test_a_newcomer_follows_under_keys_of_the_past(
    node: Node, exchange: ShardedExchange, join_node: JoinNode, clock: FrozenClock
) -> None:
    """A node that joins after the turn pins the first shard, and is led on by its old end."""
    close(exchange, node)
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as late:
        publish(exchange, node)
        claim = late.trust.see_checkpoint(exchange.published())

        assert (claim.origin, late.identity.origin) == (SECOND, ORIGIN)
