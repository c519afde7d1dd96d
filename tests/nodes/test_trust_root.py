"""Nodes come to one trust root: drawn alike, signed by enough of them, logged, adopted, and then held to."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from audit.formats.cosignature import Cosigner
from audit.formats.note import VerifierKey, parse_note
from audit.keys.signing import SigningKey, load_key
from audit.keys.trust import TrustRoot, TrustRootInvalid
from audit.keys.trust_file import SignedRoot, TrustFile, TrustRootUnsigned
from audit.log.entry import Entry, EntryKind
from contracts.clock import FrozenClock
from contracts.messages import Member, MemberStatus, Text
from nodes.node import Node, open_node
from nodes.trusting import root_signing
from nodes.trusting.root_signing import NoProposal
from nodes.trusting.trust_root import OutsideTrustRoot, RootDiffers, draw_root
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import SimulatedExchange


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


def _sign(root: SignedRoot, *nodes: Node) -> SignedRoot:
    for node in nodes:
        root = root.with_signature(node.participant, load_key(node.home.root_key))
    return root


def _publish(exchange: SimulatedExchange, root: SignedRoot, *witnesses: Node, **fields: object) -> None:
    """Log a root as an exchange does, let ``witnesses`` cosign, and tell every node of a new directory."""
    values = {"n": root.signed.number, "dig": root.digest, "k": root.signed.threshold, **fields}
    leaf = Entry(EntryKind.TRUST_ROOT, exchange.clock.now(), values).encode()  # type: ignore[arg-type]  # told by tests
    exchange.log_entries(leaf)
    exchange.statements[root.digest] = len(exchange.leaves) - 1
    exchange.roots.append(root)
    for witness in witnesses:
        assert witness.witness is not None
        name = VerifierKey.parse(witness.witness.vkey).name
        pen = Cosigner(name, load_key(witness.home.witness_key))
        text = parse_note(exchange.checkpoint()).text
        exchange.cosignatures.append(pen.cosign(text, exchange.clock.now()))
    exchange.issue_directory()


def _adopted(pair: tuple[Node, Node], exchange: SimulatedExchange) -> SignedRoot:
    root = _sign(root_signing.draw(pair[0]), *pair)
    _publish(exchange, root, *pair)
    for node in pair:
        node.trust.refresh_directory()
        assert root_signing.renew(node)
    return root


def _other(exchange: SimulatedExchange, node: Node) -> Member:
    return next(one for one in exchange.members.values() if one.participant != node.participant)


def test_every_node_draws_the_same_root(pair: tuple[Node, Node]) -> None:
    """What one province draws from its pins is what the others would sign, to the byte."""
    drawn = root_signing.draw(pair[0])

    assert root_signing.compare(pair[1], drawn) == []
    assert drawn.signed.threshold == 2
    assert set(drawn.signed.root_keys()) == {node.participant for node in pair}
    assert drawn.signed.expires_at == drawn.signed.issued_at + timedelta(days=root_signing.ROOT_DAYS)


def test_a_signed_and_logged_root_is_adopted(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """Both nodes adopt it; their trust files say who signed, and every key in use is under it."""
    root = _adopted(pair, exchange)

    for node in pair:
        file = TrustFile.load(node.home.trust_file)
        assert file.signed_root == root
        assert set(file.signers) == {one.participant for one in pair}
        assert file.unsigned(file.root.key_texts()) == ()
        assert root_signing.standing(node)["adopted"]["number"] == 1


def test_a_proposal_that_agrees_is_found(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """Of the open proposals, a node offers the one that it would have drawn itself."""
    with pytest.raises(NoProposal):
        root_signing.proposal(pair[1])
    good = _sign(root_signing.draw(pair[0]), pair[0])
    bad = good.model_copy(
        update={"signed": good.signed.model_copy(update={"threshold": 1}), "signatures": []}
    )
    exchange.proposals = [bad, good]

    assert root_signing.proposal(pair[1]) == good


def test_a_proposal_that_differs_is_not_signed(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """A person is told what the proposal says otherwise: a key, a number, a participant."""
    drawn = root_signing.draw(pair[0]).signed
    party = drawn.participants[0]
    foreign = party.model_copy(update={"root_key": SigningKey.generate().public.text})
    exchange.proposals = [
        SignedRoot(
            signatures=[],
            signed=drawn.model_copy(
                update={"threshold": 1, "participants": [foreign, *drawn.participants[1:]]}
            ),
        )
    ]

    with pytest.raises(RootDiffers) as caught:
        root_signing.proposal(pair[1])

    assert caught.value.facts["reasons"] == sorted([party.participant, "threshold"])
    assert root_signing.standing(pair[1])["proposals"][0]["differs"] == ["threshold", party.participant]


def test_a_root_waits_until_it_is_witnessed(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """Before a quorum has cosigned its entry nothing is adopted, and nothing is wrong either."""
    root = _sign(root_signing.draw(pair[0]), *pair)
    _publish(exchange, root, pair[0])

    assert root_signing.renew(pair[1]) is False
    assert pair[1].trust.roots.adopted() is None
    assert pair[1].alarms.after() == []


def _refused(node: Node) -> str:
    assert root_signing.renew(node)
    assert node.trust.roots.adopted() is None
    assert TrustFile.load(node.home.trust_file).signers == ()
    return str(node.alarms.after()[-1].facts["reason"])


def test_a_root_that_is_not_in_the_log_is_an_alarm(
    pair: tuple[Node, Node], exchange: SimulatedExchange
) -> None:
    """A root that is shown and was never logged, or logged as another, is refused aloud."""
    root = _sign(root_signing.draw(pair[0]), *pair)
    exchange.roots.append(root)
    assert _refused(pair[0]) == "not-found"

    _publish(exchange, root, *pair, k=1)
    assert _refused(pair[1]) == "trust-root-not-logged"


def test_too_few_signatures_are_an_alarm(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """An exchange that shows a root as signed which is not is found out."""
    _publish(exchange, _sign(root_signing.draw(pair[0]), pair[0]), *pair)

    assert _refused(pair[1]) == "trust-root-unsigned"


def test_a_root_of_strangers_is_an_alarm(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """Root keys that a node never pinned sign nothing, however many there are."""
    strangers = [SigningKey.generate(), SigningKey.generate()]
    drawn = root_signing.draw(pair[0]).signed
    parties = [
        one.model_copy(update={"root_key": key.public.text})
        for one, key in zip(drawn.participants, strangers, strict=True)
    ]
    root = SignedRoot(signatures=[], signed=drawn.model_copy(update={"participants": parties}))
    for one, key in zip(parties, strangers, strict=True):
        root = root.with_signature(one.participant, key)
    _publish(exchange, root, *pair)

    assert _refused(pair[1]) == "outside-trust-root"


@pytest.mark.parametrize(
    "changes",
    [{"quorum": 1}, {"threshold": 1}, {"logs": []}, {"statement_keys": []}],
)
def test_a_root_that_contradicts_the_pins_is_not_adopted(
    pair: tuple[Node, Node], changes: dict[str, object]
) -> None:
    """Even signed by every province, a root with another quorum, log or key than this node's is refused."""
    drawn = root_signing.draw(pair[0]).signed
    if "logs" in changes:
        key = SigningKey.generate()
        vkey = f"{Cosigner('log.example/2026', key).verifier_key}"
        changes = {"logs": [drawn.logs[0].model_copy(update={"vkey": vkey})]}
    elif "statement_keys" in changes:
        other = drawn.statement_keys[0].model_copy(update={"key": SigningKey.generate().public.text})
        changes = {"statement_keys": [other]}
    root = _sign(SignedRoot(signatures=[], signed=drawn.model_copy(update=changes)), *pair)

    with pytest.raises((OutsideTrustRoot, TrustRootInvalid)):
        root_signing.adopt(pair[1], root)


def test_a_root_from_a_file_is_adopted_like_any_other(pair: tuple[Node, Node]) -> None:
    """Handed over in person, a root needs the same signatures and no exchange."""
    drawn = root_signing.draw(pair[0])
    with pytest.raises(TrustRootUnsigned):
        root_signing.adopt(pair[1], _sign(drawn, pair[0]))

    assert root_signing.adopt(pair[1], _sign(drawn, *pair))["adopted"]["number"] == 1
    assert root_signing.adopt(pair[1], _sign(drawn, pair[0]))["adopted"]["number"] == 1
    assert TrustFile.load(pair[1].home.trust_file).signers == tuple(sorted(one.participant for one in pair))


def test_threads_that_write_the_file_at_once_do_not_disturb_each_other(pair: tuple[Node, Node]) -> None:
    """Mailbox and outbox both write trust.json; each finds it written, whole, whoever came first."""
    node, _ = pair

    with ThreadPoolExecutor(max_workers=8) as pool:
        written = list(pool.map(lambda _: node.trust.export_trust_root().digest, range(40)))

    assert set(written) == {TrustFile.load(node.home.trust_file).digest}


def test_the_next_root_follows_the_one_before(pair: tuple[Node, Node], exchange: SimulatedExchange) -> None:
    """A second root names the first, and a node that missed neither goes from one to the other."""
    first = _adopted(pair, exchange)
    second = _sign(root_signing.draw(pair[1]), *pair)
    _publish(exchange, second, *pair)

    assert (second.signed.number, second.signed.previous) == (2, first.digest)
    assert root_signing.renew(pair[0])
    assert pair[0].trust.roots.adopted() == second
    with pytest.raises(TrustRootInvalid):
        root_signing.adopt(pair[0], first)


def test_an_adopted_root_survives_a_restart(
    pair: tuple[Node, Node], exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """What was adopted is durable."""
    root = _adopted(pair, exchange)

    with open_node(pair[0].home.path, clock=clock, transport=exchange.transport) as again:
        assert again.trust.roots.adopted() == root


@pytest.mark.parametrize(
    "changes",
    [
        {"root_key": None},
        {"profile": {"name": Text(zh="别省", en="Elsewhere")}},
        {"status": MemberStatus.PENDING},
    ],
)
def test_a_directory_must_extend_the_root(
    pair: tuple[Node, Node], exchange: SimulatedExchange, changes: dict[str, object]
) -> None:
    """Once a root is adopted, a directory that takes back what it names is refused, signed or not."""
    _adopted(pair, exchange)
    other = _other(exchange, pair[0])
    profile = changes.get("profile")
    if isinstance(profile, dict):
        changes = {"profile": other.profile.model_copy(update=profile)}
    exchange.set_member(other.model_copy(update=changes))

    with pytest.raises(OutsideTrustRoot):
        pair[0].trust.refresh_directory()


def test_a_witness_that_no_root_names_is_not_counted(
    pair: tuple[Node, Node], exchange: SimulatedExchange, join_node: JoinNode
) -> None:
    """A province that joins after the root takes part at once, and witnesses once a root names it."""
    _adopted(pair, exchange)
    home = join_node("hunan")
    node = pair[0]
    node.trust.refresh_directory()
    newcomer = next(
        one for one in exchange.members.values() if one.participant not in {each.participant for each in pair}
    )

    assert newcomer.witness_vkey is not None
    assert newcomer.participant not in node.trust.witness_keys()
    file = node.trust.export_trust_root()
    assert file.root.participant(newcomer.participant).witness_keys == []
    assert file.unsigned([newcomer.node_key]) == (newcomer.node_key,)
    assert (home / "keys" / "root.key").is_file()

    _publish(exchange, _sign(root_signing.draw(node), *pair), *pair)
    assert root_signing.renew(node)
    assert newcomer.participant in node.trust.witness_keys()


def test_an_expelled_witness_keeps_its_place_in_the_signed_root(
    pair: tuple[Node, Node], exchange: SimulatedExchange
) -> None:
    """The exchange cannot take a witness out of what the provinces signed; the next root can."""
    _adopted(pair, exchange)
    node, other = pair[0], _other(exchange, pair[0])
    exchange.set_member(other.model_copy(update={"status": MemberStatus.REVOKED}))
    node.trust.refresh_directory()

    own = node.trust.roots.write(node.trust.view()).root
    assert [one.participant for one in own.voters()] == [one.participant for one in _root(node).voters()]
    drawn = draw_root(
        node.trust.view(), node.trust.roots.adopted(), issued_at=node.clock.now(), expires_at=None
    )
    assert drawn.participant(other.participant).witness_keys == []


def _root(node: Node) -> TrustRoot:
    adopted = node.trust.roots.adopted()
    assert adopted is not None
    return adopted.signed
