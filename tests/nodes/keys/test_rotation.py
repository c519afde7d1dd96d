"""A node replaces its keys: what it hands in, what it uses from when on, and what an interruption leaves."""

from pathlib import Path

import pytest

from audit.formats.note import VerifierKey, parse_note
from audit.keys.key_history import WrongRotation
from audit.keys.signing import KeyFileMissing, create_key, load_key
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from contracts.messages import Challenge, KeyRole
from nodes.broker import ExchangeSilent
from nodes.node import Node, open_node
from nodes.registration import join, parse_invite
from nodes.rotating.rotation import NoSuchKey, finish_rotations, revoke_key, rotate_key
from nodes.witnessing.witness import Standing, WitnessFresh, WitnessStateLost
from tests.nodes.keys.key_exchange import KeyExchange
from tests.nodes.simulated_exchange import ORIGIN


def keys_of(node: Node) -> dict[str, str]:
    """Give the public halves that a node would use now."""
    return {
        "node": node.node_key.public.text,
        "sealing": node.sealing_key.public_text,
        "witness": node.witness.vkey if node.witness else "",
    }


ROLES: list[KeyRole] = ["node", "witness", "sealing"]


@pytest.mark.parametrize("role", ROLES)
def test_a_replaced_key_is_used_at_once_and_after_a_restart(
    node: Node, home: Path, exchange: KeyExchange, clock: FrozenClock, role: KeyRole
) -> None:
    """The running node signs with the new key, its files hold that one alone, the directory leads to it."""
    before = keys_of(node)
    rotate_key(node, role)

    after = keys_of(node)
    assert {name for name in after if after[name] != before[name]} == {role}
    assert node.trust.directory_number() == exchange.number
    node.broker.probe("n" * 16)
    with open_node(home, clock=clock, transport=exchange.transport) as again:
        assert keys_of(again) == after
    assert not list((home / "keys").glob("*.next"))
    assert len(list((home / "keys").glob("witness*.key"))) == 1


@pytest.mark.parametrize("role", ROLES)
def test_a_lost_answer_is_made_good(
    node: Node, home: Path, exchange: KeyExchange, clock: FrozenClock, role: KeyRole
) -> None:
    """The exchange took the key, the node did not hear: a restart finishes with the very same key."""
    exchange.lose_answers = 1
    with pytest.raises(ExchangeSilent):
        rotate_key(node, role)
    waiting = list((home / "keys").glob("*.next"))
    logged = len(exchange.places)

    with open_node(home, clock=clock, transport=exchange.transport) as again:
        finish_rotations(again)
        again.broker.probe("n" * 16)
        held = keys_of(again)
    assert (len(waiting), logged, len(exchange.places)) == (1, 1, 1)
    member = exchange.members[node.participant]
    assert held[role] in {member.node_key, member.sealing_key, member.witness_vkey}


def test_a_rotation_that_never_left_goes_on_with_its_key(
    node: Node, home: Path, exchange: KeyExchange
) -> None:
    """A next key that was made and not announced is the one that is announced later."""
    exchange.down = True
    with pytest.raises(ExchangeSilent):
        rotate_key(node, "node")
    made = load_key(home / "keys" / "node.key.next").public.text
    exchange.down = False
    rotate_key(node, "node")

    assert node.node_key.public.text == made


def test_nothing_is_finished_where_nothing_began(node: Node, exchange: KeyExchange) -> None:
    """The background task leaves keys alone that nobody replaced."""
    before = keys_of(node)
    finish_rotations(node)

    assert (keys_of(node), exchange.places) == (before, {})


def test_a_refused_rotation_leaves_the_present_key(
    node: Node, exchange: KeyExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the exchange refuses changes nothing here."""

    def refuse(_text: str) -> None:
        raise WrongRotation("no")

    before = keys_of(node)
    monkeypatch.setattr(exchange, "rotate", refuse)
    with pytest.raises(HeadwatersError):
        rotate_key(node, "node")

    assert keys_of(node) == before


def test_keys_that_are_not_there_are_not_replaced(
    exchange: KeyExchange, clock: FrozenClock, tmp_path: Path, node: Node
) -> None:
    """A node that is no witness has no witness key, no node has a statement key, and a file must exist."""
    text = exchange.invite(witness=False)
    plain = parse_invite(text).participant
    join(
        text,
        tmp_path / "bank",
        person_name="li-wei",
        on_pending=lambda _: exchange.approve(plain),
        clock=clock,
        transport=exchange.transport,
        pause=clock.advance,
    )
    with open_node(tmp_path / "bank", clock=clock, transport=exchange.transport) as bank:
        for role in ("witness", "statement"):
            with pytest.raises(NoSuchKey):
                rotate_key(bank, role)
    with pytest.raises(KeyFileMissing):
        rotate_key(node, "node", tmp_path / "no.key")


# --- revoked and lost keys ------------------------------------------------------------------------------


def test_the_root_key_brings_a_revoked_node_back(node: Node, home: Path, exchange: KeyExchange) -> None:
    """The old key alone no longer replaces itself; with the root key's signature it is replaced."""
    exchange.revoke(node.participant, "node")
    with pytest.raises(HeadwatersError):
        rotate_key(node, "node")

    rotate_key(node, "node", home / "keys" / "root.key")
    assert exchange.members[node.participant].node_key == node.node_key.public.text
    assert [past.why for past in exchange.members[node.participant].past_keys] == ["revoked", "rotated"]


def test_a_node_revokes_its_own_witness_key(node: Node, exchange: KeyExchange) -> None:
    """The node key signs; the directory then names no witness key, and a new one may come."""
    revoke_key(node, "witness", "compromised")
    assert exchange.members[node.participant].witness_vkey is None
    node.trust.refresh_directory()
    assert node.trust.witness_keys() == {}

    rotate_key(node, "witness")
    assert list(node.trust.witness_keys()) == [node.participant]


def test_a_stolen_root_key_of_somebody_else_is_of_no_use(
    node: Node, exchange: KeyExchange, tmp_path: Path
) -> None:
    """Only the participant's own root key signs in the place of a revoked key."""
    create_key(tmp_path / "other.key")
    exchange.revoke(node.participant, "node")

    with pytest.raises(HeadwatersError):
        rotate_key(node, "node", tmp_path / "other.key")


# --- the witness ----------------------------------------------------------------------------------------


def cosigned(node: Node, exchange: KeyExchange, old: int) -> int:
    """Ask for a cosignature; give the status."""
    assert node.witness is not None
    return node.witness.add_checkpoint(exchange.add_checkpoint_body(old)).status


def lose_state(node: Node, exchange: KeyExchange) -> None:
    """Publish a cosignature of a size that this witness does not remember."""
    assert node.witness is not None
    pen = node.keys.witness
    assert pen is not None
    exchange.grow(4)
    text = parse_note(exchange.checkpoint()).text
    exchange.cosignatures = [pen.cosign(text, exchange.clock.now())]
    node.witness.hear("p-aaaaaaaaaaaa", exchange.published())
    with pytest.raises(WitnessStateLost):
        node.witness.check_standing()


def test_a_witness_that_lost_its_state_goes_on_under_another_key(node: Node, exchange: KeyExchange) -> None:
    """It retires the key that may have signed more than it remembers, and cosigns with w2 from then on."""
    assert node.witness is not None
    assert cosigned(node, exchange, 0) == 200
    lose_state(node, exchange)
    rotate_key(node, "witness")

    name = VerifierKey.parse(node.witness.vkey).name
    assert name == f"{ORIGIN}/{node.participant}/w2"
    assert cosigned(node, exchange, 3) == 200  # its older state holds it to the history it did see
    assert node.witness.standing is Standing.READY


def test_a_fresh_witness_key_answers_no_challenge_before_it_has_cosigned(
    node: Node, exchange: KeyExchange
) -> None:
    """What was cosigned under the former key may be forgotten, so a restart must not rely on this answer."""
    assert node.witness is not None
    assert cosigned(node, exchange, 0) == 200
    rotate_key(node, "witness")
    challenge = Challenge(origin=ORIGIN, nonce="n" * 16)
    with pytest.raises(WitnessFresh):
        node.witness.answer_challenge(challenge)

    assert cosigned(node, exchange, 3) == 200
    assert node.witness.answer_challenge(challenge).statement.size == len(exchange.leaves)
