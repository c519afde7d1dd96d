"""What nodes tell each other about the log, so that nobody can show two histories of it and go unnoticed."""

from typing import Annotated, ClassVar

from pydantic import Field

from contracts.messages.wire import At, Digest, ParticipantId, Short, Statement, Wire

MAX_NOTE_CHARS = 128 * 1024
MAX_FORK_CHARS = 12 * 1024

NoteText = Annotated[str, Field(min_length=1, max_length=MAX_NOTE_CHARS)]
HashText = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
ForkText = Annotated[str, Field(min_length=1, max_length=MAX_FORK_CHARS)]  # base64 of a .hwfork file


class GossipQuestion(Wire):
    """A node asks another what it saw of one log; ``checkpoint`` is the largest that the asker verified."""

    origin: Short
    nonce: Annotated[str, Field(min_length=16, max_length=64)]
    checkpoint: NoteText | None


class GossipAnswer(Statement):
    """What a node saw of one log, signed by its node key.

    ``cosigned`` is what its witness cosigned last, ``published`` the largest quorum-cosigned checkpoint up
    to which it mirrors the log. ``path`` leads from ``published`` to its own root at the asker's size, the
    shared subtree first, where the asker's checkpoint is the smaller one. ``forks`` are proofs that logs
    signed two histories.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.gossip.v1+json"

    origin: Short
    nonce: Annotated[str, Field(min_length=16, max_length=64)]
    participant: ParticipantId
    cosigned: NoteText | None
    published: NoteText | None
    path: Annotated[list[HashText], Field(max_length=64)]
    forks: Annotated[list[ForkText], Field(max_length=8)]
    at: At


class ForkReport(Wire):
    """The proof that a log signed two histories, on its way to the exchange."""

    fork: ForkText


class ForkAnswer(Wire):
    """The exchange took the proof; its log signs nothing more."""

    evidence: Digest
