"""The lock that makes one process the sequencer of a log, for as long as that process lives.

On SQLite it is an flock beside the database file, on PostgreSQL a session's advisory lock; the kernel or the
server lets go of it when the holder dies. It prevents accidents. What prevents a fork is the comparison of
sizes inside every batch (``audit.log.sequencer``).
"""

import contextlib
import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from audit.database import Database
from contracts.errors import Unavailable

_SEQUENCER_LOCK = 0x68770002  # "hw", second lock: one sequencer


class SequencerRunning(Unavailable):
    """Another process writes this log already."""

    code = "sequencer-running"
    title_zh = "已有另一进程在写该日志"
    next_zh = "同一日志只能有一个写入进程;先停止另一个。"
    next_en = "A log has one writing process; stop the other one first."


class SequencerLock:
    """Held from ``acquire`` to ``release``, or to the end of the process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file: int | None = None
        self._connection: Connection | None = None

    def acquire(self) -> None:
        """Take the lock, or make sure that it is still held; raise SequencerRunning."""
        if self._database.path is not None:
            self._acquire_file(self._database.path)
        else:
            self._acquire_session()

    def release(self) -> None:
        """Let the next sequencer in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._connection is not None:
            with contextlib.suppress(DBAPIError):  # a session that died has let go already
                self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            self._connection.close()
            self._connection = None

    def _acquire_file(self, database: Path) -> None:
        if self._file is not None:
            return
        path = database.with_name(database.name + ".sequencer.lock")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise SequencerRunning(f"{path.name} is held") from error
        self._file = file

    def _acquire_session(self) -> None:
        if self._connection is None or self._connection.invalidated:
            self.release()
            self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        # Taking it again in the session that holds it succeeds; a session that died raises, and was let go.
        held = self._connection.execute(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": _SEQUENCER_LOCK}
        ).scalar_one()
        if not held:
            self.release()
            raise SequencerRunning("another session holds the sequencer's lock")
