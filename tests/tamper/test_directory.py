"""A directory that was issued cannot be issued again with other words, nor go back, nor swap a key."""

import copy

import pytest

from audit.keys.signing import SigningKey
from contracts.errors import HeadwatersError
from nodes.node import Node
from tests.nodes.conftest import JoinNode, clock, exchange, join_node, node
from tests.nodes.simulated_exchange import SimulatedExchange

__all__ = ["clock", "exchange", "join_node", "node"]


def _refused(node: Node) -> bool:
    """Say whether the node keeps the directory that it has."""
    before = node.trust.directory()
    try:
        node.trust.refresh_directory()
    except HeadwatersError:
        return node.trust.directory() == before
    return False


@pytest.fixture(autouse=True)
def _seen(node: Node, join_node: JoinNode) -> None:
    """Let the node see a directory with two members."""
    join_node("hubei")
    node.trust.refresh_directory()


def test_directory_rewrite_under_the_same_number(node: Node, exchange: SimulatedExchange) -> None:
    """Directory rewrite: the exchange signs the same number again, with a member left out."""
    gone = copy.copy(exchange)
    gone.members = {node.participant: exchange.members[node.participant]}
    gone.number -= 1
    exchange.current = gone.issue_directory()

    assert _refused(node)


def test_directory_rewrite_of_the_past(node: Node, exchange: SimulatedExchange) -> None:
    """Directory rewrite: the next directory follows another one than the node has seen."""
    exchange.previous = "sha256:" + "7" * 64
    exchange.issue_directory()

    assert _refused(node)


def test_an_old_directory_again(node: Node, exchange: SimulatedExchange) -> None:
    """Old-backup restore: a directory that was followed by another one is not taken again."""
    old = exchange.current
    exchange.issue_directory()
    node.trust.refresh_directory()
    exchange.current = old

    assert _refused(node)


@pytest.mark.parametrize("field", ["node_key", "witness_vkey"])
def test_key_swap_in_the_directory(node: Node, exchange: SimulatedExchange, field: str) -> None:
    """Key swap: a member's key is another one than before, and no rotation leads from the old to the new."""
    other = next(one for one in exchange.members.values() if one.participant != node.participant)
    value = SigningKey.generate().public.text if field == "node_key" else str(exchange.signer.verifier_key)
    exchange.set_member(other.model_copy(update={field: value}))

    assert _refused(node)


def test_a_directory_by_another_key(node: Node, exchange: SimulatedExchange) -> None:
    """Key swap: a directory under another statement key than the pinned one is nobody's."""
    exchange.statement_key = SigningKey.generate()
    exchange.issue_directory()

    assert _refused(node)
