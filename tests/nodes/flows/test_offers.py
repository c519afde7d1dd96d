"""Offers: a node signs what fits its own words, holds what needs a person, refuses the rest with reasons."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from audit.httpsig import sign_request
from audit.keys.signing import SignatureInvalid, SigningKey
from contracts.errors import Invalid
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Agreement,
    AgreementAnswer,
    AgreementOffer,
    Application,
    ApplicationState,
    BadMessage,
    MemberStatus,
    PurposeFields,
    Sharing,
    Text,
)
from nodes.offers import (
    AlreadyAnswered,
    NothingHeld,
    OfferUnfit,
    answer_offer,
    approve,
    held_applications,
    own_agreements,
    refuse,
)
from nodes.receiving.apply import apply_for
from nodes.signed import Signed, peek_statement, read_statement, sign_statement
from tests.nodes.sharing import DIRECT, World

DIGEST = "sha256:" + "9" * 64
REASONS = [Text(zh="用途不符", en="Not this purpose.")]


def asked(world: World, **changes: Any) -> Signed[Application]:
    """Make an application by the consumer and let it wait at the exchange."""
    world.exchange.offer = None
    view = apply_for(world.consumer, world.request(**changes))
    return peek_statement(view.application_envelope, Application)


def offer(world: World, application: Signed[Application], /, **changes: Any) -> AgreementOffer:
    terms = world.exchange.terms(application, **changes)
    return AgreementOffer(application_envelope=application.text, agreement_payload=terms.canonical().decode())


def test_unconditional_data_is_agreed_at_once(world: World) -> None:
    """Order 809 art. 14: nobody needs to be asked."""
    world.declare()
    made = offer(world, asked(world))

    answer = answer_offer(world.provider, made)

    assert answer.outcome == "signed"
    assert answer.envelope is not None
    signed = read_statement(answer.envelope, Agreement, world.provider.node_key.public)
    assert signed.envelope.payload.decode() == made.agreement_payload


def test_what_was_signed_is_kept(world: World) -> None:
    """The agreement is in the database before the answer leaves, and the same offer gets the same answer."""
    world.declare()
    made = offer(world, asked(world))

    first, second = answer_offer(world.provider, made), answer_offer(world.provider, made)

    assert first == second
    assert [one["role"] for one in own_agreements(world.provider)] == ["provider"]


def test_other_words_under_a_signed_number_are_refused(world: World) -> None:
    """One agreement number, one text."""
    world.declare()
    application = asked(world)
    made = offer(world, application)
    answer_offer(world.provider, made)
    number = Agreement.parse(made.agreement_payload.encode()).agreement

    with pytest.raises(AlreadyAnswered):
        answer_offer(world.provider, offer(world, application, agreement=number, purpose="any-use"))


def test_conditional_data_waits_for_a_person(world: World) -> None:
    """Order 809 art. 15: the provider decides, and until then signs nothing."""
    world.declare(sharing=Sharing.CONDITIONAL)
    application = asked(world)

    assert answer_offer(world.provider, offer(world, application)).outcome == "held"
    assert [row.application for row in held_applications(world.provider)] == [
        application.statement.application
    ]
    assert own_agreements(world.provider) == []


def test_a_person_approves_and_the_exchange_hears(world: World) -> None:
    """After the approval both sides have signed."""
    world.declare(sharing=Sharing.CONDITIONAL)
    name = apply_for(world.consumer, world.request()).application

    view = approve(world.provider, name, "li-wei")

    assert view.state is ApplicationState.AGREED
    assert held_applications(world.provider)[0].person == "li-wei"
    assert approve(world.provider, name, "li-wei").state is ApplicationState.AGREED


def test_a_person_refuses_with_reasons(world: World) -> None:
    """Every refusal names its reasons, and the same offer is answered with them again."""
    world.declare(sharing=Sharing.CONDITIONAL)
    view = apply_for(world.consumer, world.request())

    refused = refuse(world.provider, view.application, REASONS, "li-wei")

    assert refused.state is ApplicationState.REFUSED
    assert refused.reasons == REASONS
    again = AgreementOffer(
        application_envelope=view.application_envelope, agreement_payload=view.agreement_payload or ""
    )
    assert answer_offer(world.provider, again) == AgreementAnswer(outcome="refused", reasons=REASONS)


def test_an_answer_is_not_turned_round(world: World) -> None:
    """What was refused is not approved afterwards, nor the reverse."""
    world.declare(sharing=Sharing.CONDITIONAL)
    first = apply_for(world.consumer, world.request()).application
    second = apply_for(world.consumer, world.request()).application
    refuse(world.provider, first, REASONS, "li-wei")
    approve(world.provider, second, "li-wei")

    with pytest.raises(AlreadyAnswered):
        approve(world.provider, first, "li-wei")
    with pytest.raises(AlreadyAnswered):
        refuse(world.provider, second, REASONS, "li-wei")


def test_a_refusal_without_a_reason_is_none(world: World) -> None:
    """Order 809 art. 20: reasons for every refusal."""
    world.declare(sharing=Sharing.CONDITIONAL)
    name = apply_for(world.consumer, world.request()).application

    with pytest.raises(Invalid, match="at least one reason"):
        refuse(world.provider, name, [], "li-wei")


def test_nothing_is_approved_that_does_not_wait(world: World) -> None:
    """An unknown application is not found."""
    with pytest.raises(NothingHeld):
        approve(world.provider, new_id(Kind.APPLICATION), "li-wei")


def test_an_approval_over_an_older_record_is_refused(world: World) -> None:
    """The record may have changed while the application waited."""
    world.declare(sharing=Sharing.CONDITIONAL)
    name = apply_for(world.consumer, world.request()).application
    world.declare(sharing=Sharing.CONDITIONAL, place="elsewhere")

    with pytest.raises(OfferUnfit):
        approve(world.provider, name, "li-wei")


def reason(answer: AgreementAnswer) -> str:
    assert answer.outcome == "refused"
    assert answer.envelope is None
    return answer.reasons[0].en


def test_data_that_is_not_shared_is_refused(world: World) -> None:
    """The own record has the last word, and the reason is told."""
    world.declare(sharing=Sharing.NOT_SHARED)

    assert "not shared" in reason(answer_offer(world.provider, offer(world, asked(world))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": DIGEST}, "current record"),
        ({"sharing": Sharing.CONDITIONAL}, "sharing class"),
        ({"provider": "p-222222222222"}, "another provider"),
        ({"purpose": "another-use"}, "application"),
        ({"application": DIGEST}, "application"),
        ({"dataset": "another-set"}, "current record"),
    ],
)
def test_terms_that_do_not_fit_the_own_record_are_refused(
    world: World, changes: dict[str, Any], words: str
) -> None:
    """As provider a node signs only what its own record and the consumer's application say."""
    world.declare()

    assert words in reason(answer_offer(world.provider, offer(world, asked(world), **changes)))


def test_a_purpose_that_is_not_offered_is_refused(world: World) -> None:
    """A record may name the purposes it is for."""
    fields = [PurposeFields(purpose="research", fields=["ph"])]
    world.declare(purposes=["research"], purpose_fields=fields)

    assert "purpose" in reason(answer_offer(world.provider, offer(world, asked(world))))


def test_terms_beyond_the_application_are_refused(world: World) -> None:
    """Nobody gets more time than they asked for."""
    world.declare()
    application = asked(world)
    longer = application.statement.until + timedelta(days=1)

    assert "term" in reason(answer_offer(world.provider, offer(world, application, expires_at=longer)))
    assert "term" in reason(answer_offer(world.consumer, offer(world, application, expires_at=longer)))


STOPPED = [MemberStatus.SUSPENDED, MemberStatus.QUARANTINED]


@pytest.mark.parametrize("status", STOPPED)
def test_a_stopped_consumer_gets_no_agreement(world: World, status: MemberStatus) -> None:
    """The directory says who may take part."""
    world.declare()
    application = asked(world)
    member = world.exchange.members[world.consumer.participant]
    world.exchange.set_member(member.model_copy(update={"status": status}))
    world.provider.trust.refresh_directory()

    assert "active" in reason(answer_offer(world.provider, offer(world, application)))


@pytest.mark.parametrize("status", STOPPED)
def test_nothing_is_signed_with_a_stopped_provider(world: World, status: MemberStatus) -> None:
    """A consumer too looks into the directory before it signs."""
    world.declare()
    application = asked(world)
    member = world.exchange.members[world.provider.participant]
    world.exchange.set_member(member.model_copy(update={"status": status}))
    world.consumer.trust.refresh_directory()

    assert "active" in reason(answer_offer(world.consumer, offer(world, application)))


def test_an_application_that_the_consumer_did_not_sign_is_refused(world: World) -> None:
    """The exchange cannot apply in a consumer's name."""
    world.declare()
    forged = sign_statement(asked(world).statement, world.exchange.statement_key)

    with pytest.raises(SignatureInvalid):
        answer_offer(world.provider, offer(world, forged))


def test_a_consumer_signs_only_its_own_application(world: World) -> None:
    """Terms for something this node never asked for are refused."""
    world.declare()
    application = asked(world)
    other = application.statement.model_copy(update={"application": new_id(Kind.APPLICATION)})
    made_up = sign_statement(other, world.consumer.node_key)

    assert "no such application" in reason(answer_offer(world.consumer, offer(world, made_up)))


@pytest.mark.parametrize("changes", [{"purpose": "another-use"}, {"dataset": "another-set"}])
def test_a_consumer_signs_no_other_use(world: World, changes: dict[str, Any]) -> None:
    """Purpose and dataset are those of the application."""
    world.declare()

    assert "differ" in reason(answer_offer(world.consumer, offer(world, asked(world), **changes)))


def test_only_the_exchange_may_offer(world: World) -> None:
    """POST /offers is signed by the pinned statement key."""
    world.declare()
    made = offer(world, asked(world))

    assert post(world, made, world.exchange.statement_key).json()["outcome"] == "signed"
    assert post(world, made, SigningKey.generate()).json()["code"] == "request-signature-invalid"


def post(world: World, made: AgreementOffer, key: SigningKey) -> httpx.Response:
    body = made.canonical()
    headers = sign_request("POST", f"{DIRECT}/offers", body, key=key, keyid="exchange", clock=world.clock)
    with world.client() as client:
        client.auth = httpx.Auth()
        return client.post("/offers", content=body, headers=headers)


def test_terms_in_another_spelling_are_refused(world: World) -> None:
    """What is signed has one spelling."""
    world.declare()
    made = offer(world, asked(world))
    spaced = made.model_copy(update={"agreement_payload": made.agreement_payload.replace(":", ": ", 1)})

    with pytest.raises(BadMessage, match="canonical"):
        answer_offer(world.provider, spaced)
