"""Commitments bind a value without showing it; content is hashed flat and as a tree of chunks."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.commitment import (
    CHUNK_BYTES,
    CommitmentInvalid,
    ContentDigest,
    ContentHasher,
    commit,
    content_commitment,
    new_salt,
)
from audit.formats.merkle import EMPTY_ROOT, leaf_hash, tree_root
from contracts.identifiers import BadIdentifier, parse_digest

SALT = bytes(range(32))


def digest_of(*pieces: bytes) -> ContentDigest:
    """Hash content that arrives in these pieces."""
    hasher = ContentHasher()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def test_a_commitment_is_a_salted_digest() -> None:
    """A commitment is SHA-256 over domain, salt and value, and changes with each of them."""
    assert commit(SALT, b"PM2.5") == "sha256:" + hashlib.sha256(b"hw-commit-v1" + SALT + b"PM2.5").hexdigest()
    assert len({commit(SALT, b"a"), commit(SALT, b"b"), commit(SALT[::-1], b"a")}) == 3
    assert parse_digest(commit(new_salt(), b"a")) != parse_digest(commit(new_salt(), b"a"))


def test_a_content_commitment_binds_root_and_size() -> None:
    """The commitment to content covers its chunk root and its size in eight bytes."""
    root = "sha256:" + EMPTY_ROOT.hex()
    expected = hashlib.sha256(b"hw-content-v1" + SALT + EMPTY_ROOT + bytes(7) + b"\x05").hexdigest()

    assert content_commitment(SALT, root, 5) == f"sha256:{expected}"
    assert content_commitment(SALT, root, 6) != f"sha256:{expected}"


def test_wrong_values_are_refused() -> None:
    """A short salt, a root that is no digest and a negative size commit to nothing."""
    root = "sha256:" + EMPTY_ROOT.hex()
    with pytest.raises(CommitmentInvalid):
        commit(SALT[:-1], b"a")
    with pytest.raises(CommitmentInvalid):
        content_commitment(b"", root, 1)
    with pytest.raises(CommitmentInvalid):
        content_commitment(SALT, root, -1)
    with pytest.raises(BadIdentifier):
        content_commitment(SALT, "sha256:00", 1)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_content_is_hashed_by_chunks(size: int) -> None:
    """The chunk root is the RFC 6962 root over chunks of 64 KiB; nothing at all has the empty root."""
    content = bytes(index % 251 for index in range(size))
    chunks = [content[at : at + CHUNK_BYTES] for at in range(0, size, CHUNK_BYTES)]

    assert digest_of(content) == ContentDigest(
        "sha256:" + hashlib.sha256(content).hexdigest(),
        "sha256:" + tree_root(leaf_hash(chunk) for chunk in chunks).hex(),
        size,
    )


@given(st.lists(st.integers(0, CHUNK_BYTES * 2), max_size=6))
def test_pieces_do_not_matter(sizes: list[int]) -> None:
    """Content gives the same digests however it is cut, and asking early changes nothing."""
    content = b"0123456789abcdef" * (sum(sizes) // 16 + 1)
    hasher, at = ContentHasher(), 0
    for size in sizes:
        hasher.update(memoryview(content)[at : at + size])
        hasher.digest()
        at += size

    assert hasher.digest() == digest_of(content[:at])
