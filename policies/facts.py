"""The facts that a question carries, each read from what its owner signed or from the exchange's own rows.

Frozen values with one way to write them; the exchange gathers them in one session (``exchange`` rooms), and
``schemas/input.schema.json`` says how they look to Rego.
"""

from dataclasses import Field, dataclass
from datetime import datetime
from typing import ClassVar, Self

from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.messages import (
    Agreement,
    Condition,
    DatasetRecord,
    Duty,
    MemberStatus,
    Profile,
    PurposeFields,
    Wire,
)
from contracts.territory import territory_of

_PLAIN = frozenset({str, int, bool, type(None)})


class _Facts:
    """Facts that know how they are written; every subclass is a dataclass."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def document(self) -> dict[str, Json]:
        """Write the facts as the engine reads them."""
        facts = [(name, getattr(self, name)) for name in self.__dataclass_fields__]
        return {name: value if type(value) in _PLAIN else _json(value) for name, value in facts}


@dataclass(frozen=True, slots=True)
class ParticipantFacts(_Facts):
    """Who asks, as the directory knows them; ``territory`` is the stem of the administrative code."""

    id: str
    status: str
    level: str
    territory: str | None
    sector: str

    @classmethod
    def of(cls, participant: str, status: MemberStatus, profile: Profile) -> Self:
        """Read the facts from what the organisation says of itself, and where it stands."""
        return cls(participant, status.value, profile.level.value, territory(profile), profile.sector)


@dataclass(frozen=True, slots=True)
class FieldFacts(_Facts):
    """One field of the dataset's contract, with its class (1 public … 4 core)."""

    name: str
    classification: int

    def document(self) -> dict[str, Json]:
        """Write the facts by name, which is quicker: a contract may have thousands of fields."""
        return {"name": self.name, "classification": self.classification}


@dataclass(frozen=True, slots=True)
class DatasetFacts(_Facts):
    """What the provider's signed record says; ``fields`` are all fields of its contract."""

    dataset: str
    provider: str
    provider_status: str
    provider_territory: str | None
    sharing: str
    sharing_basis: str
    classification: int
    purposes: tuple[str, ...]
    purpose_fields: tuple[PurposeFields, ...]
    fields: tuple[FieldFacts, ...]
    synthetic: bool
    conditions: tuple[Condition, ...] = ()
    duties: tuple[Duty, ...] = ()
    emergency: bool = False

    @classmethod
    def of(
        cls,
        record: DatasetRecord,
        *,
        provider_status: MemberStatus,
        provider: Profile,
        fields: tuple[FieldFacts, ...],
    ) -> Self:
        """Read the facts from the record; ``fields`` are all of its contract, in any order."""
        return cls(
            dataset=record.dataset,
            provider=record.provider,
            provider_status=provider_status.value,
            provider_territory=territory(provider),
            sharing=record.sharing.value,
            sharing_basis=record.sharing_basis,
            classification=record.classification,
            purposes=tuple(record.purposes),
            purpose_fields=tuple(record.purpose_fields),
            fields=fields,
            synthetic=record.synthetic,
            # A territory is written as its stem, as the participant's is.
            conditions=tuple(
                item.model_copy(update={"territories": [territory_of(code) for code in item.territories]})
                for item in record.conditions
            ),
            duties=tuple(record.duties),
            emergency=record.emergency,
        )


@dataclass(frozen=True, slots=True)
class ApplicationFacts(_Facts):
    """Until when a consumer wants to use the dataset, in milliseconds since 1970 UTC."""

    until_ms: int

    @classmethod
    def of(cls, until: datetime) -> Self:
        """Read the moment; one before 1970 is past like any other, and nothing that cannot be decided."""
        return cls(max(0, epoch_ms(until)))


@dataclass(frozen=True, slots=True)
class AgreementFacts(_Facts):
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
    onward_sharing: bool = False

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
            onward_sharing=agreement.onward_sharing,
        )


@dataclass(frozen=True, slots=True)
class SubscriptionFacts(_Facts):
    """Where a subscription stands: only ``active`` transfers, and nothing while a receipt is owed."""

    state: str
    owed_receipts: int
    open_grants: int


@dataclass(frozen=True, slots=True)
class EmergencyFacts(_Facts):
    """A declared emergency that covers the dataset, and when it ends by itself."""

    emergency: str
    until_ms: int


def territory(profile: Profile) -> str | None:
    """Give the stem of an organisation's administrative code; None for one that has none, such as a bank."""
    return None if profile.admin_code is None else territory_of(profile.admin_code)


def _json(value: object) -> Json:
    match value:
        case _Facts():
            return value.document()
        case Wire():
            written: Json = value.model_dump(mode="json")
            return written
        case tuple():
            return [item if type(item) in _PLAIN else _json(item) for item in value]
        case _:
            return value  # type: ignore[return-value]  # the schema judges what a fact may be
