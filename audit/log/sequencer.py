"""The sequencer: one thread that gives every entry its place and makes it durable (audit log, commit order).

Everything that waits is integrated in one transaction: each unit's rows under a savepoint, all entries, the
tiles, and a checkpoint that the log signs. Answers leave after the COMMIT and only then. After a failed write
everyone who waited is refused, the right edge is read back and held against the last signed checkpoint, and
only then does the log go on; where the two disagree it stops for good.
"""

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import root_from
from audit.formats.note import NoteSigner, VerifierKey, parse_note
from audit.formats.tile import TileHashReader
from audit.log import log_store
from audit.log.log_queue import Job, LogUnavailable, Outcome, Turn, Waiter, WaitingLine, answer
from audit.log.log_reader import LogReader
from audit.log.log_standing import LogDamaged, LogForked, ShardSigner, Standing, read_back
from audit.log.outage import is_over
from audit.log.sequencer_lock import SequencerLock
from audit.log.shards import FIRST, NoSuchShard, Shard
from audit.log.unit import Committed, Draft, LogSealed, Unit
from contracts.clock import Clock, epoch_ms
from contracts.errors import Conflict, Corrupt, HeadwatersError, NotFound, Unavailable
from contracts.messages import utc

__all__ = ["Log", "LogDamaged", "LogForked", "LogUnavailable", "NotOurCheckpoint"]

T = TypeVar("T")
W = TypeVar("W", bound=Waiter)

MAX_BATCH_UNITS = 4096


class NotOurCheckpoint(Conflict):
    """The cosigned checkpoint is not one that this log signed."""

    code = "not-our-checkpoint"
    title_zh = "副署的检查点并非本日志所签"
    next_zh = "保留该检查点作为证据,运行 headwaters audit fsck。"
    next_en = "Keep that checkpoint as evidence and run headwaters audit fsck."


@dataclass(frozen=True, slots=True)
class _Done:
    value: Any  # whatever the unit gave back
    indexes: tuple[int, ...]


class Log(LogReader):
    """A transparency log over a database; readers may use it from any thread, also while it writes."""

    def __init__(
        self,
        database: Database,
        signer: NoteSigner,
        origin: str,
        clock: Clock,
        window_seconds: float = 0.004,
        *,
        sealed: bool = True,
        grace: timedelta | None = None,
        signer_of: ShardSigner | None = None,
    ) -> None:
        """Hold the log that ``signer`` founded as ``origin``; ``signer_of`` has the keys of later shards."""
        super().__init__(database)
        self._grace = grace
        self._founding = signer
        self._signer_of = signer_of or _no_signer
        self._origin = origin
        self._clock = clock
        self._window_seconds = window_seconds
        self._sealed = sealed
        self._lock = SequencerLock(database)
        self._queue = WaitingLine()
        self._thread: threading.Thread | None = None
        # Written by the writer thread only, once it runs. None means: not sure, read it back first.
        self._standing: Standing | None = None
        self._halted: Corrupt | None = None

    @property
    def origin(self) -> str:
        """The name of the newest shard; before the start, that of the first."""
        return self._origin

    @property
    def sealed(self) -> bool:
        """Say whether units that append are refused."""
        return self._sealed

    def unseal(self) -> None:
        """Take entries from now on; the caller has heard enough witnesses."""
        self._sealed = False

    def seal(self) -> None:
        """Take no entries from now on: the log is proved to have gone wrong."""
        self._sealed = True

    def start(self) -> None:
        """Take the sequencer's lock, verify the right edge and start to write.

        Raises SequencerRunning when another process writes this log, LogDamaged when the stored tiles or
        entries do not lead to the last signed checkpoint.
        """
        if self._thread is not None:
            raise LogUnavailable("the log was started before")
        self._lock.acquire()
        try:
            self._reload()
        except BaseException:  # whatever stops the start gives the lock back
            self._lock.release()
            raise
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._queue.open()
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, stop, and let the next sequencer in."""
        self._queue.close()
        if self._thread is not None:
            self._thread.join()
        self._lock.release()

    async def commit(self, unit: Callable[[Unit], T]) -> Committed[T]:
        """Run ``unit`` in the next batch and return when it is durable.

        What the unit raises is raised here, and only its own work is undone. Raises LogUnavailable when the
        batch failed, LogForked or LogDamaged when the log has stopped for good.
        """
        future: asyncio.Future[Committed[T]] = asyncio.get_running_loop().create_future()
        self._put(Job(future, unit))
        return await future

    def commit_blocking(self, unit: Callable[[Unit], T]) -> Committed[T]:
        """Do as ``commit`` does, for a caller without an event loop."""
        return self._submit(unit).result()

    async def open_next(self) -> Committed[Shard]:
        """Open the shard that follows the closed one; its first entry is ``shard.open``.

        Raises ShardStillOpen, ShardNotWitnessed, SuccessionBroken, LogSealed.
        """
        future: asyncio.Future[Committed[Shard]] = asyncio.get_running_loop().create_future()
        self._put(Turn(future))
        return await future

    def open_next_blocking(self) -> Committed[Shard]:
        """Do as ``open_next`` does, for a caller without an event loop."""
        future: Future[Committed[Shard]] = Future()
        self._put(Turn(future))
        return future.result()

    def publish_cosigned(self, note: bytes) -> Checkpoint:
        """Keep and publish a checkpoint that a quorum has cosigned; the caller has verified the cosignatures.

        Raises NotOurCheckpoint unless this log signed it, byte for byte, over what it holds at that size.
        """
        parsed = parse_note(note)
        checkpoint = Checkpoint.parse(parsed.text)
        with self._database.write_connection() as connection:
            shard = next((s for s in log_store.shards(connection) if s.origin == checkpoint.origin), None)
            signed = shard is not None and parsed.verified([VerifierKey.parse(shard.vkey)])
            if shard is None or not signed or not _holds(connection, shard, checkpoint):
                raise NotOurCheckpoint(f"this log signed no such checkpoint of size {checkpoint.size}")
            log_store.put_cosigned(
                connection, shard.number, checkpoint.size, note, epoch_ms(self._clock.now())
            )
        return checkpoint

    def _submit(self, unit: Callable[[Unit], T]) -> "Future[Committed[T]]":
        future: Future[Committed[T]] = Future()
        self._put(Job(future, unit))
        return future

    def _put(self, waiter: Waiter) -> None:
        if threading.current_thread() is self._thread:
            raise LogUnavailable("a unit cannot wait for another unit")
        self._queue.put(waiter)

    # --- on the writer thread ------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while batch := self._queue.gather(self._window_seconds, MAX_BATCH_UNITS):
                self._settle(batch)
        finally:
            self._queue.close()
            _refuse(self._queue.gather(0, sys.maxsize), LogUnavailable("the log has stopped"))

    def _settle(self, batch: list[Waiter]) -> None:
        """Commit a batch, and open a shard where that was asked for; answer everyone, whatever happens."""
        waiting = [waiter for waiter in batch if waiter.begin()]
        self._attempt([one for one in waiting if isinstance(one, Job)], self._commit)
        for turn in (one for one in waiting if isinstance(one, Turn)):
            self._attempt([turn], self._turn)

    def _attempt(
        self,
        waiting: list[W],
        action: Callable[[Sequence[W], Standing], list[Outcome]],
    ) -> None:
        if not waiting:
            return
        if self._halted is not None:
            _refuse(waiting, self._halted)
            return
        try:
            outcomes = action(waiting, self._standing or self._reload())
        except Corrupt as error:
            self._halted = error
            _refuse(waiting, error)
        except Exception as error:  # noqa: BLE001  # whatever broke, those who wait are told and nothing is trusted
            self._standing = None
            _refuse(waiting, error)
        else:
            answer(zip(waiting, outcomes, strict=True))

    def _commit(self, jobs: Sequence[Job], standing: Standing) -> list[Outcome]:
        """Integrate a batch in one durable transaction; give each unit's result, or what it raised."""
        with self._database.write_connection() as connection:
            standing.check_alone(connection)
            draft = Draft(
                connection,
                standing.shard,
                standing.edge,
                sealed=self._sealed,
                grace_over=self._grace_over(connection, standing),
            )
            outcomes = [self._run_unit(draft, job) for job in jobs]
            after = standing.append(connection, draft, utc(self._clock.now()))
        # The block has ended, so the COMMIT has succeeded: only now is any of it true.
        self._standing = after
        return [
            Committed(outcome.value, after.note, after.edge.size, outcome.indexes)
            if isinstance(outcome, _Done)
            else outcome
            for outcome in outcomes
        ]

    def _turn(self, _turns: Sequence[Turn], standing: Standing) -> list[Outcome]:
        """Open the next shard in one durable transaction, or say what is missing for it."""
        if self._sealed:
            return [LogSealed()]
        try:
            with self._database.write_connection() as connection:
                standing.check_alone(connection)
                after = standing.follow(connection, self._signer_of, utc(self._clock.now()))
        except (Conflict, Unavailable, NotFound) as error:
            return [error]  # nothing is wrong with what is stored: it is not time yet, or the key is missing
        self._standing, self._origin = after, after.shard.origin
        return [Committed(after.shard, after.note, after.edge.size, (0,))]

    def _run_unit(self, draft: Draft, job: Job) -> "_Done | Exception":
        try:
            with Unit(draft, utc(self._clock.now())) as unit:
                value = job.work(unit)
                indexes = unit.indexes
        except (OperationalError, InterfaceError, InternalError):
            raise  # the store failed, not the unit: nothing of this batch is safe
        except Exception as error:  # noqa: BLE001  # it belongs to whoever sent the unit
            return error
        return _Done(value, indexes)

    def _grace_over(self, connection: Connection, standing: Standing) -> bool:
        """Tell whether the outage clock has run out (audit.log.outage); a log without a quorum lost none."""
        shard = standing.shard
        if self._grace is None:
            return False
        published = log_store.newest_cosigned(connection, shard.number)
        if published is None and shard.number == FIRST:
            return False
        since = log_store.unwitnessed_since(connection, shard, published, standing.edge.size)
        return is_over(since, self._clock.now(), self._grace)

    def _reload(self) -> Standing:
        """Read the log back and hold it against the last signed checkpoint; raise LogDamaged."""
        self._lock.acquire()
        with self._database.write_connection() as connection:
            standing = read_back(connection, self._founding, self._signer_of, utc(self._clock.now()))
        self._standing, self._origin = standing, standing.shard.origin
        return standing


def _no_signer(number: int, origin: str) -> NoteSigner:
    raise NoSuchShard(f"there is no key for shard {number}, {origin}")


def _holds(connection: Connection, shard: Shard, checkpoint: Checkpoint) -> bool:
    """Tell whether a shard's tiles lead to the checkpoint's root; of the notes only the last is kept."""
    newest = log_store.newest_checkpoint(connection, shard.number)
    if newest is None or checkpoint.size > newest.size:
        return False
    reader = TileHashReader(log_store.tile_loader(connection, shard.number), checkpoint.size)
    return root_from(checkpoint.size, reader) == checkpoint.root


def _refuse(waiting: Sequence[Waiter], error: Exception) -> None:
    """Tell everyone who waits; each gets an exception of their own, because a traceback is not shared."""
    answer((waiter, _refusal(error)) for waiter in waiting)


def _refusal(error: Exception) -> HeadwatersError:
    refusal: HeadwatersError
    match error:
        case Corrupt() | LogUnavailable():
            refusal = type(error)(error.detail)
        case _:
            refusal = LogUnavailable("the batch could not be made durable")
    refusal.__cause__ = error
    return refusal
