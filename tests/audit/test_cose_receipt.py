"""COSE receipts, judged by scitt-cose, which we did not write."""

import pytest
import scitt_cose  # type: ignore[import-untyped]  # the library has no types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.formats.cose_receipt import cose_receipt
from audit.formats.merkle import inclusion_path
from audit.formats.tile import TileHashReader
from audit.keys.signing import SigningKey
from tests.audit.logs import NOW, ORIGIN
from tests.audit.trees import numbered

LOG, OTHER = SigningKey.from_seed(bytes([1]) * 32), SigningKey.from_seed(bytes([2]) * 32)


def pem(key: SigningKey) -> bytes:
    """Write a public key as other people's tools read it."""
    public = Ed25519PublicKey.from_public_bytes(key.public_raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def receipt(index: int, size: int) -> bytes:
    """Prove one entry of a log of numbered entries."""
    tree = numbered(size)
    return cose_receipt(
        LOG,
        origin=ORIGIN,
        subject="g-abcdefghijkm",
        index=index,
        size=size,
        path=inclusion_path(index, size, TileHashReader(tree.tile, size)),
        root=tree.root(size),
        at=NOW,
    )


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (6, 7), (255, 256), (256, 257), (123, 1000)])
def test_another_library_accepts_our_receipts(index: int, size: int) -> None:
    """scitt-cose rebuilds the root from the entry and the path, and verifies the log's signature over it."""
    result = scitt_cose.verify_receipt(
        receipt(index, size), leaf_entry_hex=numbered(size).entries[index].hex(), log_public_key_pem=pem(LOG)
    )

    assert (result.errors, result.ok) == ([], True)
    assert (result.leaf_index, result.tree_size, result.root) == (
        index,
        size,
        numbered(size).root(size).hex(),
    )
    assert (result.issuer, result.subject, result.iat) == (ORIGIN, "g-abcdefghijkm", int(NOW.timestamp()))


def test_it_rejects_another_entry_another_key_and_every_flipped_byte() -> None:
    """A receipt holds for one entry under one key, and no byte of it may change."""
    raw, leaf = receipt(6, 7), numbered(7).entries[6].hex()
    flipped = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    outcomes = {
        scitt_cose.verify_receipt(one, leaf_entry_hex=leaf, log_public_key_pem=pem(LOG)).ok for one in flipped
    }

    assert outcomes == {False}
    assert not scitt_cose.verify_receipt(raw, leaf_entry_hex=leaf + "00", log_public_key_pem=pem(LOG)).ok
    assert not scitt_cose.verify_receipt(raw, leaf_entry_hex=leaf, log_public_key_pem=pem(OTHER)).ok
