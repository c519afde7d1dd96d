"""Nodes compare what they saw of the log: two histories are proved in one round, and silence is noticed."""

from collections.abc import Iterator

import orjson
import pytest

from audit.proofs.equivocation import verify_fork
from contracts.clock import FrozenClock
from contracts.messages import GossipQuestion, MemberStatus
from nodes.node import Node, open_node
from nodes.witnessing import gossip_store, network
from nodes.witnessing.forks import EQUIVOCATION, LogStopped
from nodes.witnessing.gossip import PATIENCE_PERIODS, SILENT, UNSETTLED, Asker, answer
from nodes.witnessing.witness import OtherLog, PeersUnheard, Standing, WitnessStateLost
from tests.nodes.conftest import JoinNode
from tests.nodes.gossiping import PERIOD_SECONDS, Wires, cosigned, rewrite
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange

LONG_SECONDS = PATIENCE_PERIODS * PERIOD_SECONDS


@pytest.fixture
def other(node: Node, exchange: SimulatedExchange, join_node: JoinNode, clock: FrozenClock) -> Iterator[Node]:
    """Give a second witness; ``node`` is the first."""
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as second:
        node.trust.refresh_directory()
        yield second


@pytest.fixture
def bank(node: Node, exchange: SimulatedExchange, join_node: JoinNode, clock: FrozenClock) -> Iterator[Node]:
    """Give a participant that is no witness."""
    home = join_node("bank", witness=False)
    with open_node(home, clock=clock, transport=exchange.transport) as third:
        node.trust.refresh_directory()
        yield third


def classes(node: Node) -> list[str]:
    return [alarm.event_class for alarm in node.alarms.after()]


def standing(node: Node, peer: Node) -> tuple[int | None, bool, str | None]:
    with node.database.read() as session:
        row = next(row for row in gossip_store.peers(session) if row.participant == peer.participant)
    return row.size, row.silent_since is not None, row.trouble


def copy_log(node: Node, exchange: SimulatedExchange) -> None:
    """Show the node the log as it is now, and let it mirror that."""
    cosigned(exchange, node)
    node.mirror.update()


def evidence(node: Node) -> bytes:
    [file] = node.home.evidence.iterdir()
    return file.read_bytes()


def test_honest_peers_agree(node: Node, other: Node, exchange: SimulatedExchange) -> None:
    """A round brings each peer's view, and nothing is wrong with it."""
    exchange.grow(5)
    copy_log(other, exchange)
    exchange.grow(5)
    copy_log(node, exchange)
    wires = Wires(node, other)

    wires.asker(node).round()
    wires.asker(other).round()

    assert standing(node, other) == (8, False, None)
    assert standing(other, node) == (13, False, None)
    assert classes(node) == classes(other) == []
    seen = other.trust.last_checkpoint()
    assert seen is not None
    assert seen.size == 13


@pytest.mark.parametrize(("size", "forked"), [(8, 8), (8, 13), (13, 8), (16, 40), (40, 16), (300, 256)])
def test_two_histories_are_proved_within_one_round(
    node: Node, other: Node, exchange: SimulatedExchange, size: int, forked: int
) -> None:
    """Whatever the sizes, both ends hold a proof and stop the log, though the exchange says nothing."""
    exchange.grow(size - 3)
    copy_log(node, exchange)
    rewrite(exchange, forked)
    copy_log(other, exchange)
    exchange.down = True
    wires = Wires(node, other)

    wires.asker(node).round()
    wires.asker(other).round()

    for one in (node, other):
        fork = verify_fork(evidence(one), [exchange.signer.verifier_key])
        assert (fork.size, fork.other_size) == (min(size, forked), max(size, forked))
        assert classes(one) == [EQUIVOCATION]
        with pytest.raises(LogStopped):
            one.trust.see_checkpoint(exchange.checkpoint())
        with pytest.raises(LogStopped):
            one.mirror.update()
        assert one.witness is not None
        with pytest.raises(LogStopped):
            one.witness.add_checkpoint(exchange.add_checkpoint_body(0))


def test_a_stopped_log_stays_stopped(
    node: Node, other: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A restart does not forget that the log signed two histories."""
    copy_log(node, exchange)
    rewrite(exchange, 3, since=1)
    copy_log(other, exchange)
    Wires(node, other).asker(node).round()

    with (
        open_node(node.home.path, clock=clock, transport=exchange.transport) as again,
        pytest.raises(LogStopped),
    ):
        again.trust.see_checkpoint(exchange.checkpoint())


def test_the_proof_travels_on(node: Node, other: Node, bank: Node, exchange: SimulatedExchange) -> None:
    """Who asks a node that holds a proof holds it too, and the exchange is told."""
    copy_log(node, exchange)
    rewrite(exchange, 3, since=1)
    copy_log(other, exchange)
    wires = Wires(node, other, bank)
    wires.cut = {other.participant}
    wires.asker(bank).round()
    assert classes(bank) == []

    wires.cut = set()
    wires.asker(node).round()
    wires.cut = {other.participant}
    wires.asker(bank).round()

    assert evidence(bank) == evidence(node)
    assert classes(bank) == [EQUIVOCATION]
    assert {orjson.loads(body)["fork"] for body in exchange.reported} != set()
    assert node.forks.untold() == bank.forks.untold() == []


def test_a_proof_waits_until_the_exchange_takes_it(
    node: Node, other: Node, exchange: SimulatedExchange
) -> None:
    """An exchange that is away is told later."""
    copy_log(node, exchange)
    rewrite(exchange, 3, since=1)
    copy_log(other, exchange)
    wires = Wires(node, other)
    exchange.down = True
    wires.asker(node).round()
    assert len(node.forks.untold()) == 1

    exchange.down = False
    wires.asker(node).round()

    assert node.forks.untold() == []


def test_the_one_who_is_asked_finds_the_fork_too(
    node: Node, other: Node, exchange: SimulatedExchange
) -> None:
    """A question carries the asker's checkpoint, and the peer holds it against its own mirror."""
    copy_log(node, exchange)
    rewrite(exchange, 40, since=1)
    copy_log(other, exchange)
    question = GossipQuestion(
        origin=ORIGIN, nonce="n" * 16, checkpoint=(node.mirror.files().note() or b"").decode()
    )

    said = answer(other, question).statement

    assert classes(other) == [EQUIVOCATION]
    assert len(said.forks) == 1


def test_a_question_about_another_log_is_refused(node: Node) -> None:
    """A node speaks about the log that it follows, and about no other."""
    with pytest.raises(OtherLog):
        answer(node, GossipQuestion(origin="other.example", nonce="n" * 16, checkpoint=None))


def test_a_question_with_a_strange_checkpoint_gets_no_path(node: Node, exchange: SimulatedExchange) -> None:
    """What the log did not sign is not looked at."""
    copy_log(node, exchange)

    for strange in ("nonsense", exchange.checkpoint(2).decode().replace("2", "1")):
        said = answer(node, GossipQuestion(origin=ORIGIN, nonce="n" * 16, checkpoint=strange)).statement
        assert (said.path, said.forks) == ([], [])
    assert classes(node) == []


def test_long_silence_is_an_alarm(
    node: Node, other: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """The exchange can block a question, but not for long without being noticed."""
    wires = Wires(node, other)
    asker = wires.asker(node)
    asker.round()
    wires.cut = {other.participant}
    asker.round()
    clock.advance(LONG_SECONDS - 1)
    exchange.issue_directory()
    asker.round()
    assert classes(node) == []

    clock.advance(1)
    asker.round()
    asker.round()

    assert classes(node) == [SILENT]
    assert standing(node, other)[1:] == (True, "peer-silent")
    wires.cut = set()
    asker.round()
    assert standing(node, other)[1:] == (False, None)


@pytest.mark.parametrize("field", ["nonce", "origin", "participant", "signature"])
def test_an_answer_to_another_question_is_silence(
    node: Node, other: Node, exchange: SimulatedExchange, field: str
) -> None:
    """Old answers and answers by others do not count, whoever carries them."""
    copy_log(other, exchange)
    wires = Wires(node, other)
    old: list[bytes] = []

    def alter(body: bytes) -> bytes:
        if field == "signature":
            envelope = orjson.loads(body)
            envelope["signatures"][0]["sig"] = "A" * 86 + "=="
            return orjson.dumps(envelope)
        old.append(body)
        return old[0]

    wires.alter = alter
    wires.asker(node).round()
    if field != "signature":
        wires.asker(node).round()

    assert standing(node, other)[1] is True


def test_what_cannot_be_settled_is_kept_and_becomes_an_alarm(
    node: Node, other: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A checkpoint that the exchange does not connect is asked about again, and is an alarm after a while."""
    copy_log(node, exchange)
    hidden = list(exchange.leaves)
    exchange.grow(4)
    assert other.witness is not None
    assert other.witness.add_checkpoint(exchange.add_checkpoint_body(0)).status == 200
    grown, exchange.leaves = exchange.leaves, hidden
    exchange.log_entries(b"instead", b"of", b"those", b"four", b"five")
    wires = Wires(node, other)
    asker = wires.asker(node)

    asker.round()
    assert classes(node) == []
    clock.advance(LONG_SECONDS)
    asker.round()
    assert classes(node) == [UNSETTLED]
    exchange.leaves = grown
    asker.round()

    with node.database.read() as session:
        assert gossip_store.claims(session) == []


def test_nothing_is_held_against_the_log_while_the_exchange_is_away(
    node: Node, other: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """An open question alone is no finding when nobody was there to answer it."""
    copy_log(node, exchange)
    exchange.grow(4)
    assert other.witness is not None
    other.witness.add_checkpoint(exchange.add_checkpoint_body(0))
    exchange.down = True
    asker = Wires(node, other).asker(node)
    asker.round()
    clock.advance(LONG_SECONDS)
    asker.round()
    assert classes(node) == []

    exchange.down = False
    asker.round()

    assert standing(node, other) == (None, False, None)
    with node.database.read() as session:
        assert gossip_store.claims(session) == []


class TestWitnessStanding:
    """Before its first cosignature a witness asks its peers what it has published."""

    @pytest.fixture
    def exchange(self, clock: FrozenClock) -> SimulatedExchange:
        exchange = SimulatedExchange(clock, quorum=2, witnesses=3)
        exchange.grow(3)
        return exchange

    def test_a_restored_witness_is_told_by_a_peer(
        self, node: Node, other: Node, exchange: SimulatedExchange
    ) -> None:
        """The exchange hides what this witness published; a peer has kept it."""
        exchange.grow(10)
        both = cosigned(exchange, node).decode() + cosigned(exchange, other).decode().splitlines()[-1] + "\n"
        other.mirror.files().keep("checkpoint", both.encode())
        exchange.cosignatures = []
        assert node.witness is not None
        with pytest.raises(PeersUnheard):
            node.witness.check_standing()

        Wires(node, other).asker(node).round()

        assert node.witness.standing is Standing.STATE_LOST
        with pytest.raises(WitnessStateLost):
            node.witness.add_checkpoint(exchange.add_checkpoint_body(0))

    def test_one_that_is_in_order_may_cosign(
        self, node: Node, other: Node, exchange: SimulatedExchange
    ) -> None:
        """Once enough peers have said so, this witness cosigns."""
        assert node.witness is not None
        assert node.witness.peers_lacking() == 1
        Wires(node, other).asker(node).round()

        assert node.witness.peers_lacking() == 0
        assert node.witness.add_checkpoint(exchange.add_checkpoint_body(0)).status == 200

    def test_a_silent_peer_has_not_been_heard(
        self, node: Node, other: Node, exchange: SimulatedExchange
    ) -> None:
        """Without an answer there is no cosignature and no answer to a challenge."""
        wires = Wires(node, other)
        wires.cut = {other.participant}
        wires.asker(node).round()

        assert node.witness is not None
        with pytest.raises(PeersUnheard):
            node.witness.add_checkpoint(exchange.add_checkpoint_body(0))

    def test_the_first_witness_asks_nobody(self, node: Node, exchange: SimulatedExchange) -> None:
        """Nobody else has joined, or nobody else is active: there is nobody to ask."""
        assert node.witness is not None
        assert node.witness.add_checkpoint(exchange.add_checkpoint_body(0)).status == 200

    def test_who_left_need_not_be_heard(self, node: Node, other: Node, exchange: SimulatedExchange) -> None:
        """A suspended peer is not waited for."""
        member = exchange.members[other.participant]
        exchange.set_member(member.model_copy(update={"status": MemberStatus.SUSPENDED}))
        node.trust.refresh_directory()

        assert node.witness is not None
        assert node.witness.peers_lacking() == 0


def test_a_witness_that_gains_its_first_peer_asks_at_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round in which there was nobody to hear does not put off the one in which there is."""
    rounds: list[str] = []
    lacking = iter([False, False, True])
    monkeypatch.setattr(network, "EAGER_SECONDS", 0.0)
    monkeypatch.setattr(network, "_waits", lambda _node: next(lacking))
    monkeypatch.setattr(Asker, "round", lambda asker: rounds.append(asker.node.participant))
    gossiping = network.Gossiping()

    for _ in range(3):
        gossiping.tick(node)

    assert rounds == [node.participant] * 2
