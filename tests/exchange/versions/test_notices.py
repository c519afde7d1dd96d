"""A breaking step needs notice: who is affected is read, the notice signed, its window or answers count."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from audit.log.entry import EntryKind
from contracts.clock import epoch_ms
from contracts.errors import HeadwatersError
from contracts.messages import (
    CONTRACT_DEPRECATED,
    Acknowledgement,
    ContractRef,
    DatasetRecord,
    Deprecation,
    DeprecationView,
    Impact,
    PurposeFields,
    SecurityEvent,
)
from exchange.agreements import flow as agreements
from exchange.catalog import flow as catalog
from exchange.catalog.model import ContractChanged, ContractUnknown
from exchange.evidence import OtherSigner
from exchange.incidents import flow as incidents
from exchange.versions import model, notices
from nodes.signed import peek_statement, sign_statement
from tests.exchange.signers import Participant
from tests.exchange.trading import DATASET, Alliance
from tests.exchange.versions.test_lineage import another_unit, narrow, register, version, widen

V1, V2 = version("1.0.0"), version("2.0.0", narrow, another_unit)
DAY = 86_400
SEEN = ["local_time", "humidity", "temperature"]


@dataclass
class Step:
    """A provider whose dataset has one subscriber, and who wants to move from 1.0.0 to 2.0.0."""

    alliance: Alliance
    provider: Participant
    consumer: Participant

    def impact(self) -> Impact:
        """Read who is affected."""
        found = self.alliance.run(
            notices.impacts(self.alliance.parts, self.provider.caller, (V2.id, V2.version), None)
        )
        (impact,) = found.impacts
        return impact

    def notice(self, days: int = 40, **changes: Any) -> Deprecation:
        """Write the notice."""
        now = self.alliance.clock.now()
        values: dict[str, Any] = {
            "provider": self.provider.id,
            "contract": V1.ref(),
            "successor": V2.ref(),
            "impact": self.impact().users_digest(),
            "why": "the temperature is given in kelvins",
            "ends_at": now + timedelta(days=days),
            "at": now,
        }
        return Deprecation(**{**values, **changes})

    def give(self, notice: Deprecation) -> DeprecationView:
        """Hand the notice in."""
        envelope = sign_statement(notice, self.provider.key).text
        return self.alliance.run(notices.deprecate(self.alliance.parts, self.provider.caller, envelope))

    def answer(self, view: DeprecationView, by: Participant | None = None, **changes: Any) -> DeprecationView:
        """Acknowledge a notice as its subscriber, or as somebody else."""
        who = by or self.consumer
        notice = peek_statement(view.envelope, Deprecation).statement
        values: dict[str, Any] = {
            "consumer": who.id,
            "provider": notice.provider,
            "deprecation": view.deprecation,
            "contract": notice.contract,
            "successor": notice.successor,
            "at": self.alliance.clock.now(),
        }
        envelope = sign_statement(Acknowledgement(**{**values, **changes}), who.key).text
        return self.alliance.run(notices.acknowledge(self.alliance.parts, who.caller, envelope))

    def move(self, ref: ContractRef = V2.ref(), number: int = 2) -> DatasetRecord:  # noqa: B008 - frozen
        """Declare the dataset under another contract."""
        record = record_under(self.alliance, self.provider, ref, number=number)
        envelope = sign_statement(record, self.provider.key).text
        self.alliance.run(catalog.register_dataset(self.alliance.parts, self.provider.caller, envelope))
        return record


def record_under(
    alliance: Alliance, provider: Participant, ref: ContractRef, number: int = 1, dataset: str = DATASET
) -> DatasetRecord:
    """Write a record of which one purpose sees three fields."""
    seen = [PurposeFields(purpose="joint-control", fields=SEEN)]
    return alliance.record(provider, dataset, contract=ref, number=number, purpose_fields=seen)


@pytest.fixture
def step(alliance: Alliance) -> Step:
    """Give a provider with one subscriber, and both versions registered."""
    provider, consumer = alliance.join(), alliance.join()
    for each in (V1, V2):
        register(alliance, provider, each)
    record = record_under(alliance, provider, V1.ref())
    envelope = sign_statement(record, provider.key).text
    alliance.run(catalog.register_dataset(alliance.parts, provider.caller, envelope))
    until = alliance.clock.now() + timedelta(days=300)
    alliance.subscribe(consumer, alliance.apply(consumer, until=until).agreement)
    return Step(alliance, provider, consumer)


def test_the_impact_names_subscribers_and_the_fields_that_lose(step: Step) -> None:
    """Of the three fields that the purpose sees, the temperature loses something."""
    impact = step.impact()

    (user,) = impact.users
    assert (impact.contract, impact.successor) == (V1.ref(), V2.ref())
    assert (impact.verdict, impact.bump, impact.datasets) == ("incompatible", "major", [DATASET])
    assert (user.consumer, user.purpose) == (step.consumer.id, "joint-control")
    assert (user.fields, user.touched) == (SEEN, ["temperature"])
    assert not user.acknowledged


def test_the_impact_is_of_the_callers_own_datasets(step: Step) -> None:
    """Another participant learns nothing of who subscribes to this provider."""
    parts, other = step.alliance.parts, step.alliance.join()
    own = step.alliance.run(notices.impacts(parts, other.caller, (V2.id, V2.version), None))
    named = step.alliance.run(notices.impacts(parts, other.caller, (V2.id, V2.version), (V1.id, V1.version)))

    assert own.impacts == []
    assert [(impact.datasets, impact.users) for impact in named.impacts] == [([], [])]


def test_without_notice_a_subscribed_dataset_does_not_move(step: Step) -> None:
    """The refusal names who would be surprised."""
    with pytest.raises(model.NoticeMissing) as caught:
        step.move()

    assert caught.value.facts["waiting"] == [step.consumer.id]


def test_a_notice_is_logged_and_told_to_the_alliance(step: Step) -> None:
    """Its entry names both versions and its end; the event names no user."""
    notice = step.notice()
    view = step.give(notice)
    again = step.give(notice)

    (entry,) = step.alliance.entries(EntryKind.CONTRACT_DEPRECATE)
    assert entry.fields["ctr"] == "town-air@1.0.0"
    assert entry.fields["suc"] == "town-air@2.0.0"
    assert entry.fields["until"] == epoch_ms(notice.ends_at)
    assert again == view
    assert (view.acknowledged, view.waiting) == ([], [step.consumer.id])
    events = [
        peek_statement(envelope, SecurityEvent).statement
        for envelope in incidents.events(step.alliance.parts, 0).events
    ]
    (told,) = [event for event in events if event.event_class == CONTRACT_DEPRECATED]
    assert told.facts["deprecation"] == view.deprecation
    assert step.consumer.id not in told.canonical().decode()


def test_while_the_notice_runs_the_dataset_waits(step: Step) -> None:
    """Until its end or every answer, the dataset stays where it is; at its end it moves."""
    step.give(step.notice(days=40))
    step.alliance.clock.advance(39 * DAY)
    with pytest.raises(model.NoticeRunning) as caught:
        step.move()
    assert caught.value.facts["waiting"] == [step.consumer.id]

    step.alliance.clock.advance(DAY + 1)
    step.move()

    entry = catalog.dataset_entry(step.alliance.parts, DATASET)
    assert peek_statement(entry.record_envelope, DatasetRecord).statement.contract == V2.ref()


def test_when_everybody_agrees_the_dataset_moves_at_once(step: Step) -> None:
    """Each answer is logged once; with the last of them the window is over."""
    view = step.give(step.notice())
    first, answered = (step.answer(view) for _ in range(2))
    step.move()

    (entry,) = step.alliance.entries(EntryKind.CONTRACT_ACKNOWLEDGE)
    assert (entry.fields["part"], entry.fields["dep"]) == (step.consumer.id, view.deprecation)
    assert first == answered
    assert (answered.acknowledged, answered.waiting) == ([step.consumer.id], [])


def test_one_answer_does_not_speak_for_another(step: Step) -> None:
    """With two subscribers, one answer opens nothing; who subscribes later is asked as well."""
    view = step.give(step.notice())
    step.answer(view)
    late = step.alliance.join()
    step.alliance.subscribe(late, step.alliance.apply(late).agreement)

    with pytest.raises(model.NoticeRunning) as caught:
        step.move()
    assert caught.value.facts["waiting"] == [late.id]

    step.answer(view, by=late)
    step.move()


def test_who_has_left_is_not_waited_for(step: Step) -> None:
    """A subscriber whose agreement ended is no longer asked."""
    parts = step.alliance.parts
    agreement = agreements.applications(parts, step.consumer.caller)[0].agreement
    assert agreement is not None
    step.alliance.run(agreements.end_agreement(parts, step.consumer.caller, agreement, "no longer needed"))

    step.move()


def test_a_step_that_only_gives_needs_no_notice(step: Step) -> None:
    """Subscribers lose nothing by a minor version, and a notice of it is pointless."""
    minor = version("1.1.0", widen)
    register(step.alliance, step.provider, minor)
    with pytest.raises(model.NoticePointless):
        step.give(step.notice(successor=minor.ref()))

    step.move(minor.ref())


@pytest.mark.parametrize("days", [1, 29, 1200])
def test_a_window_has_its_bounds(step: Step, days: int) -> None:
    """A notice of a day is none, and one of many years binds nobody."""
    with pytest.raises(model.NoticeWindow):
        step.give(step.notice(days=days))


def test_the_provider_signs_for_the_users_of_today(step: Step) -> None:
    """A notice that names the users of yesterday is refused: whoever came since must be seen first."""
    notice = step.notice()
    late = step.alliance.join()
    step.alliance.subscribe(late, step.alliance.apply(late).agreement)

    with pytest.raises(model.ImpactChanged):
        step.give(notice)


HOSTILE: dict[str, tuple[dict[str, Any], type[HeadwatersError]]] = {
    "a version that nobody registered": (
        {"successor": V2.ref().model_copy(update={"version": "3.0.0"})},
        ContractUnknown,
    ),
    "another text of a version": (
        {"contract": V1.ref().model_copy(update={"digest": "sha256:" + "0" * 64})},
        ContractChanged,
    ),
    "somebody else's datasets": ({"provider": "p-" + "a" * 12}, OtherSigner),
}


@pytest.mark.parametrize(("changes", "error"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_notice_about_something_else_is_refused(
    step: Step, changes: dict[str, Any], error: type[HeadwatersError]
) -> None:
    """A notice is about the signer's own datasets and two registered texts."""
    with pytest.raises(error):
        step.give(step.notice(**changes))


def test_only_subscribers_answer_and_only_to_what_stands(step: Step) -> None:
    """A stranger's answer, one to no notice, and one that names another step are refused."""
    view = step.give(step.notice())
    stranger = step.alliance.join()

    with pytest.raises(model.NoticeUnknown):
        step.answer(view, by=stranger)
    with pytest.raises(model.NoticeUnknown):
        step.answer(view, deprecation="sha256:" + "0" * 64)
    with pytest.raises(model.NoticeMismatch):
        step.answer(view, successor=V1.ref())
    with pytest.raises(OtherSigner):
        step.answer(view, consumer=stranger.id)


def test_a_subscriber_sees_itself_alone_in_a_notice(step: Step) -> None:
    """The provider sees all subscribers, each of them only itself, and strangers no notice at all."""
    late = step.alliance.join()
    step.alliance.subscribe(late, step.alliance.apply(late).agreement)
    step.answer(step.give(step.notice()))
    parts, stranger = step.alliance.parts, step.alliance.join()

    def shown(node: Participant) -> list[tuple[list[str], list[str]]]:
        listed = notices.notices(parts, node.caller).deprecations
        return [(view.acknowledged, view.waiting) for view in listed]

    assert shown(step.provider) == [([step.consumer.id], [late.id])]
    assert shown(step.consumer) == [([step.consumer.id], [])]
    assert shown(late) == [([], [late.id])]
    assert shown(stranger) == []


def test_a_new_notice_asks_anew(step: Step) -> None:
    """Answers belong to the notice they name: another one, given later, starts without any."""
    step.answer(step.give(step.notice(days=40)))
    step.alliance.clock.advance(3600)
    step.give(step.notice(days=60))

    with pytest.raises(model.NoticeRunning):
        step.move()


def test_another_contract_is_a_breaking_step(step: Step) -> None:
    """A dataset that moves to a contract of another name leaves its subscribers as surely."""
    twin = version("1.0.0", id="village-air")
    register(step.alliance, step.provider, twin)

    with pytest.raises(model.NoticeMissing):
        step.move(twin.ref())


def test_notices_are_limited(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each notice is logged and told to the whole alliance, so nobody gives them without end."""
    monkeypatch.setattr(model, "MAX_NOTICES_A_DAY", 2)
    given = [step.notice(days) for days in (40, 41, 42)]
    for notice in given[:2]:
        step.give(notice)

    with pytest.raises(model.TooManyNotices):
        step.give(given[2])
    assert step.give(given[0]).deprecation
    step.alliance.clock.advance(DAY)

    assert step.give(given[2]).deprecation
