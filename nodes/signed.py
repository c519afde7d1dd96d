"""Signed statements as a node writes and reads them: one statement, one DSSE envelope, as JSON text.

A statement is read only under keys that the caller names, and only in its one canonical spelling, so that the
digest of the statement is the digest of the very bytes that were signed.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from audit.formats.dsse import Envelope, parse_envelope, sign
from audit.keys.signing import PublicKey, Signer
from contracts.canonical import NotCanonical, sha256_hex
from contracts.messages import Statement

S = TypeVar("S", bound=Statement)


@dataclass(frozen=True, slots=True)
class Signed(Generic[S]):
    """A statement and the envelope it came in; ``digest`` names its payload."""

    statement: S
    envelope: Envelope
    digest: str

    @property
    def text(self) -> str:
        """Give the envelope as it travels."""
        return self.envelope.encode().decode()


def sign_statement(statement: S, *keys: Signer) -> Signed[S]:
    """Sign ``statement`` with ``keys``."""
    payload = statement.canonical()
    return Signed(statement, sign(statement.payload_type, payload, keys), sha256_hex(payload))


def sign_again(text: str, kind: type[S], key: Signer) -> str:
    """Give an own statement that is still to be handed in under the present key: ``text``, or signed anew.

    The payload and its digest stay the same; a key that was replaced since counts for nothing new.
    """
    peeked = peek_statement(text, kind)
    if any(name == key.key_id for name, _ in peeked.envelope.signatures):
        return text
    return sign_statement(peeked.statement, key).text


def read_statement(text: str, kind: type[S], *keys: PublicKey) -> Signed[S]:
    """Read a statement that all of ``keys`` signed.

    Raises SignatureInvalid, EnvelopeInvalid, BadMessage or NotCanonical. Without keys nothing would be
    verified, so at least one is needed; ``peek_statement`` is for the rest.
    """
    envelope = parse_envelope(text.encode())
    known = {key.key_id: key for key in keys}
    envelope.verified_by(known, known.keys())
    return _opened(envelope, kind)


def peek_statement(text: str, kind: type[S]) -> Signed[S]:
    """Read a statement whose signature is verified elsewhere, or is this node's own from its own database."""
    return _opened(parse_envelope(text.encode()), kind)


def _opened(envelope: Envelope, kind: type[S]) -> Signed[S]:
    payload = envelope.payload_as(kind.payload_type)
    statement = kind.parse(payload)
    if statement.canonical() != payload:
        raise NotCanonical("the statement is not in its canonical spelling")
    return Signed(statement, envelope, sha256_hex(payload))
