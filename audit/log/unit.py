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

from audit.formats.merkle import leaf_hash
from audit.keys.signing import PublicKey
from audit.log import log_store
from audit.log.edge import RightEdge
from audit.log.entry import Entry, chain_digest
from audit.log.log_store import EntryRow
from audit.log.outage import NEW_BUSINESS, WitnessGraceOver
from audit.log.shards import Located, Shard, ShardClosing, closing_entry, locate
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
    """What one batch will add to a shard, on a copy of its right edge; nobody outside the batch sees it."""

    def __init__(
        self,
        connection: Connection,
        shard: Shard,
        edge: RightEdge,
        *,
        sealed: bool = False,
        grace_over: bool = False,
    ) -> None:
        self.connection = connection
        self.shard = shard
        self.size = edge.size
        self.edge = edge.copy()
        self.rows: list[EntryRow] = []
        self.sealed = sealed
        self.grace_over = grace_over
        self.carried: bytes | None = None  # the heads, once a unit has closed the shard

    @property
    def is_closed(self) -> bool:
        """Whether the shard takes nothing more."""
        return self.shard.size is not None or self.carried is not None

    def accept(self, rows: list[EntryRow], carried: bytes | None) -> None:
        """Take the entries of a unit that went well, and the heads where it closed the shard."""
        self.rows += rows
        self.carried = self.carried if carried is None else carried

    def integrate(self) -> None:
        """Add the entries of all units to the tree, once they are all there."""
        self.edge.extend([row.leaf_hash for row in self.rows])


class Unit:
    """The view of the log and of the database that one unit of work has."""

    def __init__(self, draft: Draft, now: datetime) -> None:
        self._draft = draft
        self._now = now
        self._session: Session | None = None
        self._rows: list[EntryRow] = []
        self._carried: bytes | None = None

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
    def origin(self) -> str:
        """Name the shard that takes this unit's entries."""
        return self._draft.shard.origin

    @property
    def size(self) -> int:
        """Give the number of entries in the shard so far, this unit's own included."""
        return self._draft.size + len(self._draft.rows) + len(self._rows)

    @property
    def indexes(self) -> tuple[int, ...]:
        """Name the entries that this unit has appended, as the shard counts them."""
        return tuple(row.idx - self._draft.shard.base for row in self._rows)

    def append(self, entry: Entry) -> int:
        """Append an entry and give its place among all shards; ``located`` gives its index.

        Raises LogSealed, ShardClosing or, for new business, WitnessGraceOver.
        """
        if self._draft.sealed:
            raise LogSealed
        if self._draft.is_closed or self._carried is not None:
            raise ShardClosing
        if self._draft.grace_over and entry.kind in NEW_BUSINESS:
            raise WitnessGraceOver("too few witnesses have cosigned for too long")
        place, leaf = self._draft.shard.base + self.size, entry.encode()
        self._rows.append(
            EntryRow(
                idx=place, leaf=leaf, leaf_hash=leaf_hash(leaf), kind=entry.kind.value, at=epoch_ms(entry.at)
            )
        )
        return place

    def close_shard(self, following: str, key: PublicKey, heads: bytes) -> int:
        """Append the last entry of this shard: the next one will have this name, key and heads."""
        place = self.append(closing_entry(self._now, following, key.text, heads))
        self._carried = heads
        return place

    def located(self, place: int) -> Located:
        """Name the entry at a place by its shard and its index there."""
        shard = self._draft.shard
        if place >= shard.base:
            return Located(shard.number, shard.origin, place - shard.base)
        return locate(log_store.shards(self._draft.connection), place)

    def leaf_hash(self, place: int) -> str:
        """Name the entry at a place, of before or of this batch, as ``sha256:…``; raise NoSuchEntry."""
        offset = place - self._draft.shard.base - self._draft.size
        if offset < 0:
            return chain_digest(log_store.leaf_hash_at(self._draft.connection, place))
        earlier = self._draft.rows
        rows, at = (earlier, offset) if offset < len(earlier) else (self._rows, offset - len(earlier))
        if at >= len(rows):
            raise log_store.NoSuchEntry(f"the log has no entry at {place}")
        return chain_digest(rows[at].leaf_hash)

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
            self._draft.accept(self._rows, self._carried)
