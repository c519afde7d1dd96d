"""How the exchange reaches a node without an inbound port, challenges a witness, and shows its log."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from contracts.identifiers import Kind, parse_id
from contracts.messages.wire import At, ParticipantId, Short, Statement, Wire

# Visible ASCII only (RFC 9110 section 5): what a far side says is put into a real request or response.
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e\t]*$", max_length=16384)]
Header = tuple[HeaderName, HeaderValue]
Headers = Annotated[list[Header], Field(max_length=100)]

# They describe one connection (RFC 9110 section 7.6.1), and a mailbox has none.
HOP_BY_HOP = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


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
    headers: Headers
    body: str


class PollAnswer(Wire):
    """What waits for the node."""

    requests: list[MailboxRequest]
    heads: Heads


class MailboxAnswer(Wire):
    """How the node answered; ``body`` is base64 and is ciphertext where data moves."""

    status: Annotated[int, Field(ge=200, le=599)]
    headers: Headers
    body: str


class RelayRequest(Wire):
    """A consumer's signed request for a provider without an inbound port."""

    method: Literal["GET", "POST"]
    target_uri: Short
    headers: Headers
    body: str


class Challenge(Wire):
    """The exchange asks a witness what it last cosigned, with a fresh nonce."""

    origin: Short
    nonce: Annotated[str, Field(min_length=16, max_length=64)]


class ChallengeAnswer(Statement):
    """A witness's answer to a challenge, signed by the node key; ``root`` is base64, empty at size 0."""

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
    business_stops_at: At | None = None
    sealed: bool
    shard: int = 1
    closing: bool = False
