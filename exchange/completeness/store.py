"""The only SQL about cuts and counts. Nothing here decides anything."""

from sqlmodel import Session, col, select

from exchange.completeness.tables import HeadsCutRow, NodeCountRow

PAGE = 100


def newest_cut(session: Session) -> HeadsCutRow | None:
    """Give the newest cut."""
    return session.exec(select(HeadsCutRow).order_by(col(HeadsCutRow.number).desc()).limit(1)).first()


def find_cut(session: Session, number: int) -> HeadsCutRow | None:
    """Give one cut."""
    return session.get(HeadsCutRow, number)


def cuts_after(session: Session, number: int) -> list[HeadsCutRow]:
    """List the cuts after a number, oldest first, a page of them."""
    query = select(HeadsCutRow).where(col(HeadsCutRow.number) > number)
    return list(session.exec(query.order_by(col(HeadsCutRow.number)).limit(PAGE)))


def cut_at_or_before(session: Session, at_ms: int) -> HeadsCutRow | None:
    """Give the newest cut that was made no later than a moment."""
    query = select(HeadsCutRow).where(col(HeadsCutRow.until) <= at_ms)
    return session.exec(query.order_by(col(HeadsCutRow.number).desc()).limit(1)).first()


def cut_at_or_after(session: Session, at_ms: int) -> HeadsCutRow | None:
    """Give the oldest cut that was made no earlier than a moment."""
    query = select(HeadsCutRow).where(col(HeadsCutRow.until) >= at_ms)
    return session.exec(query.order_by(col(HeadsCutRow.number)).limit(1)).first()


def unsettled(session: Session, before_ms: int) -> list[HeadsCutRow]:
    """List the cuts of before a moment whose counts were not all looked at, oldest first, a page of them."""
    query = select(HeadsCutRow).where(col(HeadsCutRow.settled).is_(False), col(HeadsCutRow.until) < before_ms)
    return list(session.exec(query.order_by(col(HeadsCutRow.number)).limit(PAGE)))


def find_count(session: Session, cut: int, participant: str) -> NodeCountRow | None:
    """Give what a node counted for a cut."""
    return session.get(NodeCountRow, (cut, participant))


def counts_of(session: Session, cut: int) -> list[NodeCountRow]:
    """List what was counted for a cut, by participant."""
    query = select(NodeCountRow).where(col(NodeCountRow.cut) == cut)
    return list(session.exec(query.order_by(col(NodeCountRow.participant))))


def save(session: Session, row: HeadsCutRow | NodeCountRow) -> None:
    """Insert or update a row."""
    session.add(row)
    session.flush()
