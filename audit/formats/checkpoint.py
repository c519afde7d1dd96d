"""Checkpoints: a log's claim about its size and root (c2sp.org/tlog-checkpoint v1.0.0).

Three lines, one spelling, no extension lines. The text is what the log and its witnesses sign; the signatures
around it are ``audit.formats.note``'s matter.
"""

import base64
import re
from dataclasses import dataclass
from typing import Self

from audit.formats.merkle import EMPTY_ROOT, HASH_SIZE
from audit.formats.names import MAX_NAME_BYTES, valid_name
from contracts.errors import Invalid

MAX_SIZE = 2**63 - 1  # the largest log that every implementation can count
MAX_CHECKPOINT_CHARS = MAX_NAME_BYTES + 100

_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", re.ASCII)


class CheckpointInvalid(Invalid):
    """The checkpoint is not well formed."""

    code = "checkpoint-invalid"
    title_zh = "检查点格式不正确"
    next_zh = "不要采信;向另一来源重新获取检查点。"
    next_en = "Do not rely on it; fetch the checkpoint again from another source."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log ``origin`` has ``size`` entries under ``root``."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a checkpoint; raise CheckpointInvalid, also when an empty log claims another root."""
        claim = cls.parse_claim(text)
        if claim.size == 0 and claim.root != EMPTY_ROOT:
            raise CheckpointInvalid("an empty log has the root of the empty tree")
        return claim

    @classmethod
    def parse_claim(cls, text: str) -> Self:
        """Read a checkpoint whose empty root is not judged yet: a witness answers that with 422, not 400."""
        match = _TEXT.fullmatch(text) if len(text) <= MAX_CHECKPOINT_CHARS else None
        if match is None or not valid_name(match[1]) or int(match[2]) > MAX_SIZE:
            raise CheckpointInvalid("a checkpoint is origin, size and root, one a line")
        claim = cls(match[1], int(match[2]), base64.b64decode(match[3]))
        if str(claim) != text:
            raise CheckpointInvalid("the text is not the one spelling of its checkpoint")
        return claim

    def __post_init__(self) -> None:
        if len(self.root) != HASH_SIZE or not 0 <= self.size <= MAX_SIZE or not valid_name(self.origin):
            raise CheckpointInvalid("the origin, size or root is out of range")

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"
