"""The only SQL about trust roots."""

from sqlmodel import Session, col, delete, select

from audit.keys.trust_file import SignedRoot
from exchange.trust.tables import TrustRootRow


def find_root(session: Session, digest: str) -> TrustRootRow | None:
    """Give one root, open or logged."""
    return session.get(TrustRootRow, digest)


def newest_logged(session: Session) -> SignedRoot | None:
    """Give the newest root that was logged."""
    found = logged_roots(session, since=0)
    return found[-1] if found else None


def logged_roots(session: Session, since: int) -> list[SignedRoot]:
    """Give the logged roots with a number above ``since``, oldest first."""
    query = select(TrustRootRow).where(col(TrustRootRow.place).is_not(None), col(TrustRootRow.number) > since)
    return [read(row) for row in session.exec(query.order_by(col(TrustRootRow.number)))]


def open_roots(session: Session) -> list[SignedRoot]:
    """Give the proposals that wait for signatures, oldest first."""
    query = select(TrustRootRow).where(col(TrustRootRow.place).is_(None)).order_by(col(TrustRootRow.at))
    return [read(row) for row in session.exec(query)]


def save_root(session: Session, row: TrustRootRow) -> None:
    """Insert or replace one root."""
    session.merge(row)
    session.flush()


def drop_open(session: Session, *, by: str | None = None) -> None:
    """Drop the open proposals, or those of one participant."""
    query = delete(TrustRootRow).where(col(TrustRootRow.place).is_(None))
    session.exec(query if by is None else query.where(col(TrustRootRow.by) == by))


def read(row: TrustRootRow) -> SignedRoot:
    """Give the root of a row; it was checked before it was kept."""
    return SignedRoot.parse(row.document.encode())
