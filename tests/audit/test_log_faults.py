"""When a write fails, those who waited are refused, nothing false is on record, and the log goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash, tree_root
from audit.formats.note import parse_note
from audit.log.sequencer import LogDamaged, LogForked, LogUnavailable
from audit.log.sequencer_lock import SequencerLock
from audit.log.unit import Unit
from tests.audit.logs import ORIGIN, SIGNER, appending, new_log, running


class _DiskFull(OSError):
    """The fault that these tests inject."""


@contextmanager
def _failing_statement(database: Database, beginning: str) -> Iterator[None]:
    """Fail every statement that begins like this, before the database sees it."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:  # the hook's own types
        if statement.startswith(beginning):
            raise _DiskFull

    event.listen(database.engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", fail)


@contextmanager
def _failing_commit(database: Database, *, after: bool) -> Iterator[None]:
    """Fail every COMMIT: before the database sees it, or after it has done it."""

    def fail(connection: Connection) -> None:
        if after:
            connection.connection.commit()
        raise _DiskFull

    event.listen(database.engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(database.engine, "commit", fail)


def _run_sql(database: Database, statement: str, **values: object) -> None:
    with database.write_connection() as connection:
        connection.execute(text(statement), values)


@pytest.mark.parametrize("table", ["log_entry", "log_tile", "log_checkpoint"])
def test_a_failed_write_refuses_everyone_and_leaves_nothing(database: Database, table: str) -> None:
    """Whichever write fails, the batch is gone, its callers are refused, and the next takes its place."""
    with running(database) as log:
        before = log.commit_blocking(appending(1)).checkpoint
        with _failing_statement(database, f"INSERT INTO {table}"):
            waiting = [log._submit(appending(number)) for number in (2, 3)]
            for future in waiting:
                with pytest.raises(LogUnavailable):
                    future.result()
            assert log.checkpoint() == before
        after = log.commit_blocking(appending(4))
        root = tree_root(leaf_hash(leaf) for leaf in log.entries(0, 2))

    assert after.indexes == (1,)
    assert Checkpoint.parse(parse_note(after.checkpoint).text) == Checkpoint(ORIGIN, 2, root)


def test_a_commit_that_fails_leaves_nothing(database: Database) -> None:
    """A COMMIT that fails refuses its callers, and the checkpoint that was signed for it never gets out."""
    with running(database) as log:
        before = log.commit_blocking(appending(1)).checkpoint
        with _failing_commit(database, after=False), pytest.raises(LogUnavailable):
            log.commit_blocking(appending(2))
        assert log.checkpoint() == before
        after = log.commit_blocking(appending(3))

    assert after.indexes == (1,)


def test_a_commit_whose_answer_is_lost_is_found_again(database: Database) -> None:
    """A COMMIT that succeeded and seemed to fail is refused, found on reload, and never contradicted."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        with _failing_commit(database, after=True), pytest.raises(LogUnavailable):
            log.commit_blocking(appending(2))
        after = log.commit_blocking(appending(3))

    assert (after.indexes, after.size) == ((2,), 3)


def test_a_store_that_fails_inside_a_unit_fails_the_batch(database: Database) -> None:
    """A unit that meets a broken store takes its whole batch down, because nothing in it is safe."""

    def meet_it(unit: Unit) -> None:
        unit.session.connection()
        raise OperationalError("COMMIT", None, _DiskFull())

    with running(database, window_seconds=0.1) as log:
        first, second = log._submit(appending(1)), log._submit(meet_it)
        failures = [type(first.exception()), type(second.exception())]
        after = log.commit_blocking(appending(2))

    assert failures == [LogUnavailable, LogUnavailable]
    assert after.indexes == (0,)


def test_a_log_that_cannot_reload_stays_unavailable(database: Database) -> None:
    """While the edge cannot be read back the log refuses, and it goes on as soon as it can be."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        with _failing_commit(database, after=False):
            for number in (2, 3):
                with pytest.raises(LogUnavailable):
                    log.commit_blocking(appending(number))
        with _failing_statement(database, "SELECT log_tile"), pytest.raises(LogUnavailable):
            log.commit_blocking(appending(4))
        after = log.commit_blocking(appending(5))

    assert after.indexes == (1,)


def _forge_entry(database: Database) -> None:
    _run_sql(
        database,
        "INSERT INTO log_entry (idx, leaf, leaf_hash, kind, at) VALUES (1, :leaf, :hash, 'grant', 0)",
        leaf=b"x",
        hash=leaf_hash(b"x"),
    )


def _forge_checkpoint(database: Database) -> None:
    body = str(Checkpoint(ORIGIN, 1, bytes(32)))
    _run_sql(
        database, "UPDATE log_checkpoint SET note = :note WHERE size = 1", note=f"{body}\n{SIGNER.sign(body)}"
    )


def _forget_checkpoint(database: Database) -> None:
    _run_sql(database, "DELETE FROM log_checkpoint WHERE size = 1")


@pytest.mark.parametrize("meddle", [_forge_entry, _forge_checkpoint, _forget_checkpoint])
def test_a_foreign_write_stops_the_log(database: Database, meddle: Callable[[Database], None]) -> None:
    """Someone else's entry or checkpoint stops the log for good; it never writes beside it."""
    with running(database) as log:
        log.commit_blocking(appending(1))
        meddle(database)
        for number in (2, 3):
            with pytest.raises(LogForked):
                log.commit_blocking(appending(number))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_tile SET hashes = :wrong WHERE level = 0 AND n = 1",
        "DELETE FROM log_tile WHERE level = 1",
        "UPDATE log_entry SET leaf = :wrong WHERE idx = 299",
        "DELETE FROM log_entry WHERE idx = 299",
        "DELETE FROM log_checkpoint",
        "DELETE FROM log_checkpoint WHERE size = 300",
        "UPDATE log_checkpoint SET note = 'x' WHERE size = 300",
    ],
)
def test_a_damaged_edge_does_not_start(database: Database, statement: str) -> None:
    """A log whose edge contradicts its last signed checkpoint does not start, and keeps no lock."""
    with running(database) as log:
        log.commit_blocking(appending(0))
        log.commit_blocking(appending(*range(1, 300)))
    _run_sql(database, statement, **({"wrong": bytes(44 * 32)} if ":wrong" in statement else {}))

    with pytest.raises(LogDamaged):
        new_log(database).start()

    lock = SequencerLock(database)
    lock.acquire()
    lock.release()


def test_a_checkpoint_by_another_key_does_not_start(database: Database) -> None:
    """A last checkpoint that another key signed is not this log's."""
    with running(database) as log:
        note = log.commit_blocking(appending(0)).checkpoint.decode()
    _run_sql(
        database,
        "UPDATE log_checkpoint SET note = :note WHERE size = 1",
        note=note.replace(f"— {ORIGIN}", "— x"),
    )

    with pytest.raises(LogDamaged):
        new_log(database).start()


def test_damage_found_after_a_failure_stops_the_log(database: Database) -> None:
    """When the edge read back after a failure contradicts the checkpoint, the log stops for good."""
    with running(database) as log:
        log.commit_blocking(appending(0))
        with _failing_commit(database, after=False), pytest.raises(LogUnavailable):
            log.commit_blocking(appending(1))
        _run_sql(database, "UPDATE log_tile SET hashes = :wrong", wrong=bytes(32))
        for number in (2, 3):
            with pytest.raises(LogDamaged):
                log.commit_blocking(appending(number))
