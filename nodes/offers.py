"""Offers of usage terms: what this node signs at once, what waits for a person, and what it refuses.

The exchange writes the terms and asks both sides to sign the same bytes. As consumer a node signs only what
fits an application of its own; as provider only what fits its own current record: unconditional data at once,
conditional data after a person has agreed, or at once where the record opted in to a declared emergency and
the terms end with it. What is signed is stored before it is sent.
"""

from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter
from sqlmodel import col, select

from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import Conflict, Invalid, NotFound, Refused
from contracts.messages import (
    Agreement,
    AgreementAnswer,
    AgreementOffer,
    Application,
    ApplicationView,
    BadMessage,
    DatasetRecord,
    MemberStatus,
    ReceiptRole,
    Sharing,
    Text,
)
from nodes.callers import FromExchange, TheNode
from nodes.emergencies import fresh_emergency, is_waived
from nodes.granted import MAX_SKEW
from nodes.node import Node
from nodes.publishing.datasets import latest_record
from nodes.sharing_tables import AgreementRow, HeldApplicationRow, OwnApplicationRow
from nodes.signed import Signed, peek_statement, sign_again, sign_statement

HELD, APPROVED, REFUSED = "held", "approved", "refused"
PROVIDER, CONSUMER = ReceiptRole.PROVIDER.value, ReceiptRole.CONSUMER.value

router = APIRouter()

log = structlog.get_logger(__name__)


class OfferUnfit(Refused):
    """The terms do not fit what this side asked for, or offers."""

    code = "offer-unfit"
    title_zh = "协议条款与申请或登记不符"
    next_zh = "按 reasons 核对后重新申请。"
    next_en = "Compare as the reasons say, then apply again."

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(zh=zh, en=en)


class NothingHeld(NotFound):
    """No application of this number waits for a person here."""

    code = "nothing-held"
    title_zh = "没有等待人工答复的该申请"
    next_zh = "用 headwaters agreement list 查看等待中的申请。"
    next_en = "headwaters agreement list shows what waits."


class AlreadyAnswered(Conflict):
    """The application was answered before, and differently."""

    code = "already-answered"
    title_zh = "该申请已作出不同的答复"


@router.post("/offers")
def post_offer(call: FromExchange, node: TheNode) -> dict[str, Any]:
    """Answer terms that the exchange offers for signature."""
    return answer_offer(node, AgreementOffer.parse(call.body)).model_dump(mode="json")


def answer_offer(node: Node, offer: AgreementOffer) -> AgreementAnswer:
    """Sign, hold or refuse; the same offer again gets the same answer."""
    terms = _terms(offer)
    application = peek_statement(offer.application_envelope, Application)
    signed = _signed_before(node, terms)
    if signed is not None:
        return AgreementAnswer(outcome="signed", envelope=signed)
    try:
        if terms.consumer == node.participant:
            return _answer_as_consumer(node, terms, application)
        return _answer_as_provider(node, terms, offer)
    except OfferUnfit as unfit:
        return AgreementAnswer(outcome="refused", reasons=[unfit.text])


def approve(node: Node, application: str, person: str) -> ApplicationView:
    """Sign a held application in a person's name and tell the exchange; again sends the same bytes.

    Raises NothingHeld, AlreadyAnswered, or OfferUnfit when the terms no longer fit the current record.
    """
    row = _held(node, application)
    if row.state == REFUSED:
        raise AlreadyAnswered(f"{application} was refused")
    offer = AgreementOffer(
        application_envelope=row.application_envelope, agreement_payload=row.agreement_payload
    )
    terms = _terms(offer)
    envelope = _signed_before(node, terms)
    if envelope is None:
        _check_as_provider(node, terms, offer.application_envelope)
        envelope = _sign(node, terms, PROVIDER)
    answer = AgreementAnswer(outcome="signed", envelope=envelope)
    return _answered(node, application, APPROVED, answer, person)


def refuse(node: Node, application: str, reasons: list[Text], person: str) -> ApplicationView:
    """Refuse a held application with reasons and tell the exchange; raise NothingHeld or AlreadyAnswered."""
    row = _held(node, application)
    if row.state == APPROVED:
        raise AlreadyAnswered(f"{application} was approved")
    if not reasons:
        raise Invalid("a refusal names at least one reason")
    answer = AgreementAnswer(outcome="refused", reasons=reasons)
    return _answered(node, application, REFUSED, answer, person)


def held_applications(node: Node) -> list[HeldApplicationRow]:
    """List what was held for a person, newest first."""
    with node.database.read() as session:
        return list(session.exec(select(HeldApplicationRow).order_by(col(HeldApplicationRow.at).desc())))


def own_agreements(node: Node) -> list[dict[str, Any]]:
    """List the agreements that this node signed, newest first."""
    with node.database.read() as session:
        rows = list(session.exec(select(AgreementRow).order_by(col(AgreementRow.at).desc())))
    return [_agreement_fields(row) for row in rows]


def _agreement_fields(row: AgreementRow) -> dict[str, Any]:
    terms = peek_statement(row.envelope, Agreement).statement
    return {
        "agreement": row.agreement,
        "digest": row.digest,
        "role": row.role,
        "dataset": row.dataset,
        "purpose": terms.purpose,
        "provider": terms.provider,
        "consumer": terms.consumer,
        "sharing": terms.sharing.value,
        "expires_at": rfc3339(from_epoch_ms(row.expires_at)),
    }


def _answer_as_consumer(node: Node, terms: Agreement, application: Signed[Application]) -> AgreementAnswer:
    with node.database.read() as session:
        row = session.get(OwnApplicationRow, application.statement.application)
    if row is None or row.digest != application.digest or terms.application != row.digest:
        raise OfferUnfit("本节点没有提出该申请", "this node made no such application")
    own = node.trust.own_statement(row.envelope, Application, node.node_key.public).statement
    if own.consumer != terms.consumer or own.dataset != terms.dataset or own.purpose != terms.purpose:
        raise OfferUnfit("协议的数据集或用途与申请不同", "dataset or purpose differ from the application")
    if terms.provider == node.participant:
        raise OfferUnfit("协议双方是同一参与方", "provider and consumer are the same participant")
    if node.trust.member(terms.provider).status is not MemberStatus.ACTIVE:
        raise OfferUnfit("提供方不是有效的参与方", "the provider is no active participant")
    _check_term(terms, own.until, node.clock.now())
    return AgreementAnswer(outcome="signed", envelope=_sign(node, terms, CONSUMER))


def _answer_as_provider(node: Node, terms: Agreement, offer: AgreementOffer) -> AgreementAnswer:
    record = _check_as_provider(node, terms, offer.application_envelope)
    match record.sharing:
        case Sharing.UNCONDITIONAL:
            return AgreementAnswer(outcome="signed", envelope=_sign(node, terms, PROVIDER))
        case Sharing.CONDITIONAL if _is_for_emergency(node, terms, record, offer):
            log.info("emergency_agreement_signed", agreement=terms.agreement, consumer=terms.consumer)
            return AgreementAnswer(outcome="signed", envelope=_sign(node, terms, PROVIDER))
        case Sharing.CONDITIONAL:
            return _hold(node, offer)
        case Sharing.NOT_SHARED:
            raise OfferUnfit("该数据集不予共享", "the dataset is not shared")


def _is_for_emergency(node: Node, terms: Agreement, record: DatasetRecord, offer: AgreementOffer) -> bool:
    """Say whether terms need no person: the record opted in, and they end with an emergency that is known.

    Only government is let in at once; whoever else applies waits for a person, and an application that a
    person was asked about before stays with that person.
    """
    if not is_waived(record, terms.purpose, node.trust.member(terms.consumer)):
        return False
    name = peek_statement(offer.application_envelope, Application).statement.application
    with node.database.read() as session:
        if session.get(HeldApplicationRow, name) is not None:
            return False
    # What raises here is asked again in a moment: nothing is signed in silence, and nobody is bothered by it.
    known = fresh_emergency(node, record)
    return known is not None and terms.expires_at <= known.until


def _check_as_provider(node: Node, terms: Agreement, application_envelope: str) -> DatasetRecord:
    if terms.provider != node.participant:
        raise OfferUnfit("协议的提供方不是本节点", "the terms name another provider")
    record = latest_record(node, terms.dataset)
    if record is None or record.digest != terms.record:
        raise OfferUnfit("协议所指不是本节点的现行登记", "the terms are not about this node's current record")
    statement = record.statement
    if statement.sharing is not terms.sharing:
        raise OfferUnfit("共享类型与登记不同", "the sharing class differs from the record")
    if statement.sharing is Sharing.NOT_SHARED:
        raise OfferUnfit("该数据集不予共享", "the dataset is not shared")
    if statement.purposes and terms.purpose not in statement.purposes:
        raise OfferUnfit("登记未提供该用途", "the record does not offer this purpose")
    member = node.trust.member(terms.consumer)
    if member.status is not MemberStatus.ACTIVE or terms.consumer == node.participant:
        raise OfferUnfit("使用方不是有效的其他参与方", "the consumer is no other active participant")
    application = node.trust.participant_statement(
        application_envelope, Application, terms.consumer
    ).statement
    asked = (application.consumer, application.dataset, application.purpose, application.content_digest())
    if asked != (terms.consumer, terms.dataset, terms.purpose, terms.application):
        raise OfferUnfit("协议与使用方的申请不同", "the terms differ from the consumer's application")
    _check_term(terms, application.until, node.clock.now())
    return statement


def _check_term(terms: Agreement, until: datetime, now: datetime) -> None:
    if terms.expires_at > until or terms.expires_at <= now or terms.not_before > now + MAX_SKEW:
        raise OfferUnfit("协议期限超出申请", "the term goes beyond the application, or is over")


def _terms(offer: AgreementOffer) -> Agreement:
    terms = Agreement.parse(offer.agreement_payload.encode())
    if terms.canonical() != offer.agreement_payload.encode():
        raise BadMessage("the terms are not in their canonical spelling")
    return terms


def _signed_before(node: Node, terms: Agreement) -> str | None:
    """Give the envelope when these very terms were signed; refuse other words under a number in use."""
    with node.database.read() as session:
        row = session.get(AgreementRow, terms.agreement)
    if row is None:
        return None
    if row.digest != terms.content_digest():
        raise AlreadyAnswered(f"{terms.agreement} was signed with other words")
    return sign_again(row.envelope, Agreement, node.node_key)


def _sign(node: Node, terms: Agreement, role: str) -> str:
    signed = sign_statement(terms, node.node_key)
    row = AgreementRow(
        agreement=terms.agreement,
        digest=signed.digest,
        role=role,
        dataset=terms.dataset,
        envelope=signed.text,
        expires_at=epoch_ms(terms.expires_at),
        at=epoch_ms(node.clock.now()),
    )
    with node.database.transaction() as session:
        session.merge(row)
    return signed.text


def _hold(node: Node, offer: AgreementOffer) -> AgreementAnswer:
    name = peek_statement(offer.application_envelope, Application).statement.application
    with node.database.transaction() as session:
        row = session.get(HeldApplicationRow, name)
        if row is None:
            session.add(
                HeldApplicationRow(
                    application=name,
                    application_envelope=offer.application_envelope,
                    agreement_payload=offer.agreement_payload,
                    state=HELD,
                    at=epoch_ms(node.clock.now()),
                )
            )
            return AgreementAnswer(outcome="held")
        if (row.application_envelope, row.agreement_payload) != (
            offer.application_envelope,
            offer.agreement_payload,
        ):
            raise AlreadyAnswered(f"{name} was offered with other words")
        # A person's answer that never arrived is given again.
        return AgreementAnswer.parse(row.answer.encode()) if row.answer else AgreementAnswer(outcome="held")


def _held(node: Node, application: str) -> HeldApplicationRow:
    with node.database.read() as session:
        row = session.get(HeldApplicationRow, application)
    if row is None:
        raise NothingHeld(f"{application} does not wait here")
    return row


def _answered(
    node: Node, application: str, state: str, answer: AgreementAnswer, person: str
) -> ApplicationView:
    with node.database.transaction() as session:
        row = session.get(HeldApplicationRow, application)
        if row is not None:
            row.state, row.answer, row.person = state, answer.canonical().decode(), person
            session.add(row)
    return node.broker.answer_application(application, answer)
