"""How a version of a contract comes to its end: the users it has, the notice to them, and their answer.

A provider reads who uses which fields (``Impact``), then signs a ``Deprecation`` that names the digest of
what it read; each subscriber may sign an ``Acknowledgement`` that names the notice.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from contracts.canonical import Json, digest
from contracts.messages.publishing import ContractRef
from contracts.messages.wire import (
    AgreementId,
    At,
    DatasetId,
    Digest,
    Long,
    ParticipantId,
    Short,
    Statement,
    SubscriptionId,
    Wire,
)

CONTRACT_DEPRECATED = "contract.deprecated"
MAX_USERS = 5000


class Deprecation(Statement):
    """A provider gives notice that its datasets leave a contract version for another one at a moment.

    ``impact`` is the digest of the list of users that the provider read before it signed.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.deprecation.v1+json"

    provider: ParticipantId
    contract: ContractRef
    successor: ContractRef
    impact: Digest
    why: Long
    ends_at: At
    at: At


class Acknowledgement(Statement):
    """A subscriber has read a notice and agrees that the datasets move before its window has passed."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.deprecation-acknowledgement.v1+json"

    consumer: ParticipantId
    provider: ParticipantId
    deprecation: Digest
    contract: ContractRef
    successor: ContractRef
    at: At


class Usage(Wire):
    """One subscription to a dataset under the old version.

    ``fields`` are those that the purpose lets the consumer see, ``touched`` those among them that lose
    something. ``acknowledged`` is about the newest notice of this step.
    """

    dataset: DatasetId
    consumer: ParticipantId
    subscription: SubscriptionId
    agreement: AgreementId
    purpose: DatasetId
    fields: list[Short]
    touched: list[Short]
    acknowledged: bool


class Impact(Wire):
    """Who uses a provider's datasets under a contract version, and what the step to another takes from them.

    ``whole`` says that something is taken which is about no single field.
    """

    provider: ParticipantId
    contract: ContractRef
    successor: ContractRef
    verdict: Short
    bump: Short
    whole: bool
    datasets: list[DatasetId]
    users: Annotated[list[Usage], Field(max_length=MAX_USERS)]

    def users_digest(self) -> str:
        """Name the list of users; who has acknowledged may change meanwhile."""
        listed: list[Json] = [user.model_dump(mode="json", exclude={"acknowledged"}) for user in self.users]
        return digest({"contract": self.contract.digest, "successor": self.successor.digest, "users": listed})


class ImpactList(Wire):
    """What a version takes from the users of each other version that a provider's datasets follow."""

    impacts: list[Impact]


class DeprecationView(Wire):
    """A notice as its provider or one of its subscribers sees it.

    ``waiting`` are the subscribers without an answer; a subscriber sees itself alone in either list.
    """

    deprecation: Digest
    envelope: str
    passed: bool
    acknowledged: list[ParticipantId]
    waiting: list[ParticipantId]


class DeprecationList(Wire):
    """The notices that concern the caller, newest first."""

    deprecations: list[DeprecationView]
