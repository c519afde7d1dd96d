"""Other participants' keys: which changes a node believes."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from audit.formats.cosignature import Cosigner
from audit.keys.key_history import KeyChainBroken
from audit.keys.signing import SealingKey, SigningKey
from audit.log.entry import Entry, EntryKind
from contracts.errors import NotFound
from contracts.messages import (
    Inclusion,
    LogPlace,
    Member,
)
from nodes.node import Node
from nodes.rotating.rotation import rotate_key
from nodes.trusting.directory import DirectoryForked, MemberKeyChanged, TooManyWitnesses
from nodes.trusting.places import PlaceUnproven
from tests.nodes.keys.conftest import Joined
from tests.nodes.keys.key_exchange import KeyExchange
from tests.nodes.simulated_exchange import ORIGIN


def listed(exchange: KeyExchange, other: Node) -> Member:
    """Give what the exchange says of a node."""
    return exchange.members[other.participant]


def test_a_rotation_that_was_signed_by_both_keys_is_believed(
    node: Node, other: Node, exchange: KeyExchange
) -> None:
    """The node follows any number of rotations of all roles, and knows the participant by its new keys."""
    for role in ("node", "witness", "sealing", "node"):
        rotate_key(other, role)
    node.trust.refresh_directory()

    assert node.trust.node_key(other.participant) == other.node_key.public
    assert other.witness is not None
    assert str(node.trust.witness_keys()[other.participant]) == other.witness.vkey
    assert len(listed(exchange, other).past_keys) == 4


def test_who_joins_later_verifies_the_whole_past(
    node: Node, other: Node, exchange: KeyExchange, joined: Joined
) -> None:
    """A node that joins after the rotations holds every link and every place against the log."""
    rotate_key(other, "node")
    rotate_key(node, "witness")
    exchange.calls.clear()
    late = joined("hunan")

    assert late.trust.node_key(other.participant) == other.node_key.public
    assert sum("statements" in path for _, path in exchange.calls) == 2


@pytest.mark.parametrize("field", ["node_key", "witness_vkey", "sealing_key", "root_key"])
def test_a_key_that_nobody_signed_for_is_refused(
    node: Node, other: Node, exchange: KeyExchange, field: str
) -> None:
    """The exchange alone can change no key of a participant, the sealing and root key included."""
    fresh = {
        "node_key": SigningKey.generate().public.text,
        "root_key": SigningKey.generate().public.text,
        "sealing_key": SealingKey.generate().public_text,
        "witness_vkey": str(Cosigner("w.example", SigningKey.generate()).verifier_key),
    }[field]
    exchange.set_member(listed(exchange, other).model_copy(update={field: fresh}))

    with pytest.raises(MemberKeyChanged):
        node.trust.refresh_directory()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda past: past[:0],
        lambda past: past[1:],
        lambda past: past[:1],
        lambda past: past[::-1],
        lambda past: [past[0].model_copy(update={"key": SigningKey.generate().public.text}), past[1]],
        lambda past: [past[0], past[1].model_copy(update={"why": "revoked"})],
    ],
)
def test_a_chain_with_a_broken_link_is_refused(
    node: Node, other: Node, exchange: KeyExchange, spoil: Callable[[list[Any]], list[Any]]
) -> None:
    """A link that is missing, in another order, or about another key breaks the chain from the pinned key."""
    rotate_key(other, "node")
    rotate_key(other, "node")
    member = listed(exchange, other)
    exchange.set_member(member.model_copy(update={"past_keys": spoil(member.past_keys)}))

    with pytest.raises((KeyChainBroken, MemberKeyChanged)):
        node.trust.refresh_directory()


def test_the_past_is_told_once(node: Node, other: Node, exchange: KeyExchange) -> None:
    """After a node has seen where a key ended, no directory moves that place or forgets a revocation."""
    rotate_key(other, "node")
    exchange.revoke(other.participant, "witness")
    node.trust.refresh_directory()
    member = listed(exchange, other)
    first, second = member.past_keys
    moved = first.model_copy(update={"until": LogPlace(origin=ORIGIN, size=first.until.size + 1)})

    for past in ([moved, second], [first]):
        exchange.set_member(member.model_copy(update={"past_keys": past}))
        with pytest.raises(DirectoryForked):
            node.trust.refresh_directory()


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_place_that_the_log_does_not_show_is_refused(
    node: Node, other: Node, exchange: KeyExchange, shift: int
) -> None:
    """Where a key ended is what the log's own entry says, not what the directory says."""
    rotate_key(other, "node")
    member = listed(exchange, other)
    (past,) = member.past_keys
    until = LogPlace(origin=ORIGIN, size=past.until.size + shift)
    exchange.set_member(member.model_copy(update={"past_keys": [past.model_copy(update={"until": until})]}))

    with pytest.raises(PlaceUnproven):
        node.trust.refresh_directory()


@pytest.mark.parametrize("spoil", ["leaf", "path", "entry", "gone", "base64"])
def test_a_place_without_a_proof_is_refused(
    node: Node, other: Node, exchange: KeyExchange, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another leaf, a wrong path, an entry about something else, or no answer: the change is not believed."""
    rotate_key(other, "node")
    shown = exchange.shown

    def spoilt(digest: str) -> Inclusion:
        true = shown(digest)
        strange = Entry(EntryKind.POLICY_ACTIVATE, exchange.clock.now(), {"pol": "sha256:" + "0" * 64})
        match spoil:
            case "leaf":
                return true.model_copy(update={"leaf": base64.b64encode(b"{}").decode()})
            case "path":
                return true.model_copy(update={"path": true.path[1:]})
            case "entry":
                return true.model_copy(update={"leaf": base64.b64encode(strange.encode()).decode()})
            case "base64":
                return true.model_copy(update={"path": ["?"]})
            case _:
                raise NotFound(digest)

    monkeypatch.setattr(exchange, "shown", spoilt)
    with pytest.raises((PlaceUnproven, NotFound)):
        node.trust.refresh_directory()


def test_a_witness_is_one_however_many_keys_it_had(
    node: Node, other: Node, exchange: KeyExchange, joined: Joined
) -> None:
    """Rotations leave the number of witnesses as it is; a participant too many is refused still."""
    for _ in range(3):
        rotate_key(other, "witness")
    third = joined("hunan")
    node.trust.refresh_directory()
    stranger = {
        "participant": "p-aaaaaaaaaaaa",
        "node_key": SigningKey.generate().public.text,
        "sealing_key": SealingKey.generate().public_text,
        "witness_vkey": str(Cosigner("w.example", SigningKey.generate()).verifier_key),
        "root_key": None,
    }
    exchange.set_member(listed(exchange, third).model_copy(update=stranger))

    with pytest.raises(TooManyWitnesses):
        node.trust.refresh_directory()


def test_a_key_of_the_past_is_nobody_elses(node: Node, other: Node, exchange: KeyExchange) -> None:
    """A key that somebody held before does not come back under another name."""
    former = other.node_key.public.text
    rotate_key(other, "node")
    stranger: dict[str, Any] = {
        "participant": "p-aaaaaaaaaaaa",
        "node_key": former,
        "sealing_key": SealingKey.generate().public_text,
        "witness_vkey": None,
        "root_key": None,
        "past_keys": [],
    }
    exchange.set_member(listed(exchange, other).model_copy(update=stranger))

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()
