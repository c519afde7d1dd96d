import pytest

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.note import NoteInvalid, format_note
from audit.formats.quorum import QuorumMissing
from audit.keys.signing import SealingKey, SignatureInvalid, SigningKey
from audit.keys.trust_file import TrustFile
from contracts.clock import FrozenClock, monotonic_seconds
from contracts.messages import MemberStatus
from nodes.broker import ExchangeSilent
from nodes.node import Node, open_node
from nodes.trusting.directory import (
    DirectoryExpired,
    DirectoryForked,
    DirectoryRolledBack,
    MemberKeyChanged,
    TooManyWitnesses,
)
from nodes.trusting.log_sight import ClockBehind
from nodes.trusting.revocations import RevocationsRolledBack, RevocationsStale
from nodes.trusting.trust import UnknownParticipant
from nodes.witnessing.forks import LogForked
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


def test_an_older_directory_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """A directory with a lower number than one that was verified is refused."""
    old = exchange.current
    exchange.issue_directory()
    node.trust.refresh_directory()
    exchange.current = old

    with pytest.raises(DirectoryRolledBack):
        node.trust.refresh_directory()
    assert node.trust.directory_number() == exchange.number


def test_the_number_is_remembered_across_restarts(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A restart does not forget the highest number."""
    old = exchange.current
    exchange.issue_directory()
    node.trust.refresh_directory()
    exchange.current = old

    with (
        open_node(node.home.path, clock=clock, transport=exchange.transport) as again,
        pytest.raises(DirectoryRolledBack),
    ):
        again.trust.refresh_directory()


def test_two_directories_with_one_number_are_a_fork(node: Node, exchange: SimulatedExchange) -> None:
    """The same number with other content is refused."""
    exchange.number -= 1
    exchange.issue_directory(previous="sha256:" + "0" * 64)

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()


def test_the_next_directory_names_its_predecessor(node: Node, exchange: SimulatedExchange) -> None:
    """A directory that follows directly must name the digest of the one before it."""
    exchange.issue_directory(previous="sha256:" + "0" * 64)

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()


def test_an_expired_directory_is_refused(node: Node, exchange: SimulatedExchange, clock: FrozenClock) -> None:
    """Keys are not taken from a directory that has expired, and a fresh one mends it."""
    clock.advance(2 * 86400)

    with pytest.raises(DirectoryExpired):
        node.trust.node_key(node.participant)
    exchange.issue_directory()
    assert node.trust.node_key(node.participant) == node.node_key.public


def test_a_directory_by_another_key_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """Only the pinned statement key signs directories."""
    exchange.statement_key = SigningKey.generate()
    exchange.issue_directory()

    with pytest.raises(SignatureInvalid):
        node.trust.refresh_directory()


@pytest.mark.parametrize("field", ["node_key", "witness_vkey"])
def test_a_known_participant_keeps_its_keys(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode, field: str
) -> None:
    """A changed node key or witness key is refused, whoever signs the directory."""
    join_node("hubei")
    node.trust.refresh_directory()
    other = next(m for m in exchange.members.values() if m.participant != node.participant)
    value = {
        "node_key": SigningKey.generate().public.text,
        "witness_vkey": str(Cosigner("witness.example", SigningKey.generate()).verifier_key),
    }[field]
    exchange.set_member(other.model_copy(update={field: value}))

    with pytest.raises(MemberKeyChanged):
        node.trust.refresh_directory()


def test_no_participant_vanishes(node: Node, exchange: SimulatedExchange, join_node: JoinNode) -> None:
    """A directory that leaves out somebody who was in it is refused: its past would be forgotten with it."""
    join_node("hubei")
    node.trust.refresh_directory()
    other = next(m for m in exchange.members.values() if m.participant != node.participant)
    del exchange.members[other.participant]
    exchange.issue_directory()

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()


def test_there_are_never_more_witnesses_than_the_invite_said(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode
) -> None:
    """A third witness is refused where the invite said two, also after another was revoked."""
    join_node("hubei")
    node.trust.refresh_directory()
    other = next(m for m in exchange.members.values() if m.participant != node.participant)
    exchange.set_member(other.model_copy(update={"status": MemberStatus.REVOKED}))
    node.trust.refresh_directory()
    third = {
        "participant": "p-aaaaaaaaaaaa",
        "node_key": SigningKey.generate().public.text,
        "witness_vkey": str(Cosigner("witness.example", SigningKey.generate()).verifier_key),
        "root_key": SigningKey.generate().public.text,
        "sealing_key": SealingKey.generate().public_text,
    }
    exchange.set_member(other.model_copy(update=third))

    with pytest.raises(TooManyWitnesses):
        node.trust.refresh_directory()


def test_the_quorum_stays_as_the_invite_said(node: Node, exchange: SimulatedExchange) -> None:
    """A directory cannot change the quorum."""
    exchange.issue_directory(quorum=2)

    with pytest.raises(TooManyWitnesses):
        node.trust.refresh_directory()


def test_one_key_under_two_names_is_refused(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode
) -> None:
    """Two participants never share a key."""
    join_node("hubei")
    other = next(m for m in exchange.members.values() if m.participant != node.participant)
    exchange.set_member(other.model_copy(update={"node_key": node.node_key.public.text}))

    with pytest.raises(DirectoryForked):
        node.trust.refresh_directory()


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.QUARANTINED])
def test_only_active_participants_have_a_key_to_act_with(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode, status: MemberStatus
) -> None:
    """A stopped participant's requests are refused while its past statements stay readable."""
    join_node("hubei")
    node.trust.refresh_directory()
    other = next(m for m in exchange.members.values() if m.participant != node.participant)
    exchange.set_member(other.model_copy(update={"status": status}))
    node.trust.refresh_directory()

    with pytest.raises(UnknownParticipant):
        node.trust.node_key(other.participant)
    assert node.trust.member(other.participant).node_key == other.node_key


def test_a_stranger_is_looked_up_once_and_then_refused(node: Node, exchange: SimulatedExchange) -> None:
    """An unknown participant is refused, and does not make the node ask the exchange again and again."""
    exchange.calls.clear()
    for _ in range(3):
        with pytest.raises(UnknownParticipant):
            node.trust.node_key("p-aaaaaaaaaaaa")

    assert exchange.calls == [("GET", "/directory")]


def test_revocations_are_held_for_five_seconds(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A revocation list is used for at most five seconds after its issue."""
    exchange.calls.clear()
    node.trust.revocations()
    node.trust.revocations()
    clock.advance(4)
    node.trust.revocations()
    clock.advance(1.5)
    node.trust.revocations()

    assert exchange.calls == [("GET", "/revocations")] * 2
    clock.advance(6)
    exchange.down = True
    with pytest.raises(ExchangeSilent):
        node.trust.revocations()


def test_an_older_revocation_list_is_refused(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """The number of revocation lists never falls."""
    exchange.revocation_number = 3
    node.trust.revocations()
    clock.advance(6)
    exchange.revocation_number = 2

    with pytest.raises(RevocationsRolledBack):
        node.trust.revocations()


def test_a_list_that_is_stale_already_is_refused(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list issued six seconds ago does not count, however it came."""
    old = exchange.revocations()
    clock.advance(6)
    monkeypatch.setattr(exchange, "revocations", lambda: old)

    with pytest.raises(RevocationsStale):
        node.trust.revocations()


def test_checkpoints_of_one_history_are_accepted_in_any_order(
    node: Node, exchange: SimulatedExchange
) -> None:
    """A checkpoint is accepted when it extends, or is extended by, the largest one seen."""
    exchange.grow(4)
    assert node.trust.see_checkpoint(exchange.checkpoint(5)).size == 5
    assert node.trust.see_checkpoint(exchange.checkpoint(7)).size == 7
    assert node.trust.see_checkpoint(exchange.checkpoint(2)).size == 2

    seen = node.trust.last_checkpoint()
    assert seen is not None
    assert seen.size == 7


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_forked_history_is_refused(node: Node, exchange: SimulatedExchange, size: int) -> None:
    """A checkpoint of another history is refused, be it shorter, as long, or longer."""
    node.trust.see_checkpoint(exchange.checkpoint(3))
    exchange.leaves = [b"\x01" * 32] * 6

    with pytest.raises(LogForked):
        node.trust.see_checkpoint(exchange.checkpoint(size))


def test_a_checkpoint_by_another_key_is_refused(node: Node, exchange: SimulatedExchange) -> None:
    """Only the pinned log key signs checkpoints."""
    exchange.log_key = SigningKey.generate()

    with pytest.raises(NoteInvalid):
        node.trust.see_checkpoint(exchange.checkpoint())


def test_a_clock_behind_the_newest_verified_checkpoint_refuses(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode, clock: FrozenClock
) -> None:
    """When n - k + 1 witnesses vouch for a later time, this clock is behind; fewer cannot claim so."""
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as other:
        node.trust.refresh_directory()
        text = str(Checkpoint(ORIGIN, 3, exchange_root(exchange)))
        later = FrozenClock(clock.now())
        later.advance(3600)
        lines = [exchange.signer.sign(text)]
        for one in (node, other):
            assert one.witness is not None
            lines.append(one.witness._cosigner.cosign(text, later.now()))

        node.trust.see_checkpoint(format_note(text, lines[:2]))
        node.trust.guard_clock()
        node.trust.see_checkpoint(format_note(text, lines))
        with pytest.raises(ClockBehind):
            node.trust.guard_clock()


def exchange_root(exchange: SimulatedExchange) -> bytes:
    return Checkpoint.parse(exchange.checkpoint().split(b"\n\n")[0].decode() + "\n").root


def test_a_directory_from_the_future_means_that_this_clock_is_behind(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A clock more than five seconds behind the exchange refuses its directory."""
    later = FrozenClock(clock.now())
    later.advance(6)
    exchange.clock = later
    exchange.issue_directory()

    with pytest.raises(ClockBehind):
        node.trust.refresh_directory()


def test_the_quorum_is_undecidable_until_enough_witnesses_joined(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """With fewer witnesses than the quorum there is no policy, and no trust root is written."""
    assert TrustFile.load(node.home.trust_file) == node.trust.export_trust_root()
    exchange.set_member(
        exchange.members[node.participant].model_copy(update={"status": MemberStatus.REVOKED})
    )
    node.trust.refresh_directory()

    with pytest.raises(QuorumMissing):
        node.trust.witness_policy()


def test_a_clock_set_back_does_not_keep_revocations_young(
    node: Node, exchange: SimulatedExchange, clock: FrozenClock
) -> None:
    """A list that seems to come from the future is fetched again."""
    node.trust.revocations()
    exchange.calls.clear()
    clock.advance(-60)
    node.trust.revocations()

    assert exchange.calls == [("GET", "/revocations")]


def test_revocations_age_on_the_monotonic_clock_too(
    node: Node, exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stands still does not keep a list for longer than five seconds."""
    node.trust.revocations()
    exchange.calls.clear()
    held = monotonic_seconds() + 6
    monkeypatch.setattr("nodes.trusting.revocations.monotonic_seconds", lambda: held)
    node.trust.revocations()

    assert exchange.calls == [("GET", "/revocations")]
