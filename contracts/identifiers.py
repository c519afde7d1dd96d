"""Names of things: parse and format, never concatenate.

Identifiers are opaque and lower case, fit a URL segment and a file name, and say nothing about people.
"""

import re
import secrets
from enum import StrEnum

from contracts.errors import Invalid

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters, so five bits of a byte draw one evenly
_OPAQUE = re.compile(r"[pgqasecxmo]-[a-z2-9]{12}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,62}", re.ASCII)
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)

EXCHANGE_KEYID = "exchange"  # the key id under which the exchange signs its requests to nodes
PERSON_PREFIX = "person:"  # a person's key id is this and the name; a node's is its participant id


class Kind(StrEnum):
    """What an opaque identifier names, and its first letter."""

    PARTICIPANT = "p"
    GRANT = "g"
    APPLICATION = "q"
    AGREEMENT = "a"
    SUBSCRIPTION = "s"
    EVENT = "e"
    DECISION = "c"
    MESSAGE = "x"
    EMERGENCY = "m"
    OBJECTION = "o"


class BadIdentifier(Invalid, ValueError):
    """An identifier is not well formed.

    Also a ValueError, so that a message that holds one is refused with the place of the fault.
    """

    code = "bad-identifier"
    title_zh = "编号格式不正确"


def new_id(kind: Kind) -> str:
    """Make a fresh identifier with 60 random bits."""
    return f"{kind.value}-" + "".join([_ALPHABET[byte & 31] for byte in secrets.token_bytes(12)])


def parse_id(text: str, kind: Kind) -> str:
    """Return ``text`` if it is an identifier of ``kind``; raise BadIdentifier."""
    if not _OPAQUE.fullmatch(text) or text[0] != kind.value:
        raise BadIdentifier(f"{text[:40]!r} is not a {kind.name.lower()} id")
    return text


def parse_name(text: str) -> str:
    """Return ``text`` if it is a dataset or contract name: 2 to 63 of a-z, 0-9 and ``-``."""
    if not _NAME.fullmatch(text):
        raise BadIdentifier(f"{text[:40]!r} is not a name (2 to 63 of a-z, 0-9 and -)")
    return text


def parse_version(text: str) -> tuple[int, int, int]:
    """Read a semantic version of three numbers; raise BadIdentifier."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise BadIdentifier(f"{text[:40]!r} is not a version such as 1.0.0")
    return int(match[1]), int(match[2]), int(match[3])


def parse_digest(text: str) -> str:
    """Return ``text`` if it is ``sha256:`` and 64 hex digits; raise BadIdentifier."""
    if not _DIGEST.fullmatch(text):
        raise BadIdentifier(f"{text[:80]!r} is not a sha256: digest")
    return text


def format_digest(raw: bytes) -> str:
    """Write the 32 bytes of a SHA-256 or of a Merkle root as a digest: ``sha256:`` and 64 hex digits."""
    return f"sha256:{raw.hex()}"


def digest_bytes(text: str) -> bytes:
    """Give the 32 bytes that a digest names; raise BadIdentifier."""
    return bytes.fromhex(parse_digest(text).removeprefix("sha256:"))
