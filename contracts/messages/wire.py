"""Wire shapes between node, exchange and person: what is signed, and what is asked.

Statements (``Statement`` subclasses) travel as the payload of a DSSE envelope, under the payload type that
the class names; the other models are request and answer bodies. Unknown fields are refused, times are aware
UTC, integers only. A wire change changes the version in the payload type.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self

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
EmergencyId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.EMERGENCY))]
ObjectionId = Annotated[str, AfterValidator(lambda t: parse_id(t, Kind.OBJECTION))]
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
WideVKey = Annotated[str, Field(min_length=10, max_length=2400)]  # of a suite whose keys are long
MAX_SECOND_KEYS = 256  # two suites over sixty-four shards, and as many again


class BadMessage(Invalid):
    """A message does not have the agreed shape."""

    code = "bad-message"
    title_zh = "报文格式不符合约定"


class Wire(BaseModel):
    """A frozen shape that refuses unknown fields.

    ``later`` names the fields that a shape was given after it was in use. The canonical bytes leave them out
    while they say nothing, so what was signed or digested before keeps its spelling.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")
    later: ClassVar[tuple[str, ...]] = ()

    def canonical(self) -> bytes:
        """Write the canonical bytes."""
        value: dict[str, Json] = self.model_dump(mode="json")
        for name in self.later:
            if getattr(self, name) == type(self).model_fields[name].get_default(call_default_factory=True):
                del value[name]
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
