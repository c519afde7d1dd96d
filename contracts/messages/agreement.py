"""How two parties come to terms: applications, offers, agreements, subscriptions."""

from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field

from contracts.messages.publishing import Sharing
from contracts.messages.wire import (
    AgreementId,
    ApplicationId,
    At,
    DatasetId,
    Digest,
    Long,
    ParticipantId,
    Short,
    Statement,
    SubscriptionId,
    Text,
    Wire,
)


class Application(Statement):
    """A consumer asks to use a dataset (Order 809 art. 20); signed by the consumer."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.application.v1+json"

    application: ApplicationId
    consumer: ParticipantId
    dataset: DatasetId
    purpose: DatasetId
    basis: Long
    scenario: Long
    scope: Long
    method: Literal["subscription"] = "subscription"
    until: At
    at: At


class ApplicationState(StrEnum):
    """Where an application stands."""

    WAITING = "waiting"
    AGREED = "agreed"
    REFUSED = "refused"


class Agreement(Statement):
    """The usage terms; one payload, signed by provider and consumer."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.agreement.v1+json"

    agreement: AgreementId
    application: Digest
    provider: ParticipantId
    consumer: ParticipantId
    dataset: DatasetId
    record: Digest
    sharing: Sharing
    purpose: DatasetId
    onward_sharing: Literal[False] = False
    not_before: At
    expires_at: At


class AgreementOffer(Wire):
    """The exchange asks a party to sign: the application's and the unsigned agreement's bytes."""

    application_envelope: str
    agreement_payload: str


class AgreementAnswer(Wire):
    """A party's answer: a signature over the payload, a hold for a person, or reasons to refuse."""

    outcome: Literal["signed", "held", "refused"]
    envelope: str | None = None
    reasons: list[Text] = Field(default_factory=list)


class SubscriptionRequest(Wire):
    """A consumer asks to receive a feed under an agreement."""

    agreement: AgreementId


class SubscriptionView(Wire):
    """A standing agreement to receive releases; ``cursor`` is the last release number delivered."""

    subscription: SubscriptionId
    agreement: AgreementId
    dataset: DatasetId
    provider: ParticipantId
    consumer: ParticipantId
    next_seq: int
    cursor: int


class ApplicationView(Wire):
    """Where an application stands."""

    application: ApplicationId
    state: ApplicationState
    application_envelope: str
    agreement: AgreementId | None
    agreement_envelope: str | None
    agreement_payload: str | None
    reasons: list[Text]


class ApplicationList(Wire):
    """The applications in which the caller is consumer or provider."""

    applications: list[ApplicationView]


class EndAgreement(Wire):
    """Why an agreement ends, in words for people."""

    why: Short


class SubscriptionList(Wire):
    """The subscriptions in which the caller is consumer or provider."""

    subscriptions: list[SubscriptionView]
