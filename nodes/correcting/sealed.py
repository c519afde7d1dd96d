"""What one side says to the other about an objection, sealed so that the exchange carries it unread.

HPKE (RFC 9180) to the other side's sealing key, bound to the objection and to the digest that the signed
statement names, so neither another text nor another objection's can take its place.
"""

import secrets
from typing import TypeVar

from audit.keys.signing import SealBroken, SealingKey, seal
from contracts.errors import Invalid
from contracts.messages import Wire
from contracts.spelling import NotBase64, from_base64, to_base64

W = TypeVar("W", bound=Wire)


def fresh_salt() -> str:
    """Draw the salt that keeps short words from being guessed from their digest."""
    return secrets.token_hex(32)


def seal_words(message: Wire, objection: str, key: str) -> str:
    """Seal a message about an objection to ``x25519:…``; give base64."""
    return to_base64(seal(key, message.canonical(), _info(objection, message.content_digest())))


def open_words(sealed: str | None, kind: type[W], objection: str, digest: str, key: SealingKey) -> W | None:
    """Open what was sealed to this node; None where it does not open, or is not what its digest names.

    It may have been sealed to a key that was replaced since; whoever sealed it does so anew.
    """
    if sealed is None:
        return None
    try:
        plain = key.open(from_base64(sealed), _info(objection, digest))
        message = kind.parse(plain)
    except (NotBase64, SealBroken, Invalid):
        return None
    return message if message.content_digest() == digest else None


def _info(objection: str, digest: str) -> bytes:
    return b"headwaters-objection-v1|" + objection.encode() + b"|" + digest.encode()
