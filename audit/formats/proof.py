"""Offline proofs: an entry's place in the log, in one small text file (c2sp.org/tlog-proof@v1).

The file carries the index, the inclusion path and a checkpoint with its signatures. ``extra`` is
unauthenticated: whatever it holds must be verified by other means.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Self

from audit.formats.checkpoint import MAX_SIZE, Checkpoint
from audit.formats.merkle import HASH_SIZE, MAX_PATH_HASHES, verify_inclusion
from audit.formats.note import MAX_NOTE_BYTES
from contracts.errors import Invalid

MAX_EXTRA_BYTES = 64 * 1024
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES + 4096

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class ProofFileInvalid(Invalid):
    """The proof file is not well formed."""

    code = "proof-file-invalid"
    title_zh = "证明文件格式不正确"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An entry's index, its inclusion path, and the signed checkpoint it leads to."""

    index: int
    path: tuple[bytes, ...]
    checkpoint_note: bytes
    extra: bytes | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a ``.tlog-proof`` file; raise ProofFileInvalid for any other spelling. Nothing is verified."""
        head, blank, note = raw.partition(b"\n\n")
        if len(raw) > MAX_PROOF_BYTES or not blank or not note:
            raise ProofFileInvalid("the file is too large, or holds no checkpoint")
        try:
            header, *lines = head.decode("ascii").split("\n")
            extra = _decode(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
            index = _INDEX.fullmatch(lines.pop(0)) if lines else None
            path = tuple(_decode(line) for line in lines)
        except (UnicodeDecodeError, binascii.Error) as error:
            raise ProofFileInvalid("a line is not base64") from error
        if header != _HEADER or index is None or int(index[1]) > MAX_SIZE:
            raise ProofFileInvalid(f"the file does not begin with {_HEADER} and an index")
        proof = cls(int(index[1]), path, note, extra)
        if proof.encode() != raw:
            raise ProofFileInvalid("the file is not the one spelling of its proof")
        return proof

    def __post_init__(self) -> None:
        if len(self.path) > MAX_PATH_HASHES or any(len(value) != HASH_SIZE for value in self.path):
            raise ProofFileInvalid(f"a path has at most {MAX_PATH_HASHES} hashes of {HASH_SIZE} bytes")
        if self.extra is not None and not 0 < len(self.extra) <= MAX_EXTRA_BYTES:
            raise ProofFileInvalid(f"extra has 1 to {MAX_EXTRA_BYTES} bytes")

    def encode(self) -> bytes:
        """Write the file."""
        extra = [] if self.extra is None else [f"extra {_encode(self.extra)}"]
        lines = [_HEADER, *extra, f"index {self.index}", *map(_encode, self.path)]
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint_note

    def verify(self, leaf: bytes, checkpoint: Checkpoint) -> None:
        """Raise ProofInvalid unless ``leaf`` stands at ``index`` under a verified ``checkpoint``."""
        verify_inclusion(leaf, self.index, checkpoint.size, self.path, checkpoint.root)


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
