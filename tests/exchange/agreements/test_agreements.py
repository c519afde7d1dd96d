"""Applications and agreements: the policy first, then two signatures over one payload, then an entry."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audit.formats.dsse import parse_envelope
from audit.keys.signing import SignatureInvalid
from audit.log.entry import EntryKind
from contracts.errors import Refused
from contracts.messages import (
    Agreement,
    AgreementAnswer,
    ApplicationState,
    MemberStatus,
    Sharing,
    Text,
)
from exchange.agreements import flow, model, store
from exchange.agreements.decide import FactsChanged
from exchange.catalog import flow as catalog
from exchange.catalog.model import DatasetUnknown
from exchange.evidence import OtherSigner
from exchange.members.store import current_revocations
from nodes.signed import sign_statement
from tests.exchange.meddling import Meddler, codes, once, with_policy
from tests.exchange.signers import Manner, Participant
from tests.exchange.trading import CONTRACT, Alliance, Trade


@pytest.fixture
def provider(alliance: Alliance) -> Participant:
    """Give a provider with one dataset."""
    node = alliance.join()
    alliance.declare(node)
    return node


@pytest.fixture
def consumer(alliance: Alliance) -> Participant:
    """Give a consumer."""
    return alliance.join()


def test_agreed_at_once(alliance: Alliance, provider: Participant, consumer: Participant) -> None:
    """When both nodes sign, one call leads to an agreement under both signatures, logged in order."""
    view = alliance.apply(consumer)

    assert view.state is ApplicationState.AGREED
    envelope = parse_envelope((view.agreement_envelope or "").encode())
    keys = {node.key.key_id: node.key.public for node in (provider, consumer)}
    assert envelope.verified_by(keys, keys.keys()) == keys.keys()
    terms = Agreement.parse(envelope.payload)
    assert (terms.provider, terms.consumer) == (provider.id, consumer.id)
    kinds = [entry.kind for entry in alliance.entries()][-2:]
    assert kinds == [EntryKind.APPLICATION_OPEN, EntryKind.AGREEMENT]
    assert alliance.entries(EntryKind.AGREEMENT)[0].fields["dig"] == terms.content_digest()


def test_application_may_come_again(alliance: Alliance, provider: Participant, consumer: Participant) -> None:
    """The same envelope again gives the application as it stands; its id takes no other content."""
    application = alliance.application(consumer)
    envelope = sign_statement(application, consumer.key).text
    changed = application.model_copy(update={"scope": "everything"})

    first = alliance.run(flow.apply(alliance.parts, consumer.caller, envelope))

    assert alliance.run(flow.apply(alliance.parts, consumer.caller, envelope)) == first
    assert len(alliance.entries(EntryKind.APPLICATION_OPEN)) == 1
    with pytest.raises(model.ApplicationTaken):
        alliance.run(flow.apply(alliance.parts, consumer.caller, sign_statement(changed, consumer.key).text))


def test_application_is_signed_by_its_consumer(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """An application under a foreign key, or in another's name, is refused without a trace."""
    other = alliance.join()
    envelope = sign_statement(alliance.application(consumer), other.key).text

    with pytest.raises(SignatureInvalid):
        alliance.run(flow.apply(alliance.parts, consumer.caller, envelope))
    with pytest.raises(OtherSigner):
        alliance.run(flow.apply(alliance.parts, other.caller, envelope))

    assert alliance.entries(EntryKind.APPLICATION_OPEN) == []
    assert alliance.entries(EntryKind.DENY) == []


def test_application_needs_a_dataset_of_someone_else(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """Nobody can apply for what does not exist, or for its own dataset."""
    with pytest.raises(DatasetUnknown):
        alliance.apply(consumer, "nothing-here")
    with pytest.raises(model.OwnDataset):
        alliance.apply(provider)


@pytest.mark.parametrize(
    ("record", "application", "code"),
    [
        ({"sharing": Sharing.NOT_SHARED}, {}, "dataset-not-shared"),
        ({}, {"purpose": "curiosity"}, "purpose-not-offered"),
        ({}, {"until": -1}, "application-time-past"),
    ],
)
def test_denied_application_is_logged_before_the_answer(
    alliance: Alliance,
    consumer: Participant,
    record: dict[str, Any],
    application: dict[str, Any],
    code: str,
) -> None:
    """What the policy denies is a durable deny entry; the answer gives the reasons in both languages."""
    alliance.declare(alliance.join(), **record)
    if "until" in application:
        application = {"until": alliance.clock.now() - timedelta(days=1)}

    with pytest.raises(Refused) as refusal:
        alliance.apply(consumer, **application)

    (entry,) = alliance.entries(EntryKind.DENY)
    assert (entry.fields["act"], entry.fields["cons"]) == ("apply", consumer.id)
    assert codes(entry) == [code]
    reasons = refusal.value.facts["reasons"]
    assert isinstance(reasons, list)
    (reason,) = reasons
    assert reason.startswith(f"{code}: ")
    assert " / " in reason
    assert alliance.entries(EntryKind.APPLICATION_OPEN) == []


def test_silent_policy_refuses(alliance: Alliance, provider: Participant, consumer: Participant) -> None:
    """A policy engine that is down refuses, and the refusal is on record like any other."""
    alliance.parts.policy.close()

    with pytest.raises(Refused):
        alliance.apply(consumer)

    assert codes(alliance.entries(EntryKind.DENY)[0]) == ["pdp.closed"]


def test_held_application_waits_for_a_person(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """A hold waits, no sweep asks again, and the person's signature leads to the agreement."""
    provider.manner = "hold"
    view = alliance.apply(consumer)
    alliance.run(flow.resume_waiting(alliance.parts))
    assert (view.state, len(provider.offers)) == (ApplicationState.WAITING, 1)

    provider.manner = "sign"
    answer = provider.answer(provider.offers[0])
    after = alliance.run(flow.answer(alliance.parts, provider.caller, view.application, answer))

    assert after.state is ApplicationState.AGREED
    again = alliance.run(flow.answer(alliance.parts, provider.caller, view.application, answer))
    assert again == after
    assert len(alliance.entries(EntryKind.AGREEMENT)) == 1


@pytest.mark.parametrize("silent", ["provider", "consumer"])
def test_silent_node_is_asked_again(
    alliance: Alliance, provider: Participant, consumer: Participant, silent: str
) -> None:
    """A node that is away leaves the application waiting; the sweep finishes it when the node is back."""
    away = provider if silent == "provider" else consumer
    away.manner = "silent"
    view = alliance.apply(consumer)
    alliance.run(flow.resume_waiting(alliance.parts))
    assert flow.application(alliance.parts, consumer.caller, view.application).state == "waiting"

    away.manner = "sign"
    alliance.run(flow.resume_waiting(alliance.parts))

    assert flow.application(alliance.parts, consumer.caller, view.application).state == "agreed"


def test_suspended_party_is_not_asked(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """While a side is suspended its application waits."""
    provider.manner = "silent"
    alliance.apply(consumer)
    provider.manner = "sign"
    alliance.set_status(provider, MemberStatus.SUSPENDED)

    alliance.run(flow.resume_waiting(alliance.parts))

    assert provider.offers == []
    assert alliance.entries(EntryKind.AGREEMENT) == []


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_refusal_of_a_side_is_on_record(
    alliance: Alliance, provider: Participant, consumer: Participant, side: str
) -> None:
    """A side that refuses settles the application with its reasons and a deny entry, act answer."""
    (provider if side == "provider" else consumer).manner = "refuse"

    view = alliance.apply(consumer)

    (entry,) = alliance.entries(EntryKind.DENY)
    assert view.state is ApplicationState.REFUSED
    assert view.reasons == [Text(zh="不同意", en="no")]
    assert (entry.fields["act"], entry.fields["cons"]) == ("answer", consumer.id)
    assert codes(entry) == [f"refused-by-{side}"]


def test_refusal_without_reason_says_so(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """Where a person gave no reason, the application says so; a refusal may come again, and is final."""
    provider.manner = "hold"
    view = alliance.apply(consumer)
    answer = AgreementAnswer(outcome="refused")

    after = alliance.run(flow.answer(alliance.parts, provider.caller, view.application, answer))

    assert after.reasons == [model.NO_REASON]
    assert alliance.run(flow.answer(alliance.parts, provider.caller, view.application, answer)) == after
    with pytest.raises(model.NotYourTurn):
        alliance.run(
            flow.answer(
                alliance.parts,
                provider.caller,
                view.application,
                replace(provider, manner="sign").answer(provider.offers[0]),
            )
        )


@pytest.mark.parametrize("manner", ["other-terms", "forge", "nonsense"])
@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_worthless_signature_leads_nowhere(
    alliance: Alliance,
    provider: Participant,
    consumer: Participant,
    manner: Manner,
    side: str,
) -> None:
    """A signature over other terms or by another key, or no answer at all, concludes nothing."""
    (provider if side == "provider" else consumer).manner = manner

    view = alliance.apply(consumer)

    assert view.state is ApplicationState.WAITING
    assert alliance.entries(EntryKind.AGREEMENT) == []


def test_answer_comes_from_whose_turn_it_is(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """Only the side that was asked may answer, with its own signature over the offered terms."""
    provider.manner = "hold"
    stranger = alliance.join()
    name = alliance.apply(consumer).application
    provider.manner = "sign"
    good = provider.answer(provider.offers[0])
    provider.manner = "other-terms"
    other = provider.answer(provider.offers[0])

    def send(node: Participant, answer: AgreementAnswer) -> None:
        alliance.run(flow.answer(alliance.parts, node.caller, name, answer))

    with pytest.raises(model.ApplicationUnknown):
        send(stranger, good)
    with pytest.raises(model.NotYourTurn):
        send(consumer, good)
    with pytest.raises(model.OtherTerms):
        send(provider, other)
    with pytest.raises(model.AnswerIncomplete):
        send(provider, AgreementAnswer(outcome="signed"))
    assert flow.application(alliance.parts, consumer.caller, name).state == "waiting"


def test_record_that_changes_meanwhile_refuses(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """An agreement is never concluded over a dataset record that is no longer in force."""
    provider.manner = "hold"
    name = alliance.apply(consumer).application
    provider.manner = "sign"
    record = alliance.record(provider, number=2)
    alliance.run(
        catalog.register_dataset(alliance.parts, provider.caller, sign_statement(record, provider.key).text)
    )

    view = alliance.run(
        flow.answer(alliance.parts, provider.caller, name, provider.answer(provider.offers[0]))
    )

    assert (view.state, view.reasons) == (ApplicationState.REFUSED, [model.RECORD_CHANGED])


def test_applications_are_shown_to_their_sides_only(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """Consumer and provider see an application, nobody else does."""
    name = alliance.apply(consumer).application
    stranger = alliance.join()

    listed = [len(flow.applications(alliance.parts, n.caller)) for n in (provider, consumer, stranger)]

    assert listed == [1, 1, 0]
    with pytest.raises(model.ApplicationUnknown):
        flow.application(alliance.parts, stranger.caller, name)


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_either_side_may_end_an_agreement(trade: Trade, side: str) -> None:
    """The end of an agreement is logged and on the revocation list, once; strangers cannot end it."""
    alliance, agreement = trade.alliance, trade.agreement
    node = trade.provider if side == "provider" else trade.consumer
    with pytest.raises(model.AgreementUnknown):
        alliance.run(flow.end_agreement(alliance.parts, alliance.join().caller, agreement, "because"))

    for _ in range(2):
        alliance.run(flow.end_agreement(alliance.parts, node.caller, agreement, "no longer needed"))

    (entry,) = alliance.entries(EntryKind.AGREEMENT_END)
    assert dict(entry.fields) == {"agr": agreement, "why": f"ended-by-{side}"}
    with alliance.parts.database.read() as session:
        ended = store.find_agreement(session, agreement)
        assert ended is not None
        assert ended.state == "ended"
        assert current_revocations(session)["agreement"] == [agreement]


def test_facts_that_change_once_are_decided_again(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """A decision over facts that changed before the commit is not acted on; it is made again."""
    suspend = once(lambda: alliance.set_status(provider, MemberStatus.SUSPENDED))
    meddler = Meddler(alliance.parts.policy, suspend)
    alliance.parts = with_policy(alliance.parts, meddler)

    with pytest.raises(Refused):
        alliance.apply(consumer)

    assert meddler.asked == 2
    assert alliance.entries(EntryKind.APPLICATION_OPEN) == []
    assert codes(alliance.entries(EntryKind.DENY)[0]) == ["provider-not-active"]


def test_facts_that_keep_changing_are_given_up(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """After three decisions over changing facts the caller is told, and nothing is on record."""
    number = iter(range(2, 10))

    def meddle() -> None:
        n = next(number)
        record = alliance.record(provider, number=n, sharing_basis=f"basis {n}")
        envelope = sign_statement(record, provider.key)
        alliance.parts.log.commit_blocking(lambda unit: catalog._declare(unit, envelope, CONTRACT, None))

    meddler = Meddler(alliance.parts.policy, meddle)
    alliance.parts = with_policy(alliance.parts, meddler)

    with pytest.raises(FactsChanged):
        alliance.apply(consumer)

    assert meddler.asked == 3
    assert alliance.entries(EntryKind.APPLICATION_OPEN) == []


def test_decision_that_is_too_old_is_made_again(
    alliance: Alliance, provider: Participant, consumer: Participant
) -> None:
    """A decision past its validity is not acted on, even over the same facts."""
    meddler = Meddler(alliance.parts.policy, once(lambda: alliance.clock.advance(6)))
    alliance.parts = with_policy(alliance.parts, meddler)

    view = alliance.apply(consumer)

    assert (meddler.asked, view.state) == (2, ApplicationState.AGREED)
