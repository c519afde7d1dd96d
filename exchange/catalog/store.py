"""The only SQL about the catalogue. Nothing here decides anything."""

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import and_, case, update
from sqlmodel import Session, col, func, select

from contracts.messages import CatalogEntry, CatalogQuality, FindingCount, Manifest, QualityNote, ReleaseEntry
from exchange.catalog.model import KnownContract, Standing
from exchange.catalog.tables import AdoptionRow, ContractRow, DatasetRow, QualityRow, RecordRow, ReleaseRow

SEARCH_LIMIT = 500
PAGE = 1000


def known_contract(session: Session, contract: str, version: str) -> KnownContract | None:
    """Give a registered contract version, whoever registered it."""
    row = session.get(ContractRow, (contract, version))
    return None if row is None else KnownContract(row.digest, json.loads(row.fields))


def contract_envelope(session: Session, contract: str, version: str) -> str | None:
    """Give the first registration's envelope."""
    row = session.get(ContractRow, (contract, version))
    return None if row is None else row.adopted


def add_contract(
    session: Session, contract: str, version: str, *, digest: str, fields: Mapping[str, int], envelope: str
) -> None:
    """Write a contract version that was not known."""
    session.add(
        ContractRow(
            contract=contract,
            version=version,
            digest=digest,
            fields=json.dumps(dict(fields), ensure_ascii=False),
            adopted=envelope,
        )
    )


def has_adopted(session: Session, contract: str, version: str, provider: str) -> bool:
    """Tell whether a provider stands by a contract version."""
    return session.get(AdoptionRow, (contract, version, provider)) is not None


def add_adoption(session: Session, row: AdoptionRow) -> None:
    """Write that a provider stands by a contract version."""
    session.add(row)


def find_dataset(session: Session, dataset: str) -> DatasetRow | None:
    """Give a dataset as it stands now."""
    return session.get(DatasetRow, dataset)


def put_dataset(session: Session, row: DatasetRow) -> None:
    """Insert or replace a dataset's present state."""
    session.merge(row)


def find_record(session: Session, dataset: str, number: int) -> RecordRow | None:
    """Give one version of a dataset's record."""
    return session.get(RecordRow, (dataset, number))


def add_record(session: Session, row: RecordRow) -> None:
    """Keep one version of a dataset's record."""
    session.add(row)


def find_release(session: Session, dataset: str, number: int) -> ReleaseRow | None:
    """Give one release of a feed."""
    return session.get(ReleaseRow, (dataset, number))


def add_release(session: Session, row: ReleaseRow) -> None:
    """Keep one release."""
    session.add(row)


def count_release(session: Session, manifest: Manifest, digest: str) -> None:
    """Make ``manifest`` the newest release of its dataset and add its rows to the totals.

    Rows that come from the quarantine wait there no longer.
    """
    session.execute(
        update(DatasetRow)
        .where(col(DatasetRow.dataset) == manifest.dataset)
        .values(
            releases=manifest.number,
            manifest=digest,
            rows_published=col(DatasetRow.rows_published) + manifest.counts.published,
            rows_quarantined=col(DatasetRow.rows_quarantined)
            + manifest.counts.quarantined
            - manifest.resubmitted,
        )
    )


def releases_since(session: Session, dataset: str, since: int) -> list[ReleaseEntry]:
    """Give up to a page of releases with a number above ``since``, oldest first."""
    query = (
        select(ReleaseRow)
        .where(col(ReleaseRow.dataset) == dataset, col(ReleaseRow.number) > since)
        .order_by(col(ReleaseRow.number))
        .limit(PAGE)
    )
    return [release_entry(row) for row in session.exec(query)]


def add_quality(session: Session, manifest: Manifest) -> None:
    """Keep what a release's manifest says of its quality, if it was examined."""
    if manifest.quality is None:
        return
    findings = [one.model_dump(mode="json") for one in manifest.findings]
    session.add(
        QualityRow(
            dataset=manifest.dataset,
            number=manifest.number,
            note=manifest.quality.canonical().decode(),
            findings=json.dumps(findings),
            rules=len(findings),
        )
    )


def newest_quality(session: Session, datasets: Sequence[str]) -> dict[str, CatalogQuality]:
    """Give what was found in the newest release of each dataset whose newest release was examined."""
    newest = select(QualityRow).join(
        DatasetRow,
        and_(
            col(DatasetRow.dataset) == col(QualityRow.dataset),
            col(DatasetRow.releases) == col(QualityRow.number),
        ),
    )
    rows = session.exec(newest.where(col(QualityRow.dataset).in_(datasets))).all()
    found = func.sum(case((col(QualityRow.rules) > 0, 1), else_=0))
    counted = select(QualityRow.dataset, func.count(), found).group_by(col(QualityRow.dataset))
    totals = {
        dataset: (int(examined), int(faulty))
        for dataset, examined, faulty in session.exec(
            counted.where(col(QualityRow.dataset).in_([row.dataset for row in rows]))
        )
    }
    return {row.dataset: _quality(row, *totals[row.dataset]) for row in rows}


def search(session: Session, words: str, sharing: str | None, providers: Iterable[str]) -> list[CatalogEntry]:
    """Give the datasets of ``providers`` whose words hold ``words``, by name."""
    query = select(DatasetRow).where(col(DatasetRow.provider).in_(list(providers)))
    if words:
        query = query.where(col(DatasetRow.words).contains(words, autoescape=True))
    if sharing:
        query = query.where(col(DatasetRow.sharing) == sharing)
    rows = session.exec(query.order_by(col(DatasetRow.dataset)).limit(SEARCH_LIMIT)).all()
    quality = newest_quality(session, [row.dataset for row in rows])
    return [catalog_entry(row, quality.get(row.dataset)) for row in rows]


def dataset_names(session: Session, *, after: str, limit: int) -> list[str]:
    """Name up to ``limit`` datasets behind a name, in the order of their names."""
    query = select(DatasetRow.dataset).where(col(DatasetRow.dataset) > after)
    return list(session.exec(query.order_by(col(DatasetRow.dataset)).limit(limit)))


def totals(session: Session) -> tuple[int, int, int]:
    """Count datasets, releases and published rows."""
    counted = session.exec(
        select(func.count(), func.sum(DatasetRow.releases), func.sum(DatasetRow.rows_published)).select_from(
            DatasetRow
        )
    ).one()
    return int(counted[0]), int(counted[1] or 0), int(counted[2] or 0)


def standing(row: DatasetRow | None) -> Standing | None:
    """Read a dataset's present state from its row."""
    if row is None:
        return None
    return Standing(
        provider=row.provider,
        number=row.number,
        contract=row.contract_ref(),
        releases=row.releases,
        manifest=row.manifest,
        quarantined=row.rows_quarantined,
    )


def catalog_entry(row: DatasetRow, quality: CatalogQuality | None = None) -> CatalogEntry:
    """Show a dataset as a search does."""
    return CatalogEntry(
        record_envelope=row.envelope,
        latest_release=row.releases,
        rows_published=row.rows_published,
        rows_quarantined=row.rows_quarantined,
        quality=quality,
    )


def _quality(row: QualityRow, examined: int, faulty: int) -> CatalogQuality:
    return CatalogQuality(
        release=row.number,
        note=QualityNote.parse(row.note.encode()),
        findings=[FindingCount.model_validate(one) for one in json.loads(row.findings)],
        releases_examined=examined,
        releases_with_findings=faulty,
    )


def release_entry(row: ReleaseRow) -> ReleaseEntry:
    """Show a release as the feed does."""
    return ReleaseEntry(number=row.number, index=row.entry, manifest_envelope=row.envelope)
