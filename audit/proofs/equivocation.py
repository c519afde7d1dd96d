"""Proof that a log signed two histories: a file of its own that anyone can check (``.hwfork``).

It holds two checkpoints that the log signed and, where their sizes differ, the path that leads from the
larger tree to another root for the smaller size. Nothing else is believed: an innocent log cannot be accused
with it, because every hash of the path is bound by the larger checkpoint's root. One spelling, as text:

    headwaters-log-fork@v1
    <base64 hash>              none for equal sizes, else the path, the shared subtree first
    <empty line>
    <checkpoint of the smaller size, with the log's signature and no other>
    <empty line>
    <checkpoint of the larger size, likewise>
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import (
    MAX_PATH_HASHES,
    HashReader,
    ProofInvalid,
    consistency_path,
    consistency_roots,
    root_from,
)
from audit.formats.note import Note, VerifierKey, parse_note
from contracts.canonical import sha256_hex
from contracts.errors import HeadwatersError, Invalid, Undecidable

SUFFIX = ".hwfork"
HEADER = "headwaters-log-fork@v1"
MAX_FORK_BYTES = 8 * 1024  # 64 hashes and two notes with one signature each, names included
_PARTS = 5


class ForkUnproven(Invalid):
    """The file does not prove that a log signed two histories."""

    code = "fork-unproven"
    title_zh = "该文件不能证明日志签署了两个历史"
    next_zh = "不要据此指控日志;向给出文件的一方索取完整证据。"
    next_en = "Accuse no log on this; ask whoever gave the file for the whole evidence."


class UnknownLog(Undecidable):
    """The trust root does not name this log."""

    code = "log-not-in-trust-root"
    title_zh = "信任根中没有该日志"
    next_zh = "用 --trust 指定列有该日志公钥的信任根。"
    next_en = "Name a trust root with --trust that lists this log's key."


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two log-signed notes and the path between them; what it claims holds once ``verify_fork`` says so."""

    smaller: Note
    larger: Note
    path: tuple[bytes, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a ``.hwfork`` file; raise ForkUnproven for any other spelling. Nothing is verified."""
        if len(raw) > MAX_FORK_BYTES:
            raise ForkUnproven(f"a fork file has at most {MAX_FORK_BYTES} bytes")
        parts = raw.split(b"\n\n")
        if len(parts) != _PARTS:
            raise ForkUnproven("a fork file is a header and two checkpoints, an empty line between them")
        try:
            header, *hashes = parts[0].decode("ascii").split("\n")
            path = tuple(base64.b64decode(line, validate=True) for line in hashes)
            notes = (parse_note(parts[1] + b"\n\n" + parts[2] + b"\n"), parse_note(b"\n\n".join(parts[3:])))
        except (UnicodeDecodeError, binascii.Error) as error:
            raise ForkUnproven("a line of the path is not base64") from error
        except HeadwatersError as error:
            raise ForkUnproven(str(error)) from error
        proof = cls(*notes, path)
        if header != HEADER or len(path) > MAX_PATH_HASHES + 1 or proof.encode() != raw:
            raise ForkUnproven("the file is not the one spelling of its proof")
        return proof

    def encode(self) -> bytes:
        """Write the file."""
        lines = [HEADER, *(base64.b64encode(value).decode() for value in self.path)]
        head = "\n".join(lines).encode()
        return head + b"\n\n" + self.smaller.encode() + b"\n" + self.larger.encode()

    @property
    def digest(self) -> str:
        """Name the file by the digest of its bytes."""
        return sha256_hex(self.encode())


@dataclass(frozen=True, slots=True)
class Fork:
    """What is proven: the log ``origin`` signed two histories of its first ``size`` entries."""

    origin: str
    key: VerifierKey
    size: int  # the smaller one; the histories differ below it
    root: bytes  # as the smaller checkpoint says
    other_size: int
    other_root: bytes  # of the first ``size`` entries, as the larger checkpoint says
    digest: str

    @property
    def file_name(self) -> str:
        """How the file is called wherever it is kept as evidence."""
        return f"{self.digest.removeprefix('sha256:')[:16]}{SUFFIX}"


def verify_fork(raw: bytes, log_keys: Iterable[VerifierKey]) -> Fork:
    """Say what a ``.hwfork`` file proves under the log keys that the caller trusts.

    Raises:
        ForkUnproven: the file is not one, or the two checkpoints may be one history.
        UnknownLog: none of the keys is the log's.
    """
    proof = ForkProof.parse(raw)
    try:
        smaller, larger = Checkpoint.parse(proof.smaller.text), Checkpoint.parse(proof.larger.text)
    except HeadwatersError as error:
        raise ForkUnproven(str(error)) from error
    if smaller.origin != larger.origin:
        raise ForkUnproven("the checkpoints are of two logs")
    keys = [key for key in log_keys if key.name == smaller.origin]
    if not keys:
        raise UnknownLog(f"{smaller.origin} is not trusted here", origin=smaller.origin)
    key = _signer(proof.smaller, keys)
    if _signer(proof.larger, keys) != key:
        raise ForkUnproven("two keys signed the two checkpoints")
    other = _other_root(smaller, larger, proof.path)
    return Fork(key.name, key, smaller.size, smaller.root, larger.size, other, proof.digest)


def prove_fork(first: bytes, second: bytes, key: VerifierKey, path: Iterable[bytes] = ()) -> ForkProof:
    """Make the proof from two notes that ``key`` signed, in whatever order; cosignatures are left out.

    ``path`` is what ``fork_path`` gives over the larger tree; equal sizes need none. Raises ForkUnproven
    where the two may be one history, NoteInvalid or CheckpointInvalid for a note that does not hold.
    """
    notes = [_only(parse_note(raw), key) for raw in (first, second)]
    notes.sort(key=lambda note: _place(Checkpoint.parse(note.text)))
    proof = ForkProof(notes[0], notes[1], tuple(path))
    verify_fork(proof.encode(), [key])
    return proof


def fork_path(old: int, new: int, reader: HashReader) -> list[bytes]:
    """Give the path from a tree of ``new`` to its own root at ``old``, the shared subtree first."""
    path = consistency_path(old, new, reader)
    shared = [root_from(old, reader)] if old and not old & (old - 1) and old != new else []
    return shared + path


def _place(claim: Checkpoint) -> tuple[int, bytes]:
    return claim.size, claim.root


def _other_root(smaller: Checkpoint, larger: Checkpoint, path: tuple[bytes, ...]) -> bytes:
    """Give the root of the smaller size under the larger checkpoint, where it is another."""
    if smaller.size == larger.size:
        if path or smaller.root >= larger.root:
            raise ForkUnproven("equal sizes have two roots, the lesser first, and no path")
        return larger.root
    try:
        other, root = consistency_roots(smaller.size, larger.size, path)
    except ProofInvalid as error:
        raise ForkUnproven(str(error)) from error
    if root != larger.root:
        raise ForkUnproven("the path does not lead to the larger checkpoint's root")
    if other == smaller.root:
        raise ForkUnproven("the two checkpoints are one history")
    return other


def _signer(note: Note, keys: Iterable[VerifierKey]) -> VerifierKey:
    try:
        found = [key for key, _ in note.verified(keys)]
    except HeadwatersError as error:
        raise ForkUnproven(str(error)) from error
    # A line by anybody else proves nothing here, and could be changed without a trace.
    if len(found) != 1 or len(note.signatures) != 1:
        raise ForkUnproven("a checkpoint in a fork file bears the log's signature and no other")
    return found[0]


def _only(note: Note, key: VerifierKey) -> Note:
    lines = tuple(line for _, line in note.verified([key]))
    if not lines:
        raise ForkUnproven("the log did not sign one of the checkpoints")
    return Note(note.text, lines)
