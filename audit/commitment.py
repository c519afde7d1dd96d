"""Salted commitments and content digests: what the log says of a value without showing it.

A commitment is SHA-256 over a domain, 32 random bytes and the value; whoever holds the salt can open it,
and once the salt is erased nobody can guess the value. Content is hashed twice: flat, for people with
``sha256sum``, and as an RFC 6962 tree over chunks of 64 KiB, so that one chunk can be shown alone.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

from audit.formats.merkle import Frontier
from contracts.canonical import sha256_hex
from contracts.errors import Invalid
from contracts.identifiers import digest_bytes, format_digest

SALT_SIZE = 32
CHUNK_BYTES = 64 * 1024

_VALUE_DOMAIN = b"hw-commit-v1"
_CONTENT_DOMAIN = b"hw-content-v1"


class CommitmentInvalid(Invalid):
    """The commitment cannot be made of these values."""

    code = "commitment-invalid"
    title_zh = "承诺值格式不正确"


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """The digests of some bytes; both are written ``sha256:<hex>``."""

    sha256: str
    chunk_root: str
    size_bytes: int


class ContentHasher:
    """Takes content in pieces of any length and gives its digests; keeps only the right edge."""

    def __init__(self) -> None:
        self._flat = hashlib.sha256()
        self._chunk = _new_chunk()
        self._room = CHUNK_BYTES
        self._frontier = Frontier()
        self._size_bytes = 0

    def update(self, piece: bytes | bytearray | memoryview) -> None:
        """Add the next bytes."""
        self._flat.update(piece)
        view = memoryview(piece).cast("B")
        self._size_bytes += len(view)
        while len(view):
            part = view[: self._room]
            self._chunk.update(part)
            self._room -= len(part)
            view = view[len(part) :]
            if not self._room:
                self._frontier.append(self._chunk.digest())
                self._chunk, self._room = _new_chunk(), CHUNK_BYTES

    def digest(self) -> ContentDigest:
        """Give the digests of what has been added so far."""
        frontier = self._frontier.copy()
        if self._room < CHUNK_BYTES:
            frontier.append(self._chunk.digest())
        flat, chunk_root = format_digest(self._flat.digest()), format_digest(frontier.root())
        return ContentDigest(flat, chunk_root, self._size_bytes)


def new_salt() -> bytes:
    """Make 32 random bytes."""
    return secrets.token_bytes(SALT_SIZE)


def commit(salt: bytes, value: bytes) -> str:
    """Commit to ``value``: ``sha256:`` over ``hw-commit-v1``, salt and value."""
    _check_salt(salt)
    return sha256_hex(_VALUE_DOMAIN + salt + value)


def content_commitment(salt: bytes, chunk_root: str, size_bytes: int) -> str:
    """Commit to content: ``sha256:`` over ``hw-content-v1``, salt, chunk root and the size in 8 bytes."""
    _check_salt(salt)
    if not 0 <= size_bytes < 2**63:
        raise CommitmentInvalid("the size is out of range")
    return sha256_hex(_CONTENT_DOMAIN + salt + digest_bytes(chunk_root) + size_bytes.to_bytes(8))


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def _new_chunk() -> _Hash:
    return hashlib.sha256(b"\x00")  # the leaf prefix of RFC 6962


def _check_salt(salt: bytes) -> None:
    if len(salt) != SALT_SIZE:
        raise CommitmentInvalid(f"a salt has {SALT_SIZE} bytes")
