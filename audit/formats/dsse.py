"""Signed statements: DSSE v1 envelopes, several signatures over the same bytes and their type.

A signature covers the payload type and the payload exactly as received, so nothing is written anew before
it is verified. The envelope itself is canonical JSON: one spelling, no unknown field, at most 16
signatures.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import cast

from audit.keys.signing import PublicKey, SignatureInvalid, Signer
from contracts.canonical import Json, canonical_bytes, parse_canonical
from contracts.errors import Invalid, TooLarge
from contracts.spelling import NotBase64, from_base64, to_base64

MAX_ENVELOPE_BYTES = 2 * 1024 * 1024  # the largest statement carries a contract's document, at most 1 MiB
MAX_SIGNATURES = 16  # three parties, two suites, and room
MAX_NAME_CHARS = 200


class EnvelopeInvalid(Invalid):
    """The signed envelope is not well formed."""

    code = "envelope-invalid"
    title_zh = "签名信封格式不正确"


class EnvelopeTooLarge(TooLarge):
    """The signed envelope is larger than the limit."""

    code = "envelope-too-large"
    title_zh = "签名信封超过大小限制"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and ``(key id, signature)`` pairs; each key id at most once."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    def __post_init__(self) -> None:
        names = [name for name, _ in self.signatures]
        if not names or len(names) > MAX_SIGNATURES or len(set(names)) != len(names):
            raise EnvelopeInvalid(f"an envelope has 1 to {MAX_SIGNATURES} signatures, each by another key")
        if not all(0 < len(name) <= MAX_NAME_CHARS for name in (self.payload_type, *names)):
            raise EnvelopeInvalid("a payload type or key id is empty or too long")

    def encode(self) -> bytes:
        """Write the envelope as JSON."""
        return canonical_bytes(
            {
                "payload": to_base64(self.payload),
                "payloadType": self.payload_type,
                "signatures": [{"keyid": name, "sig": to_base64(raw)} for name, raw in self.signatures],
            }
        )

    def payload_as(self, payload_type: str) -> bytes:
        """Give the payload; raise EnvelopeInvalid unless it is of ``payload_type``."""
        if self.payload_type != payload_type:
            raise EnvelopeInvalid(f"the envelope holds another statement than {payload_type}")
        return self.payload

    def verified_by(self, keys: Mapping[str, PublicKey], required: AbstractSet[str]) -> frozenset[str]:
        """Give the ids of the known keys that signed; raise SignatureInvalid unless all ``required`` did.

        ``keys`` maps the key ids that the caller trusts. A signature by an unknown key counts for nothing; a
        known key's signature that fails condemns the envelope.
        """
        message = pae(self.payload_type, self.payload)
        good = set()
        for name, raw in self.signatures:
            if name in keys:
                keys[name].verify(raw, message)
                good.add(name)
        missing = sorted(required - good)
        if missing or not required:
            raise SignatureInvalid("a required signature is missing", missing=missing)
        return frozenset(good)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed: DSSE's pre-authentication encoding."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def sign(payload_type: str, payload: bytes, keys: Iterable[Signer]) -> Envelope:
    """Put ``payload`` into an envelope signed by ``keys``."""
    message = pae(payload_type, payload)
    return Envelope(payload_type, payload, tuple((key.key_id, key.sign(message)) for key in keys))


def parse_envelope(raw: bytes) -> Envelope:
    """Read an envelope; raise EnvelopeInvalid, NotCanonical or EnvelopeTooLarge. Nothing is verified yet."""
    if len(raw) > MAX_ENVELOPE_BYTES:
        raise EnvelopeTooLarge(f"an envelope has at most {MAX_ENVELOPE_BYTES} bytes")
    value = _fields(parse_canonical(raw), "payload", "payloadType", "signatures")
    lines = value["signatures"]
    if not isinstance(lines, list):
        raise EnvelopeInvalid("signatures is a list")
    signatures = []
    for line in lines:
        fields = _fields(line, "keyid", "sig")
        signatures.append((_text(fields["keyid"]), _bytes(fields["sig"])))
    return Envelope(_text(value["payloadType"]), _bytes(value["payload"]), tuple(signatures))


def _fields(value: Json, *names: str) -> Mapping[str, Json]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise EnvelopeInvalid(f"expected exactly the fields {', '.join(names)}")
    return cast(Mapping[str, Json], value)  # JSON objects have text keys; held by the parser tests


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise EnvelopeInvalid("text is expected here")
    return value


def _bytes(value: Json) -> bytes:
    try:
        return from_base64(_text(value))
    except NotBase64 as error:
        raise EnvelopeInvalid(error.detail) from error
