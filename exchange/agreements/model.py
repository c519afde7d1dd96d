"""The rules of applications and agreements: whose turn it is, which terms are signed, what ends them.

    PROVIDER ── signed ──▶ CONSUMER ── signed ──▶ AGREED
        └──────── refused ──┴──▶ REFUSED           (held: the same turn, until a person answers)

Pure. The exchange writes the terms once; both sides sign those bytes and no others.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from audit.formats.dsse import Envelope, parse_envelope
from audit.keys.signing import PublicKey
from contracts.clock import from_epoch_ms
from contracts.errors import Conflict, Invalid, NotFound, TooMany, Unavailable
from contracts.messages import Agreement, AgreementAnswer, Application, ApplicationState, DatasetRecord, Text
from nodes.signed import Signed

# Of one consumer: each is an entry, and is offered again and again.
MAX_OPEN_APPLICATIONS = 100
MAX_APPLICATIONS_A_MINUTE = 60
MINUTE = timedelta(minutes=1)

Outcome = Literal["signed", "held", "refused"]


class Turn(StrEnum):
    """Whose answer an application waits for, or how it was settled."""

    PROVIDER = "provider"
    CONSUMER = "consumer"
    AGREED = "agreed"
    REFUSED = "refused"


class AgreementState(StrEnum):
    """Where an agreement stands; that it has expired follows from its terms."""

    ACTIVE = "active"
    ENDED = "ended"


class ApplicationUnknown(NotFound):
    """There is no such application for this participant."""

    code = "application-unknown"
    title_zh = "没有该共享申请,或与本方无关"


class ApplicationTaken(Conflict):
    """The application id is on record with other content."""

    code = "application-taken"
    title_zh = "该申请编号已被占用"
    next_zh = "用新的编号重新签署申请。"
    next_en = "Sign the application again under a new id."


class TooManyApplications(TooMany):
    """This participant has too many applications open, or made too many within a minute."""

    code = "too-many-applications"
    title_zh = "未办结的共享申请过多"
    next_zh = "等待已提交的申请办结后再申请。"
    next_en = "Wait until applications that are open have been settled, then apply again."


class OwnDataset(Conflict):
    """A provider does not apply for its own dataset."""

    code = "own-dataset"
    title_zh = "不能申请使用本方的数据集"


class NotYourTurn(Conflict):
    """The application does not wait for an answer of this participant."""

    code = "not-your-turn"
    title_zh = "该申请当前不等待本方答复"


class OtherTerms(Conflict):
    """The signature is over other terms than the exchange wrote."""

    code = "other-terms"
    title_zh = "签署的条款与交换中心拟定的不一致"
    next_zh = "只签署交换中心送达的原文。"
    next_en = "Sign exactly the bytes that the exchange sent."


class AnswerIncomplete(Invalid):
    """An answer that says signed comes with an envelope."""

    code = "answer-incomplete"
    title_zh = "答复为已签署,但没有附上签名信封"


class AgreementUnknown(NotFound):
    """There is no such agreement for this participant."""

    code = "agreement-unknown"
    title_zh = "没有该共享协议,或与本方无关"


class OfferUnanswered(Unavailable):
    """A node gave no usable answer to an agreement's offer."""

    code = "offer-unanswered"
    title_zh = "对方节点未对协议文本作出有效答复"
    next_zh = "申请保持等待;交换中心会自动重试。"
    next_en = "The application waits; the exchange tries again by itself."


RECORD_CHANGED = Text(
    zh="数据集登记在签署期间已变更,请重新申请。",
    en="The dataset's record changed while the agreement was being signed; apply again.",
)
NO_REASON = Text(zh="对方未说明理由。", en="The other side gave no reason.")


def state_of(turn: Turn) -> ApplicationState:
    """Show a turn as the application's state."""
    match turn:
        case Turn.PROVIDER | Turn.CONSUMER:
            return ApplicationState.WAITING
        case Turn.AGREED:
            return ApplicationState.AGREED
        case Turn.REFUSED:
            return ApplicationState.REFUSED


def next_turn(turn: Turn, outcome: Outcome) -> Turn:
    """Give the turn after an answer; raise NotYourTurn once the application is settled."""
    match turn, outcome:
        case ((Turn.AGREED | Turn.REFUSED), _):
            raise NotYourTurn(f"the application is {turn.value}", state=turn.value)
        case _, "held":
            return turn
        case _, "refused":
            return Turn.REFUSED
        case Turn.PROVIDER, _:
            return Turn.CONSUMER
        case _:
            return Turn.AGREED


def draft_terms(
    application: Signed[Application],
    record: Signed[DatasetRecord],
    *,
    agreement: str,
    now: datetime,
    emergency_until_ms: int | None = None,
) -> Agreement:
    """Write the terms that both sides are asked to sign, under the fresh id ``agreement``.

    What is agreed in an emergency ends with it where the record opted in: its provider is not asked first.
    """
    asked, offered = application.statement, record.statement
    expires_at = asked.until
    if emergency_until_ms is not None and offered.emergency:
        expires_at = min(expires_at, from_epoch_ms(emergency_until_ms))
    return Agreement(
        agreement=agreement,
        application=application.digest,
        provider=offered.provider,
        consumer=asked.consumer,
        dataset=offered.dataset,
        record=record.digest,
        sharing=offered.sharing,
        purpose=asked.purpose,
        not_before=now,
        expires_at=expires_at,
    )


def check_signature(answer: AgreementAnswer, payload: str, key: PublicKey) -> Envelope | None:
    """Give the envelope of a signed answer, None for any other; raise unless it signs exactly ``payload``.

    Raises AnswerIncomplete, EnvelopeInvalid, OtherTerms or SignatureInvalid.
    """
    if answer.outcome != "signed":
        return None
    if answer.envelope is None:
        raise AnswerIncomplete
    envelope = parse_envelope(answer.envelope.encode())
    if envelope.payload_as(Agreement.payload_type) != payload.encode():
        raise OtherTerms("the payload is not what was offered")
    envelope.verified_by({key.key_id: key}, {key.key_id})
    return envelope


def join_signatures(provider: Envelope, consumer: Envelope, *, keys: tuple[PublicKey, PublicKey]) -> Envelope:
    """Give one payload under both signatures, provider first; other signatures fall away."""
    given = dict((*consumer.signatures, *provider.signatures))
    both = tuple((key.key_id, given[key.key_id]) for key in keys)
    return Envelope(provider.payload_type, provider.payload, both)
