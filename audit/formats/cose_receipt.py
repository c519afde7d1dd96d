"""COSE receipts: an entry's place in the log as SCITT verifiers read it (RFC 9942, RFC 9943 s6).

A receipt is a COSE_Sign1 by the log's key over the Merkle root, detached, with the inclusion proof in its
unprotected header. It repeats for other people's tools what the log and its checkpoint say; it carries no
cosignature, so it is weaker evidence than a tlog-proof.
"""

from collections.abc import Sequence
from datetime import datetime

import cbor2

from audit.keys.signing import Signer

_SIGN1_TAG = 18
_ALG, _KID, _CWT_CLAIMS, _VDS, _VDP = 1, 4, 15, 395, 396  # header labels
_EDDSA, _RFC9162_SHA256, _INCLUSION = -8, 1, -1
_ISS, _SUB, _IAT = 1, 2, 6  # CWT claims (RFC 8392)


def cose_receipt(
    signer: Signer,
    *,
    origin: str,
    subject: str,
    index: int,
    size: int,
    path: Sequence[bytes],
    root: bytes,
    at: datetime,
) -> bytes:
    """Sign that entry ``index`` stands under ``root`` in the log ``origin`` of ``size`` entries.

    ``path`` leads from the entry to ``root`` (RFC 9162 s2.1.3); ``subject`` names what the entry is about.
    """
    claims = {_ISS: origin, _SUB: subject, _IAT: int(at.timestamp())}
    protected = _encode(
        {_ALG: _EDDSA, _KID: signer.key_id.encode(), _CWT_CLAIMS: claims, _VDS: _RFC9162_SHA256}
    )
    signature = signer.sign(_encode(["Signature1", protected, b"", root]))
    proof = _encode([size, index, list(path)])
    unprotected = {_VDP: {_INCLUSION: [proof]}}
    return _encode(cbor2.CBORTag(_SIGN1_TAG, [protected, unprotected, None, signature]))


def _encode(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)
