"""What is asked of a policy engine and what it answers, as frozen values.

Every fact stands in the question, so a decision is a pure function of (bundle digest, question): it can be
replayed, compared and proved later. ``Question.revision`` names the facts; the flow gathers them again at
commit and goes on only when the revision is still the same (docs/explanation/transfer.md, step 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from contracts.canonical import Json, NotCanonical, canonical_bytes, canonical_part, sha256_hex
from contracts.clock import BEIJING, from_epoch_ms
from contracts.errors import Invalid
from contracts.messages import Obligation
from policies.facts import (
    AgreementFacts,
    ApplicationFacts,
    DatasetFacts,
    EmergencyFacts,
    ParticipantFacts,
    SubscriptionFacts,
)

Action = Literal["apply", "transfer"]
Outcome = Literal["permit", "deny", "indeterminate"]
_MOMENTS = frozenset({"now_ms", "local"})  # they pass by themselves and are no fact
_WRITTEN_ALONE = frozenset({"v", "local"})  # they follow from the version and the moment


class QuestionUnreadable(Invalid):
    """A stored question is not in the form of this version."""

    code = "question-unreadable"
    title_zh = "所存的策略问题不符合当前版本的格式"
    next_zh = "用写下它的版本重放该问题。"
    next_en = "Replay the question with the version that wrote it."


@dataclass(frozen=True, slots=True)
class Question:
    """May this participant do this now? ``now_ms`` is milliseconds since 1970 UTC, read by the flow.

    An ``apply`` carries an application; a ``transfer`` carries an agreement and a subscription. ``address``
    is the IP address that the request came from, None where nobody saw one; ``emergency`` is the declared
    emergency that covers this dataset, None in ordinary times.
    """

    action: Action
    now_ms: int
    participant: ParticipantFacts
    dataset: DatasetFacts
    purpose: str
    application: ApplicationFacts | None = None
    agreement: AgreementFacts | None = None
    subscription: SubscriptionFacts | None = None
    emergency: EmergencyFacts | None = None
    address: str | None = None

    @staticmethod
    def read(document: Mapping[str, Json]) -> "Question":
        """Read a question back from the document that it wrote; raise QuestionUnreadable for any other."""
        facts = {name: value for name, value in document.items() if name not in _WRITTEN_ALONE}
        try:
            question = _reader().validate_json(canonical_bytes(facts))
            same = canonical_bytes(question.document()) == canonical_bytes(document)
        except (ValidationError, NotCanonical, OverflowError, OSError, ValueError) as error:
            raise QuestionUnreadable(f"the document cannot be read: {type(error).__name__}") from error
        if not same:
            raise QuestionUnreadable("the document is not what its question writes")
        return question

    @property
    def revision(self) -> str:
        """Name the facts by digest; the moment of asking is not one of them. Raises NotCanonical."""
        document = self.document()
        canonical_bytes(document)
        return revision_of(document)

    def document(self) -> dict[str, Json]:
        """Write the engine's input document (schemas/input.schema.json)."""
        document: dict[str, Json] = {
            "v": 2,
            "action": self.action,
            "now_ms": self.now_ms,
            "local": _local(self.now_ms),
            "participant": self.participant.document(),
            "dataset": self.dataset.document(),
            "purpose": self.purpose,
            "address": self.address,
        }
        for name in ("application", "agreement", "subscription", "emergency"):
            facts = getattr(self, name)
            if facts is not None:
                document[name] = facts.document()
        return document


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a code for programs and a sentence for people in Chinese and in English."""

    code: str
    zh: str
    en: str
    args: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one question. ``allowed`` is true for the outcome ``permit`` and for nothing else.

    ``reasons`` are the grounds of a permit, all the denials of a deny, or the one fault (code ``pdp:…``) of
    an indeterminate answer. ``obligations`` must all be discharged before bytes leave; on an ``apply`` they
    say what an agreement would impose. After ``valid_until_ms`` the question must be asked again.
    """

    allowed: bool
    outcome: Outcome
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...]
    policy_digest: str
    decision_id: str
    engine: str
    revision: str
    valid_until_ms: int

    @property
    def codes(self) -> list[str]:
        """List the reason codes, for the log's ``deny`` entry."""
        return [reason.code for reason in self.reasons]

    def answer(self) -> dict[str, Json]:
        """Write what must be the same from every engine: all but the id, the engine and the facts."""
        return {
            "outcome": self.outcome,
            "reasons": [{"code": reason.code, "args": dict(reason.args)} for reason in self.reasons],
            "obligations": [duty.model_dump(mode="json") for duty in self.obligations],
            "valid_until_ms": self.valid_until_ms,
        }


def revision_of(document: Mapping[str, Json]) -> str:
    """Name the facts of a question's document, which is canonical already; see ``Question.revision``."""
    return sha256_hex(canonical_part({key: value for key, value in document.items() if key not in _MOMENTS}))


@cache
def _reader() -> TypeAdapter[Question]:
    return TypeAdapter(Question)


def _local(now_ms: int) -> dict[str, Json]:
    """Give weekday (1 Monday … 7) and hour in UTC+8, which the alliance lives by."""
    at = from_epoch_ms(now_ms).astimezone(BEIJING)
    return {"weekday": at.isoweekday(), "hour": at.hour}
