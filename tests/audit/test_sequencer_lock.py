"""The sequencer's lock keeps two writers apart, and losing it forks nothing."""

from pathlib import Path

import pytest
from sqlalchemy import text

from audit.database import Database, open_database, upgrade
from audit.log.sequencer import LogForked
from audit.log.sequencer_lock import SequencerLock, SequencerRunning
from tests.audit.logs import appending, new_log, running


def test_the_lock_is_held_once_and_can_be_confirmed(database: Database) -> None:
    """The holder may ask again; another is refused until the holder lets go."""
    first, second = SequencerLock(database), SequencerLock(database)
    first.acquire()
    first.acquire()
    with pytest.raises(SequencerRunning):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_lock_of_one_database_is_not_anothers(tmp_path: Path) -> None:
    """Two logs in two files have two sequencers."""
    locks = []
    for name in ("one", "two"):
        database = open_database(f"sqlite:///{tmp_path / name}")
        lock = SequencerLock(database)
        lock.acquire()
        locks.append((lock, database))
    for lock, database in locks:
        lock.release()
        database.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one",
        "one.sequencer.lock",
        "two",
        "two.sequencer.lock",
    ]


@pytest.mark.real
def test_a_lost_session_forks_nothing(postgresql_url: str) -> None:
    """A sequencer that lost its session stops as soon as the next one has written."""
    mine, theirs = open_database(postgresql_url), open_database(postgresql_url)
    upgrade(mine, "exchange:migrations")
    with running(mine) as first:
        first.commit_blocking(appending(1))
        with theirs.read() as session:
            session.connection().execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
        second = new_log(theirs)
        while True:  # the server lets go of the lock when the session has ended
            try:
                second.start()
            except SequencerRunning:
                continue
            break
        second.commit_blocking(appending(2))
        with pytest.raises(LogForked):
            first.commit_blocking(appending(3))
        committed = second.commit_blocking(appending(4))
        second.close()
    mine.close()
    theirs.close()

    assert committed.indexes == (2,)
