"""The database keeps what it was given, on both dialects alike."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from audit.database import BadDatabaseUrl, Database, open_database, upgrade
from audit.log.tables import AuditTable, Nonce


def _nonce(name: str) -> Nonce:
    return Nonce(keyid="node:p-abcdefghijkm", nonce=name, expires_at=2**41)


def _names(database: Database) -> list[str]:
    with database.read() as session:
        return sorted(session.exec(select(Nonce.nonce)))


def test_transaction_commits_at_the_end_of_the_block(database: Database) -> None:
    """A row is there for everyone once the block has ended."""
    with database.transaction() as session:
        session.add(_nonce("one"))

    assert _names(database) == ["one"]


def test_transaction_that_raises_leaves_nothing(database: Database) -> None:
    """A block that raises leaves no row, not even one it tried to commit half way."""

    def fail() -> None:
        with database.transaction() as session:
            session.add(_nonce("one"))
            session.commit()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()

    assert _names(database) == []


def test_a_read_cannot_write(database: Database) -> None:
    """A read session refuses a write."""
    with database.read() as session, pytest.raises(DBAPIError):
        session.connection().execute(text("INSERT INTO nonce VALUES ('k', 'n', 1)"))

    assert _names(database) == []


def test_a_read_sees_one_snapshot(database: Database) -> None:
    """A read that has begun does not see what is written after it."""
    with database.read() as session:
        before = session.exec(select(Nonce.nonce)).all()
        with database.transaction() as writer:
            writer.add(_nonce("later"))
        after = session.exec(select(Nonce.nonce)).all()

    assert (before, after) == ([], [])
    assert _names(database) == ["later"]


def test_write_transactions_run_one_after_another(database: Database) -> None:
    """A second writer waits for the first, so read-then-write loses nothing."""
    with database.transaction() as session:
        session.add(Nonce(keyid="k", nonce="counter", expires_at=0))

    def count() -> None:
        for _ in range(10):
            with database.transaction() as session:
                row = session.exec(select(Nonce)).one()
                row.expires_at += 1
                session.add(row)

    _in_threads(count, threads=4)
    with database.read() as session:
        total = session.exec(select(Nonce.expires_at)).one()

    assert total == 40


def test_upgrade_twice_is_harmless(database: Database) -> None:
    """A second upgrade changes nothing and keeps the rows."""
    with database.transaction() as session:
        session.add(_nonce("kept"))

    upgrade(database, "exchange:migrations")

    assert _names(database) == ["kept"]


def test_upgrades_at_the_same_time_are_harmless(database_url: str) -> None:
    """Two processes that start together end with one schema."""
    database = open_database(database_url)
    _in_threads(lambda: upgrade(database, "exchange:migrations"), threads=2)
    names = _names(database)
    database.close()

    assert names == []


def test_migrations_make_the_declared_tables(database: Database) -> None:
    """The revisions and ``audit.log.tables`` describe the same schema."""
    names = set(AuditTable.metadata.tables)

    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or name in names

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        differences = compare_metadata(context, AuditTable.metadata)

    assert differences == []


def test_sqlite_is_set_for_evidence(tmp_path: Path) -> None:
    """SQLite runs in WAL mode, flushes every commit, holds foreign keys, and its file is private."""
    path = tmp_path / "evidence.db"
    database = open_database(f"sqlite:///{path}")
    with database.read() as session:
        found = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://host/name", "sqlite://", "sqlite:///:memory:", "sqlite:////no/such/place/x.db"],
)
def test_other_urls_are_refused(url: str) -> None:
    """A URL that cannot keep evidence is refused."""
    with pytest.raises(BadDatabaseUrl):
        open_database(url)


def test_the_url_for_people_hides_the_password() -> None:
    """The URL that is shown never carries the password."""
    database = open_database("postgresql://someone:hush@127.0.0.1/name")
    shown = database.url
    database.close()

    assert shown == "postgresql+psycopg://someone:***@127.0.0.1/name"


def _in_threads(work: Callable[[], None], *, threads: int) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # handed to the test below
            failures.append(error)

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if failures:
        raise failures[0]
