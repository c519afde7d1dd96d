"""The ``.hwproof`` file: everything that proves one transfer, in one packed JSON file that needs no network.

It holds the closing entry and the grant's entry with their places in the log, and the six signed statements
that the two entries point to; where a statement was signed by a key that has been replaced since, also the
entry that logged it in time (``terms``). Each checkpoint stands there once, each payload as the JSON that was
signed. DSSE envelopes and c2sp.org/tlog-proof files come out of it byte for byte. Nothing in it is trusted;
``audit.proofs.verify`` judges it by a trust root.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import Field, JsonValue

from audit.formats.checkpoint import Checkpoint
from audit.formats.dsse import MAX_SIGNATURES, Envelope
from audit.formats.merkle import MAX_PATH_HASHES, leaf_hash
from audit.formats.packed import pack, unpack
from audit.formats.proof import TlogProof
from contracts.canonical import Json, canonical_bytes, canonical_part, parse_canonical
from contracts.errors import Invalid
from contracts.messages import (
    Agreement,
    DatasetRecord,
    Grant,
    Inclusion,
    Manifest,
    Receipt,
    Statement,
    Wire,
)
from contracts.spelling import from_base64, to_base64

MAX_PROOF_BYTES = 2 * 1024 * 1024
MAX_PLAIN_BYTES = 16 * 1024 * 1024  # six statements of at most 2 MiB, and room
PROOF_TYPE: Literal["headwaters-transfer-proof/v2"] = "headwaters-transfer-proof/v2"

Term: TypeAlias = Literal["agreement", "manifest", "record"]
TERMS: tuple[Term, ...] = ("agreement", "manifest", "record")
_MAX_CHECKPOINTS = 2 + len(TERMS)
_Base64 = Annotated[str, Field(max_length=8192)]


class BadTransferProof(Invalid):
    """The file is no transfer proof."""

    code = "bad-transfer-proof"
    title_zh = "该文件不是传输证明"


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """One log entry as it was stored, and its place under a checkpoint; nothing is verified yet."""

    leaf: bytes
    proof: TlogProof

    @classmethod
    def of(cls, shown: Inclusion) -> Self:
        """Take an entry as the exchange shows it; raise NotBase64 or ProofFileInvalid."""
        path = tuple(from_base64(text) for text in shown.path)
        return cls(from_base64(shown.leaf), TlogProof(shown.index, path, shown.checkpoint.encode()))

    def verify(self, checkpoint: Checkpoint) -> None:
        """Raise ProofInvalid unless the entry stands at its index under a verified ``checkpoint``."""
        self.proof.verify(leaf_hash(self.leaf), checkpoint)


@dataclass(frozen=True, slots=True)
class Envelopes:
    """The signed statements of a transfer."""

    grant: Envelope
    manifest: Envelope
    agreement: Envelope
    record: Envelope
    provider_receipt: Envelope
    consumer_receipt: Envelope


STATEMENTS: Mapping[str, type[Statement]] = {
    "agreement": Agreement,
    "consumer_receipt": Receipt,
    "grant": Grant,
    "manifest": Manifest,
    "provider_receipt": Receipt,
    "record": DatasetRecord,
}
"""The fields of ``Envelopes``, and what each of them says; the payload type follows and is not written."""


@dataclass(frozen=True, slots=True)
class TransferProof:
    """What the file holds; ``terms`` proves that terms were logged while their key still counted."""

    done: ProvenEntry
    grant: ProvenEntry
    envelopes: Envelopes
    terms: Mapping[Term, ProvenEntry] = field(default_factory=dict)


class SignatureShape(Wire):
    """One signature of a statement, as DSSE writes it."""

    keyid: str
    sig: _Base64


class StatementShape(Wire):
    """A signed statement as files carry it: the payload as JSON instead of base64, and the signatures."""

    payload: dict[str, JsonValue]
    signatures: Annotated[list[SignatureShape], Field(min_length=1, max_length=MAX_SIGNATURES)]

    def envelope(self, kind: type[Statement]) -> Envelope:
        """Give the DSSE envelope; raise NotBase64 or EnvelopeInvalid.

        The shape comes from a file that ``parse_canonical`` has passed.
        """
        signed = tuple((one.keyid, from_base64(one.sig)) for one in self.signatures)
        return Envelope(kind.payload_type, canonical_part(cast(Json, self.payload)), signed)


class EntryShape(Wire):
    """A log entry as files carry it; ``checkpoint`` is a place in the file's list of checkpoints."""

    checkpoint: Annotated[int, Field(ge=0)]
    index: Annotated[int, Field(ge=0, lt=2**53)]
    leaf: dict[str, JsonValue]
    path: Annotated[list[_Base64], Field(max_length=MAX_PATH_HASHES)]

    def proven(self, notes: list[str]) -> ProvenEntry:
        """Give the entry under its checkpoint; raise BadTransferProof, NotBase64 or ProofFileInvalid.

        The shape comes from a file that ``parse_canonical`` has passed.
        """
        if self.checkpoint >= len(notes):
            raise BadTransferProof("an entry names a checkpoint that is not there")
        path = tuple(from_base64(text) for text in self.path)
        proof = TlogProof(self.index, path, notes[self.checkpoint].encode())
        return ProvenEntry(canonical_part(cast(Json, self.leaf)), proof)


class _File(Wire):
    checkpoints: Annotated[list[str], Field(min_length=1, max_length=_MAX_CHECKPOINTS)]
    done: EntryShape
    grant: EntryShape
    statements: dict[str, StatementShape]
    terms: dict[Term, EntryShape]
    type: Literal["headwaters-transfer-proof/v2"]


def encode_proof(proof: TransferProof) -> bytes:
    """Write the file from parts that the caller has verified; raise NotCanonical for a foreign spelling."""
    return pack(_plain(proof))


def read_proof(raw: bytes) -> TransferProof:
    """Read the file; raise BadTransferProof, BadMessage, NotBase64, NotCanonical or PackedFileInvalid.

    Nothing is verified. There is one spelling of each proof, up to how its bytes are deflated.
    """
    plain = unpack(raw, max_packed_bytes=MAX_PROOF_BYTES, max_plain_bytes=MAX_PLAIN_BYTES)
    parse_canonical(plain)
    shape = _File.parse(plain)
    if shape.statements.keys() != STATEMENTS.keys():
        raise BadTransferProof("a transfer proof carries six statements, no more and no fewer")
    entries = [shape.done, shape.grant, *(shape.terms[name] for name in TERMS if name in shape.terms)]
    if list(dict.fromkeys(entry.checkpoint for entry in entries)) != list(range(len(shape.checkpoints))):
        raise BadTransferProof("the checkpoints are not in the order in which the entries name them")
    if len(set(shape.checkpoints)) != len(shape.checkpoints):
        raise BadTransferProof("a checkpoint stands there twice")
    envelopes = {name: shape.statements[name].envelope(kind) for name, kind in STATEMENTS.items()}
    return TransferProof(
        shape.done.proven(shape.checkpoints),
        shape.grant.proven(shape.checkpoints),
        Envelopes(**envelopes),
        {name: entry.proven(shape.checkpoints) for name, entry in shape.terms.items()},
    )


def entry_shape(entry: ProvenEntry, notes: list[str]) -> dict[str, Json]:
    """Write an entry for a file; its checkpoint joins ``notes`` where it is not among them yet."""
    note = entry.proof.checkpoint_note.decode()
    if note not in notes:
        notes.append(note)
    return {
        "checkpoint": notes.index(note),
        "index": entry.proof.index,
        "leaf": parse_canonical(entry.leaf),
        "path": [to_base64(value) for value in entry.proof.path],
    }


def statement_shape(envelope: Envelope) -> dict[str, Json]:
    """Write a signed statement for a file; raise NotCanonical when what was signed has another spelling."""
    signatures: list[Json] = [{"keyid": name, "sig": to_base64(raw)} for name, raw in envelope.signatures]
    return {"payload": parse_canonical(envelope.payload), "signatures": signatures}


def _plain(proof: TransferProof) -> bytes:
    notes: list[str] = []
    value: dict[str, Any] = {  # Any: canonical_bytes checks every value below
        "done": entry_shape(proof.done, notes),
        "grant": entry_shape(proof.grant, notes),
        "statements": {name: statement_shape(getattr(proof.envelopes, name)) for name in STATEMENTS},
        "terms": {name: entry_shape(proof.terms[name], notes) for name in TERMS if name in proof.terms},
        "type": PROOF_TYPE,
    }
    return canonical_bytes({**value, "checkpoints": notes})
