"""What a provider declares and publishes, and how the catalogue shows it: contracts, records, releases."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.messages.obligations import MAX_CONDITIONS, MAX_DUTIES, Condition, Duty
from contracts.messages.wire import (
    At,
    ContractId,
    DatasetId,
    Digest,
    Long,
    ObjectionId,
    ParticipantId,
    Short,
    Statement,
    Text,
    Version,
    Wire,
)


class Sharing(StrEnum):
    """The sharing class of Order 809, articles 14 and 15."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NOT_SHARED = "not-shared"


class ContractRef(Wire):
    """A contract by name, version and digest."""

    id: ContractId
    version: Version
    digest: Digest


class ContractRegistration(Statement):
    """A provider adopts a contract; ``document`` is its canonical JSON text."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.contract.v1+json"

    provider: ParticipantId
    contract: ContractRef
    document: str
    at: At


class PurposeFields(Wire):
    """The fields that one purpose may see; every other field is redacted."""

    purpose: DatasetId
    fields: list[Short]


class DatasetRecord(Statement):
    """What a provider declares about a dataset; policy facts come from here, signed by the provider."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.dataset.v1+json"

    dataset: DatasetId
    provider: ParticipantId
    number: Annotated[int, Field(ge=1)]
    title: Text
    contract: ContractRef
    theme: Short
    sharing: Sharing
    sharing_basis: Long
    classification: Annotated[int, Field(ge=1, le=4, description="1 public … 4 core")]
    purposes: Annotated[list[DatasetId], Field(description="empty: any purpose")]
    purpose_fields: list[PurposeFields]
    place: Short
    synthetic: bool
    update_frequency: Short
    at: At
    conditions: Annotated[list[Condition], Field(max_length=MAX_CONDITIONS)] = Field(default=[])
    duties: Annotated[list[Duty], Field(max_length=MAX_DUTIES)] = Field(default=[])
    emergency: Annotated[
        bool, Field(description="conditions and classes are waived for government in a declared emergency")
    ] = False


class Distribution(Wire):
    """The bytes of a release in one form (DCAT 3 Distribution)."""

    media_type: Literal["application/vnd.apache.parquet"]
    sha256: Digest
    chunk_root: Digest
    size_bytes: Annotated[int, Field(ge=0)]


class Counts(Wire):
    """Rows read from the source, published, and held in quarantine; read = published + quarantined."""

    read: Annotated[int, Field(ge=0)]
    published: Annotated[int, Field(ge=0)]
    quarantined: Annotated[int, Field(ge=0)]


class SourceNote(Wire):
    """Where the rows came from, as far as the file itself says."""

    file_name: Short
    sha256: Digest
    place: Short
    synthetic: bool


class FindingCount(Wire):
    """How many records of a release one quality rule of its contract points at; no values, no keys."""

    rule: Short
    kind: Short
    severity: Literal["info", "warning", "error"]
    records: Annotated[int, Field(ge=1)]


class QualityNote(Wire):
    """How a release was examined; ``report`` is the digest of the whole report, which its provider keeps.

    ``expected`` and ``present`` count records of all series, null where the contract names no step. ``until``
    is the time of the newest record, ``latency_seconds`` what passed from the end of its period to the
    release, null where the zone of the times is not known.
    """

    report: Digest
    expected: Annotated[int, Field(ge=0)] | None
    present: Annotated[int, Field(ge=0)] | None
    until: Short | None
    latency_seconds: int | None


class Corrects(Wire):
    """The earlier release that a release replaces, and the verified objections that it settles, if any."""

    number: Annotated[int, Field(ge=1)]
    manifest: Digest
    objections: Annotated[list[ObjectionId], Field(max_length=100)]


class Manifest(Statement):
    """One release of a feed: immutable, numbered from 1, chained by digest; signed by the provider."""

    payload_type: ClassVar[str] = "application/vnd.headwaters.release.v1+json"
    later: ClassVar[tuple[str, ...]] = ("findings", "quality", "corrects", "resubmitted")

    dataset: DatasetId
    provider: ParticipantId
    number: Annotated[int, Field(ge=1)]
    previous: Digest | None
    contract: ContractRef
    distribution: Distribution
    counts: Counts
    source: SourceNote
    at: At
    findings: Annotated[list[FindingCount], Field(max_length=64)] = Field(default=[])
    quality: QualityNote | None = None
    corrects: Corrects | None = None
    resubmitted: Annotated[
        int, Field(ge=0, description="rows of it that earlier readings had left in quarantine")
    ] = 0


class CatalogQuality(Wire):
    """What quality rules found in the newest release of a dataset, and in how many of its releases."""

    release: int
    note: QualityNote
    findings: list[FindingCount]
    releases_examined: int
    releases_with_findings: int


class CatalogEntry(Wire):
    """One dataset as a search shows it; the envelope is the provider's signed record.

    ``quality`` is null where the newest release was not examined.
    """

    record_envelope: str
    latest_release: int
    rows_published: int
    rows_quarantined: int
    quality: CatalogQuality | None = None


class Catalog(Wire):
    """What a search found."""

    datasets: list[CatalogEntry]


class ReleaseEntry(Wire):
    """One release as the feed shows it."""

    number: int
    index: int
    manifest_envelope: str


class ReleaseList(Wire):
    """The releases of a feed after a cursor, oldest first."""

    releases: list[ReleaseEntry]
