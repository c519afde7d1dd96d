import base64
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.keys.signing import fingerprint, load_key
from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from contracts.messages import MemberStatus, Role
from nodes.addresses import PlainHttpRefused
from nodes.broker import ExchangeSilent
from nodes.home import HomeTaken, NodeHome
from nodes.node import open_node
from nodes.registration import (
    ApprovalPending,
    InviteExpired,
    InviteInvalid,
    JoinRefused,
    invite_text,
    join,
    parse_invite,
)
from nodes.trusting.directory import MemberKeyChanged
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import SimulatedExchange


def _join(
    exchange: SimulatedExchange, clock: FrozenClock, home: Path, text: str, **changes: object
) -> object:
    options: dict[str, object] = {
        "person_name": "li-wei",
        "clock": clock,
        "transport": exchange.transport,
        "pause": clock.advance,
        "wait_seconds": 5,
    }
    return join(text, home, **(options | changes))  # type: ignore[arg-type]  # tests vary the options


def test_join_ends_with_keys_directory_probe_and_person(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path
) -> None:
    """Joining tells the fingerprint of the key that it made, and ends after a signed probe."""
    text = exchange.invite()
    participant = parse_invite(text).participant
    told: list[str] = []

    def approve(shown: str) -> None:
        told.append(shown)
        exchange.approve(participant)

    joined = join(
        text,
        tmp_path / "home",
        person_name="li-wei",
        on_pending=approve,
        clock=clock,
        transport=exchange.transport,
        pause=clock.advance,
    )

    home = NodeHome(tmp_path / "home")
    assert told == [fingerprint(load_key(home.node_key).public.text)]
    assert joined["participant"] == participant
    assert joined["members"] == 1
    assert ("POST", "/probe") in exchange.calls
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.node_key.stat().st_mode) == 0o600
    with open_node(home.path, clock=clock, transport=exchange.transport) as node:
        assert node.people.find("li-wei").roles == frozenset(Role)
        assert node.people.find("li-wei").key == load_key(home.person_key("li-wei")).public


def test_an_interrupted_join_goes_on_with_the_same_keys(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path
) -> None:
    """Joining again after an interruption registers nothing twice and keeps the keys."""
    text, home = exchange.invite(), NodeHome(tmp_path / "home")
    exchange.down = True
    with pytest.raises(ExchangeSilent):
        _join(exchange, clock, home.path, text)
    first = load_key(home.node_key).public
    exchange.down = False
    with pytest.raises(ApprovalPending):
        _join(exchange, clock, home.path, text)
    clock.advance(48 * 3600)  # the invite is over, the registration is not
    exchange.approve(parse_invite(text).participant)
    _join(exchange, clock, home.path, text)

    assert load_key(home.node_key).public == first
    assert exchange.calls.count(("POST", "/join")) == 1


def test_a_home_of_another_participant_is_refused(
    exchange: SimulatedExchange, clock: FrozenClock, join_node: JoinNode
) -> None:
    """A home belongs to one participant for ever."""
    home = join_node()

    with pytest.raises(HomeTaken):
        _join(exchange, clock, home, exchange.invite())


def test_an_expired_invite_is_refused_before_anything_is_made(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path
) -> None:
    """An expired invite leaves no trace."""
    text = exchange.invite(hours=1)
    clock.advance(3600)

    with pytest.raises(InviteExpired):
        _join(exchange, clock, tmp_path / "home", text)
    assert not (tmp_path / "home").exists()


def test_plain_http_off_loopback_is_refused(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path
) -> None:
    """An invite to a plain exchange off loopback is refused before anything is sent."""
    with pytest.raises(PlainHttpRefused):
        _join(exchange, clock, tmp_path / "home", exchange.invite(url="http://exchange.example"))
    assert exchange.calls == []


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.QUARANTINED, MemberStatus.REVOKED])
def test_a_stopped_participant_does_not_join(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path, status: MemberStatus
) -> None:
    """Waiting ends when the operator says no."""
    text = exchange.invite()
    participant = parse_invite(text).participant

    def revoke(_: str) -> None:
        member = exchange.members[participant]
        exchange.set_member(member.model_copy(update={"status": status}))

    with pytest.raises(JoinRefused):
        _join(exchange, clock, tmp_path / "home", text, on_pending=revoke)


def test_a_stolen_registration_is_noticed(
    exchange: SimulatedExchange, clock: FrozenClock, join_node: JoinNode, tmp_path: Path
) -> None:
    """A directory that shows another key for this participant than its own is not believed."""
    thief = join_node("thief", witness=False)
    stolen = exchange.members[NodeHome(thief).read_identity().participant]
    text = exchange.invite(witness=False)
    mine = parse_invite(text).participant
    changed = {"participant": mine, "node_key": stolen.node_key}
    exchange.members = {mine: stolen.model_copy(update=changed)}
    exchange.issue_directory()

    with pytest.raises(MemberKeyChanged):
        _join(exchange, clock, tmp_path / "mine", text)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.removeprefix("hw-"),
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: text[:-3],
        lambda text: text.replace("hw-invite-v1.", "hw-invite-v2."),
        lambda _: "hw-invite-v1." + base64.urlsafe_b64encode(b'{"a":1}').decode(),
    ],
)
def test_any_other_spelling_of_an_invite_is_refused(exchange: SimulatedExchange, spoil: object) -> None:
    """An invite has one spelling."""
    assert callable(spoil)
    with pytest.raises(InviteInvalid):
        parse_invite(spoil(exchange.invite()))


@given(st.text(max_size=300))
def test_text_that_is_no_invite_is_refused_in_words(text: str) -> None:
    """Whatever is typed in place of an invite becomes an error of the house."""
    for candidate in (text, "hw-invite-v1." + text):
        with pytest.raises(HeadwatersError):
            parse_invite(candidate)


def test_waiting_ends_at_its_deadline(
    exchange: SimulatedExchange, clock: FrozenClock, tmp_path: Path
) -> None:
    """Nobody approving is an error that says to run the same command again."""
    before = clock.now()

    with pytest.raises(ApprovalPending):
        _join(exchange, clock, tmp_path / "home", exchange.invite(), wait_seconds=30)
    assert timedelta(seconds=30) <= clock.now() - before < timedelta(seconds=32)


def test_an_invite_whose_quorum_cannot_be_is_refused(exchange: SimulatedExchange) -> None:
    """An invite that asks for more cosignatures than there are witnesses is refused."""
    exchange.quorum = exchange.witnesses + 1

    with pytest.raises(InviteInvalid):
        parse_invite(exchange.invite())


def test_a_witness_registers_a_root_key_once(exchange: SimulatedExchange, join_node: JoinNode) -> None:
    """The root key's public half is registered; joining again after it was moved away makes no other one."""
    home = join_node("sichuan")
    member = next(iter(exchange.members.values()))
    place = home / "keys" / "root.key"
    registered = load_key(place).public.text
    place.unlink()
    text = invite_text(exchange.invites[member.participant])
    join(text, home, person_name="li-wei", clock=exchange.clock, transport=exchange.transport)

    assert member.root_key == registered
    assert not place.exists()
    assert next(iter(exchange.members.values())).root_key == registered


def test_a_member_that_does_not_witness_has_no_root_key(
    exchange: SimulatedExchange, join_node: JoinNode
) -> None:
    """Only witnesses sign trust roots."""
    home = join_node("bank", witness=False)

    assert next(iter(exchange.members.values())).root_key is None
    assert not (home / "keys" / "root.key").exists()
