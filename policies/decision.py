"""What is asked of a policy engine and what it answers, as frozen values.

Every fact stands in the question, so a decision is a pure function of (bundle digest, question): it can be
replayed, compared and proved later. ``Question.revision`` names the facts; the flow gathers them again at
commit and goes on only when the revision is still the same (docs/explanation/transfer.md, step 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from contracts.canonical import Json, digest
from contracts.clock import epoch_ms
from contracts.messages import Agreement, DatasetRecord, MemberStatus, Obligation, Profile, PurposeFields

Action = Literal["apply", "transfer"]
Outcome = Literal["permit", "deny", "indeterminate"]


@dataclass(frozen=True, slots=True)
class ParticipantFacts:
    """Who asks, as the directory knows them; ``id`` is the opaque participant id."""

    id: str
    status: str
    level: str
    admin_code: str | None
    sector: str

    @classmethod
    def of(cls, participant: str, status: MemberStatus, profile: Profile) -> Self:
        """Read the facts from what the organisation says of itself, and where it stands."""
        return cls(participant, status.value, profile.level.value, profile.admin_code, profile.sector)


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What the provider's signed record says; ``fields`` are all fields of its contract."""

    dataset: str
    provider: str
    provider_status: str
    sharing: str
    sharing_basis: str
    classification: int
    purposes: tuple[str, ...]
    purpose_fields: tuple[PurposeFields, ...]
    fields: tuple[str, ...]
    synthetic: bool

    @classmethod
    def of(cls, record: DatasetRecord, *, provider_status: str, fields: tuple[str, ...]) -> Self:
        """Read the facts from the record; ``fields`` are all field names of its contract, in any order."""
        return cls(
            dataset=record.dataset,
            provider=record.provider,
            provider_status=provider_status,
            sharing=record.sharing.value,
            sharing_basis=record.sharing_basis,
            classification=record.classification,
            purposes=tuple(record.purposes),
            purpose_fields=tuple(record.purpose_fields),
            fields=fields,
            synthetic=record.synthetic,
        )


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """Until when a consumer wants to use the dataset, in milliseconds since 1970 UTC."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """The agreement that a transfer stands on; only the state ``active`` carries a transfer."""

    agreement: str
    state: str
    consumer: str
    provider: str
    dataset: str
    purpose: str
    not_before_ms: int
    expires_ms: int
    record_digest_matches: bool

    @classmethod
    def of(cls, agreement: Agreement, *, state: str, record: str) -> Self:
        """Read the facts; ``record`` is the digest of the dataset record that is in force now."""
        return cls(
            agreement=agreement.agreement,
            state=state,
            consumer=agreement.consumer,
            provider=agreement.provider,
            dataset=agreement.dataset,
            purpose=agreement.purpose,
            not_before_ms=epoch_ms(agreement.not_before),
            expires_ms=epoch_ms(agreement.expires_at),
            record_digest_matches=agreement.record == record,
        )


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """Where a subscription stands: only ``active`` transfers, and nothing while a receipt is owed."""

    state: str
    owed_receipts: int
    open_grants: int


@dataclass(frozen=True, slots=True)
class Question:
    """May this participant do this now? ``now_ms`` is milliseconds since 1970 UTC, read by the flow.

    An ``apply`` carries an application; a ``transfer`` carries an agreement and a subscription.
    """

    action: Action
    now_ms: int
    participant: ParticipantFacts
    dataset: DatasetFacts
    purpose: str
    application: ApplicationFacts | None = None
    agreement: AgreementFacts | None = None
    subscription: SubscriptionFacts | None = None

    @property
    def revision(self) -> str:
        """Name the facts by digest; the moment of asking is not one of them. Raises NotCanonical."""
        return digest({key: value for key, value in self.document().items() if key != "now_ms"})

    def document(self) -> dict[str, Json]:
        """Write the engine's input document (schemas/input.schema.json)."""
        dataset = _plain(self.dataset)
        dataset["purposes"] = list(self.dataset.purposes)
        dataset["fields"] = list(self.dataset.fields)
        dataset["purpose_fields"] = [
            {"purpose": entry.purpose, "fields": list(entry.fields)} for entry in self.dataset.purpose_fields
        ]
        document: dict[str, Json] = {
            "v": 1,
            "action": self.action,
            "now_ms": self.now_ms,
            "participant": _plain(self.participant),
            "dataset": dataset,
            "purpose": self.purpose,
        }
        for name in ("application", "agreement", "subscription"):
            facts = getattr(self, name)
            if facts is not None:
                document[name] = _plain(facts)
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


def _plain(facts: object) -> dict[str, Json]:
    names: tuple[str, ...] = type(facts).__slots__  # type: ignore[attr-defined]  # every caller has slots
    return {name: getattr(facts, name) for name in names}
