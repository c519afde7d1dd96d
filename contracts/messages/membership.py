"""Who takes part: invites, registrations, the directory, and who may no longer act."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.messages.keys import PastKey
from contracts.messages.wire import (
    MAX_SECOND_KEYS,
    AgreementId,
    At,
    Digest,
    GrantId,
    KeyText,
    ParticipantId,
    Short,
    Statement,
    Text,
    VKey,
    WideVKey,
    Wire,
)


class Role(StrEnum):
    """What a person may do. The three are different people wherever there are three."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    OPERATOR = "operator"


AdminCode = Annotated[str, Field(pattern=r"^[0-9]{2,12}$")]


class Level(StrEnum):
    """The administrative level of a participant."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    NONE = "none"


class MemberStatus(StrEnum):
    """Where a participant stands.

    Suspended is a matter of standing, quarantined one of danger: its keys may be in other hands. Nothing goes
    to either or comes from it; evidence of what was done before is still taken from who is quarantined.
    """

    INVITED = "invited"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"


class Profile(Wire):
    """What an organisation says of itself; codes carry their edition because they drift."""

    name: Text
    admin_code: AdminCode | None
    admin_code_edition: Short | None
    level: Level
    sector: Short


class Invite(Wire):
    """What the operator hands to a new participant; holds a one-time secret and the pinned keys."""

    version: Literal[1] = 1
    exchange_url: Short
    participant: ParticipantId
    profile: Profile
    witness: bool
    secret: Annotated[str, Field(min_length=32, max_length=64)]
    origin: Short
    log_vkey: VKey
    statement_key: KeyText
    quorum: Annotated[int, Field(ge=1, le=32)]
    witnesses: Annotated[int, Field(ge=1, le=31)]  # a note carries 32 signatures
    expires_at: At


class Registration(Statement):
    """A node introduces its keys; signed by the node key that it introduces."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.registration.v1+json"

    participant: ParticipantId
    secret: Annotated[str, Field(min_length=32, max_length=64)]
    node_key: KeyText
    sealing_key: KeyText
    witness_vkey: VKey | None
    address: Short | None
    at: At
    root_key: KeyText | None = None


class Member(Wire):
    """One participant as the directory shows it; ``past_keys`` are oldest first and only grow."""

    participant: ParticipantId
    profile: Profile
    status: MemberStatus
    node_key: KeyText
    sealing_key: KeyText
    witness_vkey: VKey | None
    address: Short | None
    root_key: KeyText | None = None
    past_keys: list[PastKey] = Field(default_factory=list)


class Directory(Statement):
    """All members at one moment: numbered, chained, expiring, logged; signed by the exchange.

    ``past_keys`` are those that the exchange signed statements with before, ``second_keys`` those of the
    second lines under the checkpoints of every shard so far; both only grow.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.directory.v1+json"

    number: Annotated[int, Field(ge=1)]
    previous: Digest | None
    issued_at: At
    expires_at: At
    quorum: int
    members: list[Member]
    past_keys: list[PastKey] = Field(default_factory=list)
    second_keys: Annotated[list[WideVKey], Field(max_length=MAX_SECOND_KEYS)] = Field(default_factory=list)


class Revocations(Statement):
    """Who and what may no longer act; a provider holds it for at most five seconds."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.revocations.v1+json"

    number: Annotated[int, Field(ge=0)]
    issued_at: At
    expires_at: At
    participants: list[ParticipantId]
    agreements: list[AgreementId]
    grants: list[GrantId]


class JoinAnswer(Wire):
    """Where a registration stands, and the fingerprint that the operator compares."""

    status: MemberStatus
    fingerprint: Short


class MemberState(Wire):
    """Where one participant stands."""

    participant: ParticipantId
    status: MemberStatus


class Probe(Wire):
    """A nonce to be echoed under a full signature check."""

    nonce: Short


class ProbeAnswer(Wire):
    """The echo of a probe, with the exchange's time."""

    participant: ParticipantId
    nonce: Short
    at: At
