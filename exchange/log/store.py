"""The only SQL of the log room; everything else about the log is ``audit.log.sequencer``'s."""

from collections.abc import Iterator

from sqlmodel import Session, col, select

from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.tables import LogEntry
from exchange.log.tables import TwinRow


def active_policy(session: Session) -> str | None:
    """Give the digest of the policy that the log activated last."""
    last = last_activation(session)
    return None if last is None else str(last.fields["pol"])


def last_activation(session: Session) -> Entry | None:
    """Give the last ``policy.activate`` entry; it has ``by`` where two people chose the policy."""
    query = (
        select(LogEntry.leaf)
        .where(col(LogEntry.kind) == EntryKind.POLICY_ACTIVATE.value)
        .order_by(col(LogEntry.idx).desc())
        .limit(1)
    )
    leaf = session.exec(query).first()
    return None if leaf is None else parse_entry(leaf)


def entries_of(session: Session, kind: EntryKind) -> Iterator[Entry]:
    """Give every entry of a kind, oldest first."""
    query = select(LogEntry.leaf).where(col(LogEntry.kind) == kind.value).order_by(col(LogEntry.idx))
    return map(parse_entry, session.exec(query))


def find_twin(session: Session, shard: int) -> TwinRow | None:
    """Give how far a shard's SM3 twin was anchored."""
    return session.get(TwinRow, shard)


def save_twin(session: Session, row: TwinRow) -> None:
    """Insert or replace how far a shard's twin was anchored."""
    session.merge(row)
    session.flush()
