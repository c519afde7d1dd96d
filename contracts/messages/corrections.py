"""Objections to data that was received, and the provider's answers (数据校核, Order 809 article 26).

    open ──▶ acknowledged ──▶ verified ──▶ corrected ──▶ closed
      │           │    └────▶ rejected ────────────────────▲
      └───────────┴────────▶ withdrawn

Each arrow but ``corrected`` is a signed statement that names the one before it by digest; ``corrected`` is
the manifest of the release that replaces the disputed one. What is wrong with which record, and the words of
an answer, are sealed for the other side: a statement carries their digest, the exchange never reads them.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from contracts.messages.wire import (
    At,
    DatasetId,
    Digest,
    GrantId,
    Long,
    ObjectionId,
    ParticipantId,
    Short,
    Statement,
    Wire,
)

MAX_DISPUTED = 500
MAX_SEALED_CHARS = 384 * 1024  # base64 of sealed particulars: 500 records and words have room
MAX_WORDS_CHARS = 32 * 1024  # base64 of the sealed words of a step

Salt = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SealedText = Annotated[str, Field(min_length=1, max_length=MAX_SEALED_CHARS)]
SealedWords = Annotated[str, Field(min_length=1, max_length=MAX_WORDS_CHARS)]


class ObjectionState(StrEnum):
    """How far an objection has come."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    VERIFIED = "verified"
    REJECTED = "rejected"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class StepKind(StrEnum):
    """What a side does about an objection."""

    ACKNOWLEDGE = "acknowledge"
    VERIFY = "verify"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    CLOSE = "close"


PROVIDER_STEPS = frozenset({StepKind.ACKNOWLEDGE, StepKind.VERIFY, StepKind.REJECT})
"""The steps of the provider; the others are the objector's."""

_AFTER = {
    (ObjectionState.OPEN, StepKind.ACKNOWLEDGE): ObjectionState.ACKNOWLEDGED,
    (ObjectionState.ACKNOWLEDGED, StepKind.VERIFY): ObjectionState.VERIFIED,
    (ObjectionState.ACKNOWLEDGED, StepKind.REJECT): ObjectionState.REJECTED,
    (ObjectionState.OPEN, StepKind.WITHDRAW): ObjectionState.WITHDRAWN,
    (ObjectionState.ACKNOWLEDGED, StepKind.WITHDRAW): ObjectionState.WITHDRAWN,
    (ObjectionState.REJECTED, StepKind.CLOSE): ObjectionState.CLOSED,
    (ObjectionState.CORRECTED, StepKind.CLOSE): ObjectionState.CLOSED,
}

AWAITS_PROVIDER = frozenset({ObjectionState.OPEN, ObjectionState.ACKNOWLEDGED, ObjectionState.VERIFIED})
"""The states in which the legal clock runs: the provider has neither refused nor corrected."""

AWAITS_OBJECTOR = frozenset({ObjectionState.REJECTED, ObjectionState.CORRECTED})
"""The states in which the objector may still say that the answer satisfies it."""

CLOSED_BY_TIME = "time-over"
"""Why an objection is closed to whose answer the objector said nothing."""


def state_after(state: ObjectionState, step: StepKind) -> ObjectionState | None:
    """Give the state that a step leads to; None where it has no place."""
    return _AFTER.get((state, step))


class Fault(StrEnum):
    """What kind of fault an objector sees."""

    WRONG_VALUE = "wrong-value"
    WRONG_UNIT = "wrong-unit"
    WRONG_TIME = "wrong-time"
    WRONG_PLACE = "wrong-place"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    OTHER = "other"


class Objection(Statement):
    """A consumer disputes records of a release that it received, or with ``records`` 0 the whole release.

    ``view`` is the digest of the bytes that it signed for under ``grant``: its row numbers are theirs.
    ``particulars`` is the digest of ``Particulars``, which only the two sides read.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.objection.v1+json"

    objection: ObjectionId
    dataset: DatasetId
    release: Annotated[int, Field(ge=1)]
    manifest: Digest
    grant: GrantId
    view: Digest
    objector: ParticipantId
    provider: ParticipantId
    fault: Fault
    records: Annotated[int, Field(ge=0, le=MAX_DISPUTED)]
    particulars: Digest
    at: At


class ObjectionStep(Statement):
    """One step of a side; ``number`` counts from 1 and ``previous`` is the statement before it.

    ``words`` is the digest of ``StepWords``, sealed for the other side; null where nothing is said.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.objection-step.v1+json"

    objection: ObjectionId
    number: Annotated[int, Field(ge=1)]
    previous: Digest
    step: StepKind
    by: ParticipantId
    words: Digest | None
    at: At


class DisputedRecord(Wire):
    """One record as the objector received it: its row in the view, from 1, and the place of the fault.

    ``record`` is the digest of the record as it stands in the view (``nodes.correcting.records``), so the
    provider can say whether it delivered it. ``found`` and ``expected`` are JSON texts.
    """

    row: Annotated[int, Field(ge=1)]
    pointer: Annotated[str, Field(max_length=200, description="JSON pointer; empty: the whole record")]
    record: Digest
    found: Short | None = None
    expected: Short | None = None


class Particulars(Wire):
    """What is wrong, in words and records; sealed for the provider. The salt hides short words."""

    salt: Salt
    words: Long
    records: Annotated[list[DisputedRecord], Field(max_length=MAX_DISPUTED)]

    @model_validator(mode="after")
    def _is_plain(self) -> Self:
        places = [(one.row, one.pointer) for one in self.records]
        if len(set(places)) != len(places):
            raise ValueError("a record is disputed twice in one place")
        return self


class StepWords(Wire):
    """What a side says with a step; sealed for the other side."""

    salt: Salt
    words: Long


class ObjectionFiling(Wire):
    """An objector hands in its objection with the sealed particulars (base64)."""

    envelope: str
    sealed: SealedText


class StepFiling(Wire):
    """A side hands in a step, with its sealed words where it says something (base64)."""

    envelope: str
    sealed: SealedWords | None = None


class FiledStep(Wire):
    """One step as the exchange keeps it."""

    envelope: str
    sealed: str | None = None


class Recipient(Wire):
    """Who received a release that was corrected; whether it was told, and whether it holds the correction."""

    participant: ParticipantId
    release: Annotated[int, Field(ge=1, description="the newest of the replaced releases that it received")]
    told_at: At | None
    received: bool


class RecipientList(Wire):
    """Every earlier recipient of a corrected release."""

    recipients: list[Recipient]


class ObjectionView(Wire):
    """One objection as the exchange shows it to its two sides; ``recipients`` is for the provider.

    ``due_at`` is the end of the tenth working day; ``guessed_years`` are those of which the calendar holds no
    arrangement of holidays, so that weekends alone were counted. ``correction`` is a manifest's envelope.
    """

    objection: ObjectionId
    state: ObjectionState
    envelope: str
    sealed: str
    steps: list[FiledStep]
    due_at: At
    guessed_years: list[int]
    overdue: bool
    answered_at: At | None
    correction: str | None
    closed_why: Short | None
    recipients: list[Recipient] | None = None


class ObjectionLine(Wire):
    """An objection and how far it has come, in a list."""

    objection: ObjectionId
    state: ObjectionState
    steps: Annotated[int, Field(ge=0)]


class ObjectionList(Wire):
    """The objections of a participant, newest first."""

    objections: list[ObjectionLine]


class CorrectionNews(Wire):
    """What the exchange brings to a node: an objection of its own as it stands, or a correction to heed.

    ``corrections`` are manifests of releases that replace what the node received.
    """

    objections: Annotated[list[ObjectionView], Field(max_length=50)]
    corrections: Annotated[list[str], Field(max_length=50)]
