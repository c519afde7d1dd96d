"""The catalogue's rows: signed envelopes as they came, with the columns that a search or a check needs.

Moments are whole milliseconds since 1970 in UTC; digests are over the signed payload's bytes.
"""

from sqlalchemy import BigInteger, String
from sqlalchemy import Text as LongText
from sqlmodel import Field

from contracts.messages import ContractRef
from exchange.tables import ExchangeTable


class ContractRow(ExchangeTable, table=True):
    """One version of a contract, immutable; ``adopted`` is the first provider's signed registration."""

    __tablename__ = "catalog_contract"

    contract: str = Field(sa_type=String(63), primary_key=True)
    version: str = Field(sa_type=String(20), primary_key=True)
    digest: str = Field(sa_type=String(71))
    fields: str = Field(sa_type=LongText)
    adopted: str = Field(sa_type=LongText)


class AdoptionRow(ExchangeTable, table=True):
    """A provider stands by a contract version; the envelope is its registration."""

    __tablename__ = "catalog_adoption"

    contract: str = Field(sa_type=String(63), primary_key=True)
    version: str = Field(sa_type=String(20), primary_key=True)
    provider: str = Field(sa_type=String(14), primary_key=True)
    envelope: str = Field(sa_type=LongText)
    entry: int = Field(sa_type=BigInteger)


class DatasetRow(ExchangeTable, table=True):
    """A dataset as it stands now: its newest record, its newest release, its totals."""

    __tablename__ = "catalog_dataset"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    provider: str = Field(sa_type=String(14))
    number: int
    record: str = Field(sa_type=String(71))
    contract: str = Field(sa_type=String(63))
    contract_version: str = Field(sa_type=String(20))
    contract_digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    words: str = Field(sa_type=LongText)
    sharing: str = Field(sa_type=String(20))
    releases: int
    manifest: str | None = Field(sa_type=String(71))
    rows_published: int = Field(sa_type=BigInteger)
    rows_quarantined: int = Field(sa_type=BigInteger)

    def contract_ref(self) -> ContractRef:
        """Name the contract that the newest record follows."""
        return ContractRef(id=self.contract, version=self.contract_version, digest=self.contract_digest)


class RecordRow(ExchangeTable, table=True):
    """One version of a dataset record, kept for good."""

    __tablename__ = "catalog_record"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    entry: int = Field(sa_type=BigInteger)


class QualityRow(ExchangeTable, table=True):
    """What a release's manifest says of its quality; ``rules`` counts those that found something."""

    __tablename__ = "catalog_quality"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str = Field(sa_type=LongText)
    findings: str = Field(sa_type=LongText)
    rules: int


class ReleaseRow(ExchangeTable, table=True):
    """One release of a feed: the provider's signed manifest and its place in the log."""

    __tablename__ = "catalog_release"

    dataset: str = Field(sa_type=String(63), primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(sa_type=String(71))
    envelope: str = Field(sa_type=LongText)
    entry: int = Field(sa_type=BigInteger)
