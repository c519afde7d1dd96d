"""Holds an exported log to PyPI's ``sigstore``, which Headwaters did not write: ``check.py DIR...``.

Each DIR holds a checkpoint; vkeys, whose first line is the log's key; and proofs.json, written by the code
under test. The checkpoint and every inclusion proof go through the functions that judge Rekor's; they are
private to that package, hence the pinned version. Cosignatures are a suite they do not know. One line a DIR;
exits 1 on any fault. It runs in an environment of its own and imports nothing of Headwaters.
"""

# mypy: disable-error-code="import-not-found"
# The package lives in the environment that runs this, not in the one that checks it.

import base64
import json
import sys
from pathlib import Path
from types import SimpleNamespace

from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
from sigstore._internal.trust import Keyring
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

_ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before the 32 bytes


def _log(vkey: str) -> tuple[str, bytes, Keyring]:
    name, key_id, key = vkey.split("+", 2)
    der = _ED25519_SPKI + base64.b64decode(key)[1:]
    public = PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)
    return name, bytes.fromhex(key_id), Keyring([public])


def _check(folder: Path) -> str:
    note = (folder / "checkpoint").read_text()
    name, key_id, keyring = _log((folder / "vkeys").read_text().partition("\n")[0])
    claims = json.loads((folder / "proofs.json").read_text())
    checkpoint = SignedCheckpoint.from_text(note).checkpoint
    if checkpoint.origin != name:
        raise ValueError("another log's checkpoint")
    root = bytes.fromhex(checkpoint.log_hash)
    # An empty log has no entry to prove: its checkpoint alone is verified.
    for claim in claims["Inclusion"] or [None]:
        proof = SimpleNamespace(
            checkpoint=SimpleNamespace(envelope=note), root_hash=root, tree_size=checkpoint.log_size
        )
        inner = SimpleNamespace(log_id=SimpleNamespace(key_id=key_id), inclusion_proof=proof)
        verify_checkpoint(keyring, SimpleNamespace(_inner=inner))
        if claim is not None:
            if not 0 <= claim["Index"] < checkpoint.log_size:
                raise ValueError("the index lies outside the log")
            proof.log_index = claim["Index"]
            proof.hashes = [base64.b64decode(one) for one in claim["Path"]]
            inner.canonicalized_body = base64.b64decode(claim["Leaf"])
            verify_merkle_inclusion(SimpleNamespace(_inner=inner))
    return f"{checkpoint.log_size} entries, {len(claims['Inclusion'])} proofs"


def main() -> int:
    """Judge every folder that is named."""
    code = 0
    for name in sys.argv[1:]:
        try:
            print("OK", _check(Path(name)))  # noqa: T201 - its one line is its answer
        except Exception as error:  # noqa: BLE001 - whatever the judge throws is a rejection
            print("REJECTED", repr(f"{type(error).__name__}: {error}"[:300]))  # noqa: T201 - the same
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
