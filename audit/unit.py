"""One unit of work inside a batch: rows and entries that commit together or not at all.

The log hands a ``Unit`` to a function on its writer thread. The function reads and writes through
``session``, under a savepoint of its own, and appends entries; when it raises, exactly its part is undone.
"""

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

from sqlalchemy import Connection
from sqlmodel import Session

from audit import log_store
from audit.edge import RightEdge
from audit.entry import Entry, chain_digest
from audit.log_store import EntryRow
from audit.merkle import leaf_hash
from contracts.clock import epoch_ms
from contracts.errors import Unavailable

T = TypeVar("T")


class LogSealed(Unavailable):
    """The log is sealed and takes no entry."""

    code = "log-sealed"
    title_zh = "日志处于封存状态,暂不接受新条目"
    next_zh = "等待足够的见证方答复启动询问;headwaters doctor 会说明还缺谁。"
    next_en = (
        "Wait until enough witnesses have answered the start-up challenge; headwaters doctor names them."
    )


@dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a unit gave back, once it is durable.

    ``checkpoint`` is the note that the log signed over ``size`` entries, the unit's own among them at
    ``indexes``.
    """

    value: T
    checkpoint: bytes
    size: int
    indexes: tuple[int, ...]


class Draft:
    """What one batch will add, on a copy of the right edge; nobody outside the batch sees it."""

    def __init__(self, connection: Connection, edge: RightEdge, *, sealed: bool) -> None:
        self.connection = connection
        self.base = edge.size
        self.edge = edge.copy()
        self.rows: list[EntryRow] = []
        self.sealed = sealed

    def accept(self, rows: list[EntryRow]) -> None:
        """Take the entries of a unit that went well."""
        for row in rows:
            self.edge.append(row["leaf_hash"])
        self.rows += rows


class Unit:
    """The view of the log and of the database that one unit of work has."""

    def __init__(self, draft: Draft, now: datetime) -> None:
        self._draft = draft
        self._now = now
        self._session: Session | None = None
        self._rows: list[EntryRow] = []

    @property
    def now(self) -> datetime:
        """Give the moment of this unit, aware UTC."""
        return self._now

    @property
    def session(self) -> Session:
        """Give the session of this unit; its rows commit with the unit's entries, or not at all."""
        if self._session is None:
            # Made on demand: a unit that only appends costs no savepoint.
            self._session = Session(
                self._draft.connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
            )
        return self._session

    @property
    def size(self) -> int:
        """Give the number of entries so far, this unit's own included."""
        return self._draft.base + len(self._draft.rows) + len(self._rows)

    @property
    def indexes(self) -> tuple[int, ...]:
        """Name the entries that this unit has appended."""
        return tuple(row["idx"] for row in self._rows)

    def append(self, entry: Entry) -> int:
        """Append an entry and give its index; raise LogSealed while the log takes none."""
        if self._draft.sealed:
            raise LogSealed
        index, leaf = self.size, entry.encode()
        self._rows.append(
            EntryRow(
                idx=index, leaf=leaf, leaf_hash=leaf_hash(leaf), kind=entry.kind.value, at=epoch_ms(entry.at)
            )
        )
        return index

    def leaf_hash(self, index: int) -> str:
        """Name entry ``index``, an earlier one or one of this batch, as ``sha256:…``; raise NoSuchEntry."""
        offset = index - self._draft.base
        if offset < 0:
            return chain_digest(log_store.leaf_hash_at(self._draft.connection, index))
        earlier = self._draft.rows
        rows, place = (earlier, offset) if offset < len(earlier) else (self._rows, offset - len(earlier))
        if place >= len(rows):
            raise log_store.NoSuchEntry(f"the log has no entry {index}")
        return chain_digest(rows[place]["leaf_hash"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the unit's work in the draft, or undo it when it raised."""
        if self._session is not None:
            with self._session as session:
                if error is None:
                    session.commit()
                else:
                    session.rollback()
        if error is None:
            self._draft.accept(self._rows)
