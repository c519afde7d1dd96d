"""Cosignatures and the rules of a witness (c2sp.org/tlog-cosignature v1.0.1, c2sp.org/tlog-witness v1.0.0).

A cosignature says: as of this second, this is the largest consistent tree I have seen for this origin.
``judge`` is the witness's whole decision, pure; its caller stores the new state, in one transaction with
the check, before it signs and answers.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Self

from audit.formats.checkpoint import MAX_SIZE, Checkpoint, CheckpointInvalid
from audit.formats.merkle import EMPTY_ROOT, HASH_SIZE, MAX_PATH_HASHES, ProofInvalid, verify_consistency
from audit.formats.note import (
    MAX_NOTE_BYTES,
    KeyType,
    Note,
    NoteInvalid,
    NoteSignature,
    VerifierKey,
    cosigned_message,
    parse_note,
)
from audit.keys.signing import PublicKey, Signer
from contracts.errors import Invalid

MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 4096
SIZE_CONTENT_TYPE = "text/x.tlog.size"  # marks the 409 that names the size to start from

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_RAW_SIZE = 8 + 64


class CosignatureInvalid(Invalid):
    """The cosignature is not well formed."""

    code = "cosignature-invalid"
    title_zh = "副署格式不正确"


class AddCheckpointInvalid(Invalid):
    """The request to cosign is not well formed."""

    code = "add-checkpoint-invalid"
    title_zh = "副署请求格式不正确"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Who cosigned, and when, in seconds since 1970."""

    name: str
    key_id: bytes
    timestamp_seconds: int

    @classmethod
    def read(cls, signature: NoteSignature) -> Self:
        """Read a signature line of type 0x04; raise CosignatureInvalid. Verifying it is ``Note.verified``."""
        if len(signature.raw) != _RAW_SIZE:
            raise CosignatureInvalid("a cosignature has 8 bytes of time and 64 of signature")
        seconds = int.from_bytes(signature.raw[:8])
        if seconds > MAX_SIZE:
            raise CosignatureInvalid("the time is out of range")
        return cls(signature.name, signature.key_id, seconds)

    @property
    def at(self) -> datetime:
        """The moment in UTC; raises CosignatureInvalid beyond the calendar."""
        try:
            return datetime.fromtimestamp(self.timestamp_seconds, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise CosignatureInvalid("the time is beyond the calendar") from error


class Cosigner:
    """A witness's pen: cosigns checkpoints under one name (type 0x04)."""

    def __init__(self, name: str, key: Signer) -> None:
        self._key = key
        self.verifier_key = VerifierKey(name, KeyType.COSIGNATURE, PublicKey(key.public_raw))

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.verifier_key.name

    def cosign(self, text: str, at: datetime) -> str:
        """Give the signature line over a note's ``text`` as of ``at``; raise CheckpointInvalid."""
        Checkpoint.parse(text)
        seconds = int(at.timestamp())
        raw = seconds.to_bytes(8) + self._key.sign(cosigned_message(text, seconds))
        return NoteSignature(self.name, self.verifier_key.key_id, raw).line


@dataclass(frozen=True, slots=True)
class AddCheckpointRequest:
    """What a log asks of a witness: cosign ``note``, which extends the tree of ``old_size``."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint  # as claimed by the note; ``judge`` decides whether it holds


@dataclass(frozen=True, slots=True)
class WitnessState:
    """The largest tree that a witness has cosigned for one origin."""

    size: int
    root: bytes


class Finding(StrEnum):
    """Why a witness answers as it does."""

    COSIGN = "cosign"
    OLD_ABOVE_NEW = "old-above-new"
    NOT_SIGNED_BY_LOG = "not-signed-by-log"
    UNKNOWN_ORIGIN = "unknown-origin"
    OLD_IS_NOT_LAST = "old-is-not-last"
    EMPTY_ROOT_WRONG = "empty-root-wrong"
    FORK = "fork"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A witness's answer: the HTTP status and its reason; ``state`` is stored before a 200 goes out."""

    status: Literal[200, 400, 403, 404, 409, 422]
    finding: Finding
    state: WitnessState | None = None
    last_size: int | None = None

    @property
    def body(self) -> bytes:
        """The body of the answer, empty for all but a 409 (a 200 carries the cosignature line instead)."""
        return b"" if self.last_size is None else f"{self.last_size}\n".encode()


def judge(  # noqa: PLR0911  # one return for each row of the table
    state: WitnessState | None, request: AddCheckpointRequest, log_key: VerifierKey | None
) -> Verdict:
    """Decide one request by the table of tlog-witness; ``state`` is None before the first cosignature.

    ``log_key`` is the key of the origin that the request names, None when the witness does not know it. A
    body that does not parse is the caller's 400.
    """
    claim = request.checkpoint
    if log_key is None or log_key.name != claim.origin:
        return Verdict(404, Finding.UNKNOWN_ORIGIN)
    if not _signed_by(request.note, log_key):
        return Verdict(403, Finding.NOT_SIGNED_BY_LOG)
    if request.old_size > claim.size:
        return Verdict(400, Finding.OLD_ABOVE_NEW)
    last = state or WitnessState(0, EMPTY_ROOT)
    if request.old_size != last.size:
        return Verdict(409, Finding.OLD_IS_NOT_LAST, last_size=last.size)
    if claim.size == 0 and claim.root != EMPTY_ROOT:
        return Verdict(422, Finding.EMPTY_ROOT_WRONG)
    if claim.size == last.size and claim.root != last.root:
        return Verdict(422, Finding.FORK)
    try:
        verify_consistency(last.size, claim.size, request.proof, last.root, claim.root)
    except ProofInvalid:
        return Verdict(422, Finding.INCONSISTENT)
    return Verdict(200, Finding.COSIGN, WitnessState(claim.size, claim.root))


def parse_add_checkpoint(body: bytes) -> AddCheckpointRequest:
    """Read the body of ``POST add-checkpoint``; raise AddCheckpointInvalid for any other spelling."""
    if len(body) > MAX_REQUEST_BYTES:
        raise AddCheckpointInvalid(f"the request is larger than {MAX_REQUEST_BYTES} bytes")
    head, blank, raw_note = body.partition(b"\n\n")
    if not blank:
        raise AddCheckpointInvalid("there is no empty line before the checkpoint")
    try:
        first, *hashes = head.decode("ascii").split("\n")
        proof = tuple(base64.b64decode(line, validate=True) for line in hashes)
        note = parse_note(raw_note)
        claim = Checkpoint.parse_claim(note.text)
    except (UnicodeDecodeError, binascii.Error, NoteInvalid, CheckpointInvalid) as error:
        raise AddCheckpointInvalid(f"a line is not well formed: {error}") from error
    old = _OLD.fullmatch(first)
    if old is None or int(old[1]) > MAX_SIZE:
        raise AddCheckpointInvalid("the first line is not: old, a space, a size")
    if len(proof) > MAX_PATH_HASHES or any(len(value) != HASH_SIZE for value in proof):
        raise AddCheckpointInvalid(f"a proof has at most {MAX_PATH_HASHES} hashes of {HASH_SIZE} bytes")
    if format_add_checkpoint(int(old[1]), proof, raw_note) != body:
        raise AddCheckpointInvalid("a hash is not the one base64 spelling of its bytes")
    return AddCheckpointRequest(int(old[1]), proof, note, claim)


def format_add_checkpoint(old_size: int, proof: tuple[bytes, ...] | list[bytes], note: bytes) -> bytes:
    """Write the body of ``POST add-checkpoint``; ``note`` carries the log's signature and no cosignature."""
    lines = [f"old {old_size}", *(base64.b64encode(value).decode() for value in proof)]
    return "\n".join(lines).encode() + b"\n\n" + note


def _signed_by(note: Note, log_key: VerifierKey) -> bool:
    try:
        return bool(note.verified([log_key]))
    except NoteInvalid:
        return False
