"""Notices and answers at a node: signed, kept before they are sent, sent again, and let go when refused."""

from dataclasses import dataclass, field

import pytest
from sqlmodel import select

from audit.keys.signing import SignatureInvalid
from contracts.errors import HeadwatersError, Refused
from contracts.identifiers import BadIdentifier
from contracts.messages import (
    Acknowledgement,
    Deprecation,
    DeprecationList,
    DeprecationView,
    Impact,
    ImpactList,
)
from nodes.broker import ExchangeSilent
from nodes.node import Node
from nodes.publishing import versions
from nodes.sharing_tables import VersionStatementRow
from nodes.signed import peek_statement, sign_statement
from tests.nodes.sharing import CONTRACT, DATASET, World

DIGEST = "sha256:" + "0" * 64


@dataclass
class Room:
    """The exchange's room of versions as a node meets it; what it takes it keeps, and it may misbehave."""

    impacts: list[Impact]
    taken: list[str] = field(default_factory=list)
    notices: list[DeprecationView] = field(default_factory=list)
    fault: HeadwatersError | None = None

    def impact(self, _contract: str, _version: str, _instead_of: str | None) -> ImpactList:
        return ImpactList(impacts=self.impacts)

    def deprecate(self, notice: str) -> DeprecationView:
        self._take(notice)
        digest = peek_statement(notice, Deprecation).digest
        view = DeprecationView(deprecation=digest, envelope=notice, passed=False, acknowledged=[], waiting=[])
        self.notices.append(view)
        return view

    def deprecations(self) -> DeprecationList:
        return DeprecationList(deprecations=self.notices)

    def acknowledge_deprecation(self, answer: str) -> DeprecationView:
        self._take(answer)
        return self.notices[0]

    def _take(self, envelope: str) -> None:
        if self.fault is not None:
            raise self.fault
        self.taken.append(envelope)


@pytest.fixture
def room(world: World, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Let both nodes meet the room instead of the simulated exchange's address, which knows no versions."""
    ref = world.declare().statement.contract
    impact = Impact(
        provider=world.provider.participant,
        contract=ref,
        successor=ref.model_copy(update={"version": "2.0.0", "digest": DIGEST}),
        verdict="incompatible",
        bump="major",
        whole=False,
        datasets=[DATASET],
        users=[],
    )
    made = Room([impact])
    for node in (world.provider, world.consumer):
        for name in ("impact", "deprecate", "deprecations", "acknowledge_deprecation"):
            monkeypatch.setattr(node.broker, name, getattr(made, name))
    return made


def deprecate(node: Node, days: int = 40) -> DeprecationView:
    """Give notice."""
    return versions.deprecate(node, f"{CONTRACT}@1.1.0", f"{CONTRACT}@2.0.0", days=days, why="new units")


def states(node: Node) -> list[str]:
    """List the states of what a node signed."""
    with node.database.read() as session:
        return [row.state for row in session.exec(select(VersionStatementRow))]


def test_a_notice_names_the_users_that_were_read(world: World, room: Room) -> None:
    """The signed notice carries the digest of the list, both versions, and its end."""
    deprecate(world.provider)

    notice = peek_statement(room.taken[0], Deprecation).statement
    assert notice.impact == room.impacts[0].users_digest()
    assert (notice.contract, notice.successor) == (room.impacts[0].contract, room.impacts[0].successor)
    assert (notice.ends_at - notice.at).days == 40
    assert states(world.provider) == ["sent"]


def test_what_was_signed_and_not_delivered_is_sent_again(world: World, room: Room) -> None:
    """After an outage the same statement goes out byte for byte before anything new does."""
    room.fault = ExchangeSilent("down")
    with pytest.raises(ExchangeSilent):
        deprecate(world.provider)
    before = states(world.provider)
    room.fault = None
    versions.resend_pending(world.provider)

    assert before == ["pending"]
    assert len(room.taken) == 1
    assert states(world.provider) == ["sent"]


def test_what_the_exchange_refuses_is_let_go(world: World, room: Room) -> None:
    """A refused notice is not sent again, and the person sees why."""
    room.fault = Refused("the window is too short")
    with pytest.raises(Refused):
        deprecate(world.provider)

    assert states(world.provider) == []


def test_without_a_dataset_there_is_nothing_to_announce(world: World, room: Room) -> None:
    """A node gives notice about its own datasets only."""
    room.impacts = []

    with pytest.raises(versions.NoSuchStep):
        deprecate(world.provider)


def test_a_subscriber_answers_the_notice_it_verified(world: World, room: Room) -> None:
    """The answer names the notice and its step; the notice was signed by the provider it names."""
    view = deprecate(world.provider)
    world.consumer.trust.refresh_directory()

    versions.acknowledge(world.consumer, view.deprecation[:20])

    answer = peek_statement(room.taken[1], Acknowledgement).statement
    assert (answer.consumer, answer.provider) == (world.consumer.participant, world.provider.participant)
    assert answer.deprecation == view.deprecation
    assert states(world.consumer) == ["sent"]


def test_a_forged_notice_is_not_answered(world: World, room: Room) -> None:
    """A notice in the provider's name under another key is refused before anything is signed."""
    notice = peek_statement(deprecate(world.provider).envelope, Deprecation).statement
    forged = sign_statement(notice, world.consumer.node_key)
    room.notices = [room.notices[0].model_copy(update={"envelope": forged.text})]

    with pytest.raises(SignatureInvalid):
        versions.acknowledge(world.consumer, forged.digest)

    assert states(world.consumer) == []


@pytest.mark.parametrize("named", ["sha256:", "5c", "sha256:" + "f" * 64])
def test_a_notice_is_named_unmistakably(world: World, room: Room, named: str) -> None:
    """Too short a beginning, or one that no notice has, answers nothing."""
    deprecate(world.provider)

    with pytest.raises(versions.NoSuchNotice):
        versions.acknowledge(world.consumer, named)


@pytest.mark.parametrize("text", ["river", "river@1", "River@1.0.0", "@1.0.0", "river@1.0.0@2"])
def test_a_version_is_written_with_its_contract(text: str) -> None:
    """``id@version`` and nothing else names a step."""
    with pytest.raises(BadIdentifier):
        versions.parse_step(text)
