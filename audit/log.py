"""The sequencer: one thread that gives every entry its place and makes it durable (audit log, commit order).

Everything that waits is integrated in one transaction: each unit's rows under a savepoint, all entries, the
tiles, and a checkpoint that the log signs. Answers leave after the COMMIT and only then. After a failed write
everyone who waited is refused, the right edge is read back and held against the last signed checkpoint, and
only then does the log go on; where the two disagree it stops for good.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from audit import log_store
from audit.checkpoint import Checkpoint
from audit.database import Database
from audit.edge import RightEdge
from audit.log_reader import LogReader
from audit.merkle import leaf_hash
from audit.note import NoteSigner, format_note, parse_note
from audit.sequencer_lock import SequencerLock
from audit.tile import TILE_WIDTH
from audit.unit import Committed, Draft, Unit
from contracts.clock import Clock, epoch_ms
from contracts.errors import Conflict, Corrupt, HeadwatersError, Unavailable
from contracts.messages import utc

T = TypeVar("T")

MAX_BATCH_UNITS = 4096


class LogUnavailable(Unavailable):
    """The log cannot take entries now; nothing of this call is on record unless a later look shows it."""

    code = "log-unavailable"
    title_zh = "日志当前无法写入"
    next_zh = "稍后重试;若持续出现,检查磁盘与数据库。"
    next_en = "Try again; if it goes on, check the disk and the database."


class LogDamaged(Corrupt):
    """The stored log contradicts its last signed checkpoint."""

    code = "log-damaged"
    title_zh = "存储的日志与最近签署的检查点不符"


class LogForked(Corrupt):
    """Someone else wrote to this log while it was open."""

    code = "log-overwritten"
    title_zh = "日志在运行期间被他人写入"


class NotOurCheckpoint(Conflict):
    """The cosigned checkpoint is not one that this log signed."""

    code = "not-our-checkpoint"
    title_zh = "副署的检查点并非本日志所签"
    next_zh = "保留该检查点作为证据,运行 headwaters audit fsck。"
    next_en = "Keep that checkpoint as evidence and run headwaters audit fsck."


@dataclass(frozen=True, slots=True)
class _Job:
    """A unit that waits. The queue holds units of every result type, hence Any."""

    work: Callable[[Unit], Any]
    future: "Future[Committed[Any]]"


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
    ) -> None:
        super().__init__(database)
        self._signer = signer
        self._origin = origin
        self._clock = clock
        self._window_seconds = window_seconds
        self._sealed = sealed
        self._lock = SequencerLock(database)
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._open = False
        self._last_batch = False
        # Known to the writer thread only, once it runs. No edge means: not sure, read it back first.
        self._edge: RightEdge | None = None
        self._note = b""
        self._halted: Corrupt | None = None

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self._origin

    @property
    def sealed(self) -> bool:
        """Say whether units that append are refused."""
        return self._sealed

    def unseal(self) -> None:
        """Take entries from now on; the caller has heard enough witnesses."""
        self._sealed = False

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
        self._open = True
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, stop, and let the next sequencer in."""
        with self._gate:
            if self._open:
                self._queue.put(None)
            self._open = False
        if self._thread is not None:
            self._thread.join()
        self._lock.release()

    async def commit(self, unit: Callable[[Unit], T]) -> Committed[T]:
        """Run ``unit`` in the next batch and return when it is durable.

        What the unit raises is raised here, and only its own work is undone. Raises LogUnavailable when the
        batch failed, LogForked or LogDamaged when the log has stopped for good.
        """
        return await asyncio.wrap_future(self._submit(unit))

    def commit_blocking(self, unit: Callable[[Unit], T]) -> Committed[T]:
        """Do as ``commit`` does, for a caller without an event loop."""
        return self._submit(unit).result()

    def publish_cosigned(self, note: bytes) -> Checkpoint:
        """Keep and publish a checkpoint that a quorum has cosigned; the caller has verified the cosignatures.

        Raises NotOurCheckpoint when its text is not, byte for byte, what this log signed at that size.
        """
        text = parse_note(note).text
        checkpoint = Checkpoint.parse(text)
        with self._database.write_connection() as connection:
            ours = log_store.checkpoint_at(connection, checkpoint.size)
            if ours is None or parse_note(ours.note.encode()).text != text:
                raise NotOurCheckpoint(f"this log signed no such checkpoint of size {checkpoint.size}")
            log_store.put_cosigned(connection, checkpoint.size, note, epoch_ms(self._clock.now()))
        return checkpoint

    def _submit(self, unit: Callable[[Unit], T]) -> "Future[Committed[T]]":
        if threading.current_thread() is self._thread:
            raise LogUnavailable("a unit cannot wait for another unit")
        future: Future[Committed[T]] = Future()
        with self._gate:
            if not self._open:
                raise LogUnavailable("the log is not running")
            self._queue.put(_Job(unit, future))
        return future

    # --- on the writer thread ------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._last_batch:
                self._settle(self._gather())
        finally:
            with self._gate:
                self._open = False
            _refuse(self._waiting(), LogUnavailable("the log has stopped"))

    def _gather(self) -> list[_Job]:
        """Wait for a unit, then for what else comes within the window."""
        batch: list[_Job] = []
        job = self._queue.get()
        deadline = time.monotonic() + self._window_seconds
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH_UNITS:
                return batch
            try:
                job = self._queue.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return batch
        self._last_batch = True
        return batch

    def _waiting(self) -> list[_Job]:
        waiting = []
        while not self._queue.empty():
            job = self._queue.get()
            if job is not None:
                waiting.append(job)
        return waiting

    def _settle(self, batch: list[_Job]) -> None:
        """Commit a batch and answer everyone in it, whatever happens."""
        jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
        if self._halted is not None:
            _refuse(jobs, self._halted)
            return
        try:
            outcomes = self._commit(jobs, self._edge or self._reload())
        except Corrupt as error:
            self._halted = error
            _refuse(jobs, error)
        except Exception as error:  # noqa: BLE001  # whatever broke, those who wait are told and nothing is trusted
            self._edge = None
            _refuse(jobs, error)
        else:
            for job, outcome in zip(jobs, outcomes, strict=True):
                if isinstance(outcome, Committed):
                    job.future.set_result(outcome)
                else:
                    job.future.set_exception(outcome)

    def _commit(self, jobs: Sequence[_Job], edge: RightEdge) -> "list[Committed[Any] | Exception]":
        """Integrate a batch in one durable transaction; give each unit's result, or what it raised."""
        with self._database.write_connection() as connection:
            newest = log_store.newest_checkpoint(connection)
            count = log_store.entry_count(connection)
            if newest is None or newest.note.encode() != self._note or count != edge.size:
                raise LogForked(f"the log should have {edge.size} entries under its last checkpoint")
            draft = Draft(connection, edge, sealed=self._sealed)
            outcomes = [self._run_unit(draft, job) for job in jobs]
            note = self._note
            if draft.rows:
                note = self._sign(draft.edge)
                log_store.append(connection, draft.rows, draft.edge.changed)
                log_store.put_checkpoint(connection, draft.edge.size, note, epoch_ms(self._clock.now()))
        # The block has ended, so the COMMIT has succeeded: only now is any of it true.
        self._edge, self._note = draft.edge, note
        return [
            Committed(outcome.value, note, draft.edge.size, outcome.indexes)
            if isinstance(outcome, _Done)
            else outcome
            for outcome in outcomes
        ]

    def _run_unit(self, draft: Draft, job: _Job) -> "_Done | Exception":
        try:
            with Unit(draft, utc(self._clock.now())) as unit:
                value = job.work(unit)
                indexes = unit.indexes
        except (OperationalError, InterfaceError, InternalError):
            raise  # the store failed, not the unit: nothing of this batch is safe
        except Exception as error:  # noqa: BLE001  # it belongs to whoever sent the unit
            return error
        return _Done(value, indexes)

    def _sign(self, edge: RightEdge) -> bytes:
        text = str(Checkpoint(self._origin, edge.size, edge.root()))
        return format_note(text, [self._signer.sign(text)])

    def _reload(self) -> RightEdge:
        """Read the right edge back and hold it against the last signed checkpoint; raise LogDamaged."""
        self._lock.acquire()
        with self._database.write_connection() as connection:
            newest = log_store.newest_checkpoint(connection)
            if newest is None and log_store.entry_count(connection) == 0:
                edge = RightEdge.read(0, log_store.tile_loader(connection))
                note = self._sign(edge)
                log_store.put_checkpoint(connection, 0, note, epoch_ms(self._clock.now()))
            elif newest is None:
                raise LogDamaged("there are entries and no checkpoint")
            else:
                note = newest.note.encode()
                edge = self._verified_edge(connection, self._own_checkpoint(note))
        self._edge, self._note = edge, note
        return edge

    def _own_checkpoint(self, note: bytes) -> Checkpoint:
        try:
            parsed = parse_note(note)
            signed = parsed.verified([self._signer.verifier_key])
            checkpoint = Checkpoint.parse(parsed.text)
        except HeadwatersError as error:
            raise LogDamaged("the last checkpoint does not hold") from error
        if not signed or checkpoint.origin != self._origin:
            raise LogDamaged("the last checkpoint is not signed by this log's key")
        return checkpoint

    def _verified_edge(self, connection: Connection, checkpoint: Checkpoint) -> RightEdge:
        size = checkpoint.size
        if log_store.entry_count(connection) != size:
            raise LogDamaged(f"the last checkpoint promises {size} entries")
        load = log_store.tile_loader(connection)
        try:
            edge = RightEdge.read(size, load)
        except HeadwatersError as error:
            raise LogDamaged("a tile of the right edge is missing or damaged") from error
        if edge.root() != checkpoint.root:
            raise LogDamaged("the tiles lead to another root than the last checkpoint")
        if size:
            n, last = divmod(size - 1, TILE_WIDTH)
            rows = log_store.entry_rows(connection, n * TILE_WIDTH, size)
            if b"".join(leaf_hash(row["leaf"]) for row in rows) != load(0, n, last + 1):
                raise LogDamaged("an entry on the right edge is not what its tile says")
        return edge


def _refuse(jobs: Sequence[_Job], error: Exception) -> None:
    """Tell everyone who waits; each gets an exception of their own, because a traceback is not shared."""
    for job in jobs:
        refusal: HeadwatersError
        match error:
            case Corrupt() | LogUnavailable():
                refusal = type(error)(error.detail)
            case _:
                refusal = LogUnavailable("the batch could not be made durable")
        refusal.__cause__ = error
        job.future.set_exception(refusal)
