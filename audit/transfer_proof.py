"""The ``.hwproof`` file: everything that proves one transfer, in one JSON file that needs no network.

It holds the closing entry and the grant's entry, each with its tlog-proof, and the six signed statements that
the two entries point to. Nothing in it is trusted; ``audit.verify`` judges it by a trust root.
"""

import base64
import binascii
from typing import Literal

from audit.proof import TlogProof
from contracts.errors import Invalid
from contracts.messages import Wire

MAX_PROOF_BYTES = 16 * 1024 * 1024  # six envelopes of at most 2 MiB, and room for base64
PROOF_TYPE: Literal["headwaters-transfer-proof/v1"] = "headwaters-transfer-proof/v1"


class BadTransferProof(Invalid):
    """The file is no transfer proof."""

    code = "bad-transfer-proof"
    title_zh = "该文件不是传输证明"


class ProvenEntry(Wire):
    """One log entry and its place: the leaf's bytes in base64, and a c2sp.org/tlog-proof."""

    leaf: str
    tlog_proof: str

    def leaf_bytes(self) -> bytes:
        """Give the bytes of the entry; raise BadTransferProof."""
        try:
            return base64.b64decode(self.leaf, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadTransferProof("a leaf is not base64") from error

    def proof(self) -> TlogProof:
        """Give the entry's place; raise ProofFileInvalid. Nothing is verified."""
        return TlogProof.parse(self.tlog_proof.encode())


class Envelopes(Wire):
    """The signed statements of a transfer, each the JSON text of a DSSE envelope."""

    grant: str
    manifest: str
    agreement: str
    record: str
    provider_receipt: str
    consumer_receipt: str


class TransferProof(Wire):
    """The file as a whole; ``leaf`` and ``tlog_proof`` are those of the closing entry."""

    type: Literal["headwaters-transfer-proof/v1"] = PROOF_TYPE
    leaf: str
    tlog_proof: str
    grant: ProvenEntry
    envelopes: Envelopes

    @property
    def done(self) -> ProvenEntry:
        """The closing entry and its place."""
        return ProvenEntry(leaf=self.leaf, tlog_proof=self.tlog_proof)


def proven_entry(leaf: bytes, proof: TlogProof) -> ProvenEntry:
    """Write an entry and its place as they stand in the file."""
    return ProvenEntry(leaf=base64.b64encode(leaf).decode(), tlog_proof=proof.encode().decode())


def assemble_proof(done: ProvenEntry, grant: ProvenEntry, envelopes: Envelopes) -> bytes:
    """Write the file from parts that the caller has verified."""
    return TransferProof(
        leaf=done.leaf, tlog_proof=done.tlog_proof, grant=grant, envelopes=envelopes
    ).canonical()


def read_proof(raw: bytes) -> TransferProof:
    """Read the file; raise BadTransferProof or BadMessage. Nothing is verified."""
    if len(raw) > MAX_PROOF_BYTES:
        raise BadTransferProof(f"a transfer proof has at most {MAX_PROOF_BYTES} bytes")
    return TransferProof.parse(raw)
