"""A node takes the keys of second lines from the directory into the trust root, and loses none of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.formats.note import SecondLine
from audit.keys.second_keys import line_name
from audit.keys.signing import load_key
from audit.keys.suites import Suite, create_suite_key
from audit.keys.trust_file import SignedRoot, TrustFile
from contracts.clock import FrozenClock
from nodes.node import Node, open_node
from nodes.trusting import root_signing
from nodes.trusting.directory import DirectoryForked
from nodes.trusting.trust_root import OutsideTrustRoot
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


@pytest.fixture
def pair(exchange: SimulatedExchange, clock: FrozenClock, join_node: JoinNode) -> Iterator[tuple[Node, Node]]:
    """Give two provinces of an alliance that asks for two witnesses of three."""
    exchange.quorum, exchange.witnesses = 2, 3
    homes = [join_node("sichuan"), join_node("hubei")]
    with (
        open_node(homes[0], clock=clock, transport=exchange.transport) as first,
        open_node(homes[1], clock=clock, transport=exchange.transport) as second,
    ):
        first.trust.refresh_directory()
        second.trust.refresh_directory()
        yield first, second


@pytest.fixture
def vkeys(tmp_path: Path) -> list[str]:
    """Give the second keys of the simulated log, in both suites."""
    keys = {suite: create_suite_key(tmp_path / suite, suite) for suite in Suite}
    return [str(SecondLine(line_name(ORIGIN, suite), key).verifier_key) for suite, key in keys.items()]


def tell(exchange: SimulatedExchange, nodes: tuple[Node, ...], texts: list[str]) -> None:
    """Issue a directory with these second keys and let the nodes read it."""
    exchange.second_keys = texts
    exchange.issue_directory()
    for node in nodes:
        node.trust.refresh_directory()


def adopt(pair: tuple[Node, Node]) -> SignedRoot:
    """Draw a root at the first node, sign it at both, and hand it over."""
    root = root_signing.draw(pair[0])
    for node in pair:
        root = root.with_signature(node.participant, load_key(node.home.root_key))
    for node in pair:
        root_signing.adopt(node, root)
    return root


def test_every_node_draws_them_alike(
    pair: tuple[Node, Node], exchange: SimulatedExchange, vkeys: list[str]
) -> None:
    """What the directory names for a shard stands in the root that each node draws, signed like the rest."""
    tell(exchange, pair, vkeys)
    drawn = root_signing.draw(pair[0])

    assert [log.second_keys for log in drawn.signed.logs] == [vkeys]
    assert root_signing.compare(pair[1], drawn) == []
    adopt(pair)
    file = TrustFile.load(pair[1].home.trust_file)
    assert file.unsigned(vkeys) == ()


def test_a_key_that_joins_later_is_told_apart_until_it_is_signed(
    pair: tuple[Node, Node], exchange: SimulatedExchange, vkeys: list[str]
) -> None:
    """A second key that follows the signing is known from the own view alone, until the next root."""
    tell(exchange, pair, vkeys[:1])
    adopt(pair)
    tell(exchange, pair, vkeys)
    file = pair[0].trust.export_trust_root()

    assert file.root.logs[0].second_keys == vkeys
    assert len(file.unsigned(vkeys)) == 1
    adopt(pair)
    assert pair[0].trust.export_trust_root().unsigned(vkeys) == ()


def test_a_shard_takes_its_own_keys_only(
    pair: tuple[Node, Node], exchange: SimulatedExchange, vkeys: list[str], tmp_path: Path
) -> None:
    """Keys of a shard that is not known yet are kept in the directory and out of the root."""
    key = create_suite_key(tmp_path / "next", Suite.MLDSA44)
    foreign = str(SecondLine(line_name("log.example/2027", Suite.MLDSA44), key).verifier_key)
    tell(exchange, pair, [*vkeys, foreign])

    assert [log.second_keys for log in pair[0].trust.view().logs] == [vkeys]


@pytest.mark.parametrize("change", ["dropped", "reordered", "no key", "a witness's key"])
def test_a_directory_that_changes_them_is_refused(
    pair: tuple[Node, Node], exchange: SimulatedExchange, vkeys: list[str], change: str
) -> None:
    """Second keys only grow from one directory to the next, and are what they say; else the old one stays."""
    tell(exchange, pair, vkeys)
    number, node = pair[0].trust.directory_number(), pair[0]
    assert node.witness is not None
    changed = {
        "dropped": vkeys[:1],
        "reordered": vkeys[::-1],
        "no key": [*vkeys, "x" * 20],
        "a witness's key": [*vkeys, node.witness.vkey],
    }
    exchange.second_keys = changed[change]
    exchange.issue_directory()

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()
    assert node.trust.directory_number() == number


def test_a_root_that_names_other_second_keys_is_not_adopted(
    pair: tuple[Node, Node], exchange: SimulatedExchange, vkeys: list[str]
) -> None:
    """Even signed by every province, a root with second keys that this node does not know is refused."""
    tell(exchange, pair, vkeys[:1])
    drawn = root_signing.draw(pair[0])
    log = drawn.signed.logs[0].model_copy(update={"second_keys": vkeys})
    root = SignedRoot(signatures=[], signed=drawn.signed.model_copy(update={"logs": [log]}))
    for node in pair:
        root = root.with_signature(node.participant, load_key(node.home.root_key))

    with pytest.raises(OutsideTrustRoot):
        root_signing.adopt(pair[1], root)
