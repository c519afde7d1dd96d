"""What is asked of a policy engine and what it answers, as frozen values.

Every fact stands in the question, so a decision is a pure function of (bundle digest, question): it can be
replayed, compared and proved later. ``Question.revision`` names the facts; the flow gathers them again at
commit and goes on only when the revision is still the same (docs/explanation/transfer.md, step 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.canonical import Json, digest
from contracts.clock import BEIJING, from_epoch_ms
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

    @property
    def revision(self) -> str:
        """Name the facts by digest; the moment of asking is not one of them. Raises NotCanonical."""
        return digest({key: value for key, value in self.document().items() if key not in _MOMENTS})

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


def _local(now_ms: int) -> dict[str, Json]:
    """Give weekday (1 Monday … 7) and hour in UTC+8, which the alliance lives by."""
    at = from_epoch_ms(now_ms).astimezone(BEIJING)
    return {"weekday": at.isoweekday(), "hour": at.hour}
