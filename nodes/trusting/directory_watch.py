"""Hold the directories that this node was shown against those in the log, of which there is one for all.

An exchange can sign one directory for everybody and another for a single node. The log, which a quorum of
witnesses keeps whole, names every directory by its number and digest; what is shown and not logged is an
alarm.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from contracts.messages import Directory, Severity, Text
from nodes.node import Node
from nodes.signed import peek_statement
from nodes.tables import DirectoryRow, StatementPlaceRow
from nodes.trusting import trust_store

UNLOGGED = "directory.not-logged"
_LOGGED, _CHECKED = "directory-logged", "directory-checked"
_PATIENCE = timedelta(minutes=1)  # a directory's entry bears the moment at which it was issued
_TITLE = Text(
    zh="交换中心向本节点出示了日志中没有的成员目录",
    en="The exchange showed this node a directory that is not in the log",
)


@dataclass(frozen=True, slots=True)
class LoggedDirectory:
    """What an entry says of one directory, and where it stands."""

    number: int
    digest: str
    origin: str
    index: int


def keep_logged(session: Session, found: Iterable[LoggedDirectory]) -> None:
    """Keep which directories the mirrored log names."""
    for one in found:
        session.merge(StatementPlaceRow(digest=one.digest, origin=one.origin, entry=one.index))
        trust_store.raise_mark(session, _LOGGED, one.number)


def check_shown(node: Node, replayed: datetime | None) -> None:
    """Raise an alarm for every directory that was shown and is not the logged one of its number.

    ``replayed`` is the moment of the newest entry that was replayed: what was issued well before it and has
    a number beyond all that are logged is not in the log either.
    """
    with node.database.read() as session:
        highest = trust_store.mark(session, _LOGGED)
        checked = trust_store.mark(session, _CHECKED) or 0
        rows = session.exec(select(DirectoryRow).where(col(DirectoryRow.number) > checked)).all()
        known = {row.digest for row in rows if session.get(StatementPlaceRow, row.digest) is not None}
    if highest is None:
        return  # nothing was mirrored yet
    for row in rows:
        if row.digest not in known and (row.number <= highest or _is_late(row, replayed)):
            facts: dict[str, int | str] = {"number": row.number, "digest": row.digest}
            node.alarms.raise_alarm(UNLOGGED, Severity.CRITICAL, _TITLE, facts)
    settled = [row.number for row in rows if row.number <= highest]
    if settled:
        with node.database.transaction() as session:
            trust_store.raise_mark(session, _CHECKED, max(settled))


def _is_late(row: DirectoryRow, replayed: datetime | None) -> bool:
    if replayed is None:
        return False
    return peek_statement(row.envelope, Directory).statement.issued_at + _PATIENCE < replayed
