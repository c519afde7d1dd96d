"""The only SQL about versions: what is registered, what waits for a person, notices and answers."""

from datetime import datetime

from sqlmodel import Session, col, func, select

from contracts.clock import epoch_ms, from_epoch_ms
from exchange.agreements.model import AgreementState
from exchange.agreements.tables import AgreementRow
from exchange.catalog.tables import AdoptionRow, ContractRow, DatasetRow
from exchange.subscriptions.tables import SubscriptionRow
from exchange.versions.model import Notice, ReviewState
from exchange.versions.tables import AcknowledgementRow, DeprecationRow, ReviewRow

PAGE = 500


def registered(session: Session, contract: str) -> dict[str, str]:
    """Give the digest of every registered version of a contract, by version."""
    rows = session.exec(select(ContractRow).where(col(ContractRow.contract) == contract))
    return {row.version: row.digest for row in rows}


def has_adopted_any(session: Session, contract: str, provider: str) -> bool:
    """Tell whether a provider stands by any version of a contract."""
    query = select(AdoptionRow.version).where(
        col(AdoptionRow.contract) == contract, col(AdoptionRow.provider) == provider
    )
    return session.exec(query.limit(1)).first() is not None


def datasets_under(session: Session, provider: str, contract: str, version: str) -> list[DatasetRow]:
    """List a provider's datasets whose newest record follows a contract version, by name."""
    query = (
        select(DatasetRow)
        .where(
            col(DatasetRow.provider) == provider,
            col(DatasetRow.contract) == contract,
            col(DatasetRow.contract_version) == version,
        )
        .order_by(col(DatasetRow.dataset))
    )
    return list(session.exec(query))


def versions_in_use(session: Session, provider: str, contract: str) -> list[str]:
    """List the versions of a contract that a provider's datasets follow."""
    query = (
        select(DatasetRow.contract_version)
        .where(col(DatasetRow.provider) == provider, col(DatasetRow.contract) == contract)
        .distinct()
    )
    return sorted(session.exec(query))


def active_subscriptions(
    session: Session, dataset: str, now: datetime
) -> list[tuple[SubscriptionRow, AgreementRow]]:
    """List the subscriptions to a dataset whose agreement has neither ended nor expired, by id."""
    query = (
        select(SubscriptionRow, AgreementRow)
        .join(AgreementRow, col(AgreementRow.agreement) == col(SubscriptionRow.agreement))
        .where(
            col(SubscriptionRow.dataset) == dataset,
            col(AgreementRow.state) == AgreementState.ACTIVE.value,
            col(AgreementRow.expires_at) > epoch_ms(now),
        )
        .order_by(col(SubscriptionRow.subscription))
    )
    return list(session.exec(query))


def consumers_under(session: Session, notice: DeprecationRow, now: datetime) -> set[str]:
    """Name the active subscribers to its provider's datasets that follow the contract which a notice ends."""
    query = (
        select(SubscriptionRow.consumer)
        .join(AgreementRow, col(AgreementRow.agreement) == col(SubscriptionRow.agreement))
        .join(DatasetRow, col(DatasetRow.dataset) == col(SubscriptionRow.dataset))
        .where(
            col(DatasetRow.provider) == notice.provider,
            col(DatasetRow.contract_digest) == notice.before,
            col(AgreementRow.state) == AgreementState.ACTIVE.value,
            col(AgreementRow.expires_at) > epoch_ms(now),
        )
        .distinct()
    )
    return set(session.exec(query))


def find_review(session: Session, digest: str) -> ReviewRow | None:
    """Give the review of a version, by the contract's digest."""
    return session.get(ReviewRow, digest)


def is_approved(session: Session, digest: str) -> bool:
    """Tell whether a person approved this very text of a version."""
    row = session.get(ReviewRow, digest)
    return row is not None and row.state == ReviewState.APPROVED


def save_review(session: Session, row: ReviewRow) -> None:
    """Keep a review as it stands."""
    session.merge(row)
    session.flush()


def count_open_reviews(session: Session, provider: str) -> int:
    """Count a provider's versions that wait for a person."""
    return session.exec(
        select(func.count())
        .select_from(ReviewRow)
        .where(col(ReviewRow.provider) == provider, col(ReviewRow.state) == ReviewState.OPEN.value)
    ).one()


def reviews(session: Session) -> list[ReviewRow]:
    """List reviews, newest first."""
    return list(session.exec(select(ReviewRow).order_by(col(ReviewRow.at).desc()).limit(PAGE)))


def find_notice(session: Session, digest: str) -> DeprecationRow | None:
    """Give one notice."""
    return session.get(DeprecationRow, digest)


def add_notice(session: Session, row: DeprecationRow) -> None:
    """Keep a notice."""
    session.add(row)
    session.flush()


def count_notices_since(session: Session, provider: str, since_ms: int) -> int:
    """Count the notices that a provider has given after a moment."""
    query = select(func.count()).where(
        col(DeprecationRow.provider) == provider, col(DeprecationRow.at) > since_ms
    )
    return int(session.exec(query).one())


def newest_notice(session: Session, provider: str, before: str, after: str) -> Notice | None:
    """Give the newest notice of a step between two contracts, by their digests, with its answers."""
    query = (
        select(DeprecationRow)
        .where(
            col(DeprecationRow.provider) == provider,
            col(DeprecationRow.before) == before,
            col(DeprecationRow.after) == after,
        )
        .order_by(col(DeprecationRow.entry).desc())
        .limit(1)
    )
    row = session.exec(query).first()
    if row is None:
        return None
    return Notice(row.digest, from_epoch_ms(row.ends_at), acknowledged_by(session, row.digest))


def notices(session: Session) -> list[DeprecationRow]:
    """List notices, newest first."""
    return list(session.exec(select(DeprecationRow).order_by(col(DeprecationRow.entry).desc()).limit(PAGE)))


def acknowledged_by(session: Session, deprecation: str) -> frozenset[str]:
    """Name those who acknowledged a notice."""
    query = select(AcknowledgementRow.consumer).where(col(AcknowledgementRow.deprecation) == deprecation)
    return frozenset(session.exec(query))


def add_acknowledgement(session: Session, row: AcknowledgementRow) -> None:
    """Keep an answer."""
    session.add(row)
    session.flush()
