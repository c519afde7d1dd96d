"""Wire shapes between node, exchange and person: what is signed, and what is asked.

Statements (``Statement`` subclasses) travel as the payload of a DSSE envelope, under the payload type that
the class names; the other models are request and answer bodies. Unknown fields are refused, times are aware
UTC, integers only. A wire change changes the version in the payload type.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from contracts.canonical import Json, canonical_bytes, sha256_hex
from contracts.clock import rfc3339
from contracts.errors import Invalid
from contracts.identifiers import Kind, parse_digest, parse_id, parse_name, parse_version


def utc(at: datetime) -> datetime:
    """Give ``at`` with whole milliseconds, as it looks after a trip over the wire."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


ParticipantId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.PARTICIPANT))]
GrantId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.GRANT))]
ApplicationId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.APPLICATION))]
AgreementId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.AGREEMENT))]
SubscriptionId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.SUBSCRIPTION))]
EventId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.EVENT))]
DatasetId = Annotated[str, AfterValidator(parse_name)]
ContractId = Annotated[str, AfterValidator(parse_name)]
Digest = Annotated[str, AfterValidator(parse_digest)]
Version = Annotated[str, AfterValidator(lambda t: (parse_version(t), t)[1])]
At = Annotated[
    AwareDatetime,
    AfterValidator(utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Long = Annotated[str, Field(min_length=1, max_length=2000)]
KeyText = Annotated[str, Field(pattern=r"^(ed25519|x25519):[A-Za-z0-9+/]{43}=$")]
VKey = Annotated[str, Field(min_length=10, max_length=400)]


class BadMessage(Invalid):
    """A message does not have the agreed shape."""

    code = "bad-message"
    title_zh = "报文格式不符合约定"


class Wire(BaseModel):
    """A frozen shape that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")

    def canonical(self) -> bytes:
        """Write the canonical bytes."""
        value: Json = self.model_dump(mode="json")
        return canonical_bytes(value)

    def content_digest(self) -> str:
        """Name this message by the digest of its canonical bytes."""
        return sha256_hex(self.canonical())

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read JSON bytes; raise BadMessage with the place of each fault, never with values."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as error:
            faults = [
                "/" + "/".join(map(str, e["loc"])) + ": " + e["msg"]
                for e in error.errors(include_input=False, include_url=False)
            ]
            raise BadMessage(f"{cls.__name__} does not fit: {faults[0]}", faults=faults[:20]) from error


class Statement(Wire):
    """A shape that is signed: the payload of a DSSE envelope."""

    payload_type: ClassVar[str]


class Text(Wire):
    """The same words in Chinese and in English."""

    zh: Short
    en: Short


# --- membership -----------------------------------------------------------------------------------


class Role(StrEnum):
    """What a person may do. The three are different people wherever there are three."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Level(StrEnum):
    """The administrative level of a participant."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    NONE = "none"


class MemberStatus(StrEnum):
    """Where a participant stands."""

    INVITED = "invited"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Profile(Wire):
    """What an organisation says of itself; codes carry their edition because they drift."""

    name: Text
    admin_code: Annotated[str, Field(pattern=r"^[0-9]{2,12}$")] | None
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
    witnesses: Annotated[int, Field(ge=1, le=63)]
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


class Member(Wire):
    """One participant as the directory shows it."""

    participant: ParticipantId
    profile: Profile
    status: MemberStatus
    node_key: KeyText
    sealing_key: KeyText
    witness_vkey: VKey | None
    address: Short | None


class Directory(Statement):
    """All members at one moment: numbered, chained, expiring, logged; signed by the exchange."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.directory.v1+json"

    number: Annotated[int, Field(ge=1)]
    previous: Digest | None
    issued_at: At
    expires_at: At
    quorum: int
    members: list[Member]


class Revocations(Statement):
    """Who and what may no longer act; a provider holds it for at most five seconds."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.revocations.v1+json"

    number: Annotated[int, Field(ge=0)]
    issued_at: At
    expires_at: At
    participants: list[ParticipantId]
    agreements: list[AgreementId]
    grants: list[GrantId]


# --- what is published ----------------------------------------------------------------------------


class Sharing(StrEnum):
    """The sharing class of Order 809, articles 14 and 15."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NOT_SHARED = "not-shared"


class ContractRef(Wire):
    """A contract by name, version and digest."""

    id: ContractId
    version: Version
    digest: Digest


class ContractRegistration(Statement):
    """A provider adopts a contract; ``document`` is its canonical JSON text."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.contract.v1+json"

    provider: ParticipantId
    contract: ContractRef
    document: str
    at: At


class PurposeFields(Wire):
    """The fields that one purpose may see; every other field is redacted."""

    purpose: DatasetId
    fields: list[Short]


class DatasetRecord(Statement):
    """What a provider declares about a dataset; policy facts come from here, signed by the provider."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.dataset.v1+json"

    dataset: DatasetId
    provider: ParticipantId
    number: Annotated[int, Field(ge=1)]
    title: Text
    contract: ContractRef
    theme: Short
    sharing: Sharing
    sharing_basis: Long
    classification: Annotated[int, Field(ge=1, le=4, description="1 public … 4 core")]
    purposes: Annotated[list[DatasetId], Field(description="empty: any purpose")]
    purpose_fields: list[PurposeFields]
    place: Short
    synthetic: bool
    update_frequency: Short
    at: At


class Distribution(Wire):
    """The bytes of a release in one form (DCAT 3 Distribution)."""

    media_type: Literal["application/vnd.apache.parquet"]
    sha256: Digest
    chunk_root: Digest
    size_bytes: Annotated[int, Field(ge=0)]


class Counts(Wire):
    """Rows read from the source, published, and held in quarantine; read = published + quarantined."""

    read: Annotated[int, Field(ge=0)]
    published: Annotated[int, Field(ge=0)]
    quarantined: Annotated[int, Field(ge=0)]


class SourceNote(Wire):
    """Where the rows came from, as far as the file itself says."""

    file_name: Short
    sha256: Digest
    place: Short
    synthetic: bool


class Manifest(Statement):
    """One release of a feed: immutable, numbered from 1, chained by digest; signed by the provider."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.release.v1+json"

    dataset: DatasetId
    provider: ParticipantId
    number: Annotated[int, Field(ge=1)]
    previous: Digest | None
    contract: ContractRef
    distribution: Distribution
    counts: Counts
    source: SourceNote
    at: At


# --- agreement ------------------------------------------------------------------------------------


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
    reasons: list[Text] = []


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


# --- decision and transfer ------------------------------------------------------------------------


class Redact(Wire):
    """Drop these fields before the bytes leave."""

    kind: Literal["redact"] = "redact"
    fields: Annotated[list[Short], Field(min_length=1)]


class PurposeBinding(Wire):
    """The data may serve this purpose only, and may not be passed on."""

    kind: Literal["purpose-binding"] = "purpose-binding"
    purpose: DatasetId
    onward_sharing: Literal[False] = False


Obligation = Annotated[Redact | PurposeBinding, Field(discriminator="kind")]


class TransferRequest(Wire):
    """A consumer asks for one release under a subscription."""

    subscription: SubscriptionId
    release: Annotated[int, Field(ge=1)]


class Grant(Statement):
    """The exchange's permission for one transfer, bound to one consumer key; signed by the exchange."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.grant.v1+json"

    grant: GrantId
    subscription: SubscriptionId
    seq: Annotated[int, Field(ge=1)]
    provider: ParticipantId
    consumer: ParticipantId
    consumer_key: KeyText
    dataset: DatasetId
    release: Annotated[int, Field(ge=1)]
    manifest: Digest
    agreement: AgreementId
    agreement_digest: Digest
    record: Digest
    purpose: DatasetId
    obligations: list[Obligation]
    policy: Digest
    decision: str
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="opens dsc, pur and ev")]
    issued_at: At
    expires_at: At


class LoggedGrant(Wire):
    """What the consumer carries to the provider: the grant and the proof that it was logged first."""

    grant_envelope: str
    leaf: Annotated[str, Field(description="base64 of the log entry's bytes")]
    index: Annotated[int, Field(ge=0)]
    inclusion_path: list[str]
    checkpoint: str
    manifest_envelope: str
    agreement_envelope: str
    record_envelope: str


class DeliveryRequest(Wire):
    """The consumer presents a grant; over a relay it names the key to seal the bytes to."""

    logged: LoggedGrant
    seal_to: KeyText | None = None


class ReceiptRole(StrEnum):
    """Who speaks in a receipt."""

    PROVIDER = "provider"
    CONSUMER = "consumer"


class Receipt(Statement):
    """A party's statement about one delivery, over the digest of the view that moved."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.receipt.v1+json"

    role: ReceiptRole
    grant: GrantId
    grant_index: Annotated[int, Field(ge=0)]
    participant: ParticipantId
    manifest: Digest
    obligations: Digest
    view_sha256: Digest
    view_chunk_root: Digest
    view_size_bytes: Annotated[int, Field(ge=0)]
    view_rows: Annotated[int, Field(ge=0)]
    redacted: list[Short]
    content_salt: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    at: At


class ReceiptDelivery(Wire):
    """A node hands in the receipts it holds for one grant: the provider's, or both."""

    grant: GrantId
    provider_receipt: str
    consumer_receipt: str | None = None


class ReceiptState(Wire):
    """How far a grant's evidence has come; ``index`` is the closing entry's place in the log."""

    grant: GrantId
    state: Literal["granted", "delivered", "done", "expired"]
    index: int | None = None
    leaf: str | None = None


class CatalogEntry(Wire):
    """One dataset as a search shows it; the envelope is the provider's signed record."""

    record_envelope: str
    latest_release: int
    rows_published: int
    rows_quarantined: int


class Catalog(Wire):
    """What a search found."""

    datasets: list[CatalogEntry]


class ReleaseEntry(Wire):
    """One release as the feed shows it."""

    number: int
    index: int
    manifest_envelope: str


class ReleaseList(Wire):
    """The releases of a feed after a cursor, oldest first."""

    releases: list[ReleaseEntry]


class ApplicationView(Wire):
    """Where an application stands."""

    application: ApplicationId
    state: ApplicationState
    application_envelope: str
    agreement: AgreementId | None
    agreement_envelope: str | None
    agreement_payload: str | None
    reasons: list[Text]


class EventList(Wire):
    """Signed security events after a number, oldest first."""

    events: list[str]


class Inclusion(Wire):
    """An inclusion proof under the newest published checkpoint."""

    index: int
    leaf: str
    path: list[str]
    checkpoint: str


# --- incidents ------------------------------------------------------------------------------------


class Severity(StrEnum):
    """How bad an event is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class SecurityEvent(Statement):
    """Something the whole alliance should know; signed by the exchange, numbered without gaps."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.event.v1+json"

    number: Annotated[int, Field(ge=1)]
    event: EventId
    event_class: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z-]+)+$")]
    severity: Severity
    subject: ParticipantId | None
    title: Text
    facts: dict[str, int | str]
    at: At


# --- mailbox, log, health -------------------------------------------------------------------------


class Heads(Wire):
    """The newest numbers a node knows; the exchange answers at once when it knows newer ones."""

    events: int = 0
    directory: int = 0


class Poll(Wire):
    """A node waits for work."""

    wait_seconds: Annotated[int, Field(ge=0, le=30)]
    heads: Heads


class MailboxRequest(Wire):
    """One HTTP request for the node, carried inside the answer to its poll."""

    id: Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.MESSAGE))]
    method: Literal["GET", "POST"]
    target_uri: Short
    headers: list[tuple[str, str]]
    body: str


class PollAnswer(Wire):
    """What waits for the node."""

    requests: list[MailboxRequest]
    heads: Heads


class MailboxAnswer(Wire):
    """How the node answered; ``body`` is base64 and is ciphertext where data moves."""

    status: int
    headers: list[tuple[str, str]]
    body: str


class RelayRequest(Wire):
    """A consumer's signed request for a provider without an inbound port."""

    method: Literal["GET", "POST"]
    target_uri: Short
    headers: list[tuple[str, str]]
    body: str


class Challenge(Wire):
    """The exchange asks a witness what it last cosigned, with a fresh nonce."""

    origin: Short
    nonce: Annotated[str, Field(min_length=16, max_length=64)]


class ChallengeAnswer(Statement):
    """A witness's answer to a challenge; signed by the node key."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.witness-state.v1+json"

    origin: Short
    nonce: Short
    participant: ParticipantId
    size: Annotated[int, Field(ge=0)]
    root: str
    at: At


class LogStatus(Wire):
    """How the log stands, for people and for health checks."""

    origin: Short
    size: int
    witnessed_size: int
    cosignatures: int
    quorum: int
    witnesses: int
    unwitnessed_since: At | None
    sealed: bool
