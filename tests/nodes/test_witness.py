import base64

import pytest

from audit.formats.cosignature import SIZE_CONTENT_TYPE
from audit.formats.merkle import tree_root
from audit.formats.note import VerifierKey, parse_note
from audit.keys.signing import SigningKey
from audit.proofs.equivocation import verify_fork
from contracts.clock import FrozenClock
from contracts.messages import Challenge, ChallengeAnswer
from nodes.broker import ExchangeSilent
from nodes.node import Node, open_node
from nodes.tables import WitnessStateRow
from nodes.trusting.log_sight import ClockBehind
from nodes.witnessing.forks import LogStopped
from nodes.witnessing.witness import OtherLog, Standing, Witness, WitnessStateLost, origin_hash
from tests.nodes.gossiping import rewrite
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


@pytest.fixture
def witness(node: Node) -> Witness:
    assert node.witness is not None
    return node.witness


def test_a_consistent_checkpoint_is_cosigned(witness: Witness, exchange: SimulatedExchange) -> None:
    """The answer carries a cosignature that holds under the witness's own key."""
    answer = witness.add_checkpoint(exchange.add_checkpoint_body(0))

    note = parse_note(exchange.checkpoint() + answer.body)
    assert answer.status == 200
    assert [key.name for key, _ in note.verified([VerifierKey.parse(witness.vkey)])] == [
        VerifierKey.parse(witness.vkey).name
    ]
    assert witness.size() == 3


def test_growth_is_cosigned_from_the_last_size_only(witness: Witness, exchange: SimulatedExchange) -> None:
    """A request that starts elsewhere is answered 409 with the size to start from."""
    witness.add_checkpoint(exchange.add_checkpoint_body(0))
    exchange.grow(5)

    wrong = witness.add_checkpoint(exchange.add_checkpoint_body(2))
    right = witness.add_checkpoint(exchange.add_checkpoint_body(3))
    again = witness.add_checkpoint(exchange.add_checkpoint_body(8))

    assert (wrong.status, wrong.body, wrong.content_type) == (409, b"3\n", SIZE_CONTENT_TYPE)
    assert (right.status, again.status, witness.size()) == (200, 200, 8)


def test_a_fork_is_never_cosigned(witness: Witness, exchange: SimulatedExchange) -> None:
    """Another history of the same size is 422, and the state stays."""
    witness.add_checkpoint(exchange.add_checkpoint_body(0))
    exchange.leaves = [b"\x01" * 32] * 3

    assert witness.add_checkpoint(exchange.add_checkpoint_body(3)).status == 422
    assert witness.size() == 3


def test_a_checkpoint_by_another_key_is_403(witness: Witness, exchange: SimulatedExchange) -> None:
    """Only the pinned log key is cosigned."""
    witness.check_standing()
    exchange.log_key = SigningKey.generate()

    assert witness.add_checkpoint(exchange.add_checkpoint_body(0)).status == 403


def test_a_body_that_does_not_parse_is_400(witness: Witness) -> None:
    """Rubbish is refused before anything is asked or stored."""
    assert witness.add_checkpoint(b"old 0\n").status == 400


def test_the_state_is_durable_before_the_cosignature_leaves(
    witness: Witness, exchange: SimulatedExchange, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the state cannot be written, no cosignature is given."""

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Witness, "_keep", fail)
    with pytest.raises(OSError, match="disk full"):
        witness.add_checkpoint(exchange.add_checkpoint_body(0))
    monkeypatch.undo()

    assert witness.size() == 0
    witness.add_checkpoint(exchange.add_checkpoint_body(0))
    with node.database.read() as session:
        row = session.get(WitnessStateRow, ORIGIN)
        assert row is not None
        assert (row.size, row.root) == (3, tree_root(exchange.leaves))


def test_a_restored_copy_does_not_cosign(
    witness: Witness, exchange: SimulatedExchange, node: Node, clock: FrozenClock
) -> None:
    """A witness that has published more than it remembers refuses for good, and says so."""
    line = witness.add_checkpoint(exchange.add_checkpoint_body(0)).body.decode()
    exchange.cosignatures = [line]
    with node.database.transaction() as session:
        session.delete(session.get(WitnessStateRow, ORIGIN))

    with open_node(node.home.path, clock=clock, transport=exchange.transport) as restored:
        assert restored.witness is not None
        for _ in range(2):
            with pytest.raises(WitnessStateLost):
                restored.witness.add_checkpoint(exchange.add_checkpoint_body(0))
        with pytest.raises(WitnessStateLost):
            restored.witness.answer_challenge(Challenge(origin=ORIGIN, nonce="n" * 16))
        assert restored.witness.standing is Standing.STATE_LOST


def test_nothing_is_cosigned_before_the_published_note_was_seen(
    witness: Witness, exchange: SimulatedExchange
) -> None:
    """While the published checkpoint cannot be read, a fresh process does not cosign; later it does."""
    body = exchange.add_checkpoint_body(0)
    exchange.down = True
    with pytest.raises(ExchangeSilent):
        witness.add_checkpoint(body)
    exchange.down = False

    assert witness.standing is Standing.UNCHECKED
    assert witness.add_checkpoint(body).status == 200


def test_a_clock_that_is_behind_does_not_cosign(
    witness: Witness, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A cosignature tells a time, so a clock behind the newest verified moment gives none."""
    clock.advance(-60)

    with pytest.raises(ClockBehind):
        witness.add_checkpoint(exchange.add_checkpoint_body(0))


def test_the_last_note_is_shown_with_both_signatures(witness: Witness, exchange: SimulatedExchange) -> None:
    """The monitoring path shows the note that was cosigned last, and nothing before the first."""
    with pytest.raises(OtherLog):
        witness.checkpoint(origin_hash(ORIGIN))
    witness.add_checkpoint(exchange.add_checkpoint_body(0))

    note = parse_note(witness.checkpoint(origin_hash(ORIGIN)))
    keys = [exchange.signer.verifier_key, VerifierKey.parse(witness.vkey)]
    assert [key for key, _ in note.verified(keys)] == keys


def test_a_challenge_is_answered_under_the_node_key(
    witness: Witness, exchange: SimulatedExchange, node: Node
) -> None:
    """The answer names the nonce, size and root, signed by the node key; of a log never cosigned, nothing."""
    witness.add_checkpoint(exchange.add_checkpoint_body(0))
    signed = witness.answer_challenge(Challenge(origin=ORIGIN, nonce="n" * 16))

    answer = node.trust.participant_statement(signed.text, ChallengeAnswer, node.participant).statement
    assert (answer.nonce, answer.size) == ("n" * 16, 3)
    assert base64.b64decode(answer.root) == tree_root(exchange.leaves)
    other = witness.answer_challenge(Challenge(origin="other.example", nonce="n" * 16)).statement
    assert (other.size, other.root) == (0, "")


@pytest.mark.parametrize("grown", [0, 4])
def test_a_request_that_shows_two_histories_stops_the_log(
    witness: Witness, exchange: SimulatedExchange, node: Node, grown: int
) -> None:
    """The answer is 422 as ever; what the request proves is kept, and nothing is cosigned any more."""
    witness.add_checkpoint(exchange.add_checkpoint_body(0))
    rewrite(exchange, 3 + grown, since=1)

    assert witness.add_checkpoint(exchange.add_checkpoint_body(3)).status == 422

    [file] = node.home.evidence.iterdir()
    assert verify_fork(file.read_bytes(), [exchange.signer.verifier_key]).size == 3
    with pytest.raises(LogStopped):
        witness.add_checkpoint(exchange.add_checkpoint_body(3))
    with pytest.raises(LogStopped):
        witness.answer_challenge(Challenge(origin=ORIGIN, nonce="n" * 16))
