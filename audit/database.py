"""One relational database behind one URL: SQLite on one machine, PostgreSQL when that is outgrown.

A write transaction is durable when its block ends, and on both dialects only one of them runs at a time, so a
rule that holds on SQLite (BEGIN IMMEDIATE) holds on PostgreSQL (a transaction-scoped advisory lock). A read
sees one unchanging snapshot. The schema comes from Alembic migrations only; see ``upgrade``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from contracts.errors import Invalid

Dialect = Literal["sqlite", "postgresql"]

BUSY_TIMEOUT_MS = 10_000
_WRITER_LOCK = 0x68770001  # "hw", first lock: one write transaction at a time
_WRITES = "headwaters_writes"


class BadDatabaseUrl(Invalid):
    """The database URL is not one that Headwaters can open."""

    code = "bad-database-url"
    title_zh = "数据库地址无法使用"
    next_zh = "使用 sqlite:///文件路径 或 postgresql://主机/库名。"
    next_en = "Use sqlite:///PATH or postgresql://HOST/NAME."


class Database:
    """An open database; safe to share between threads, each call takes its own connection."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engine = _engine(url)
        self._reads = self._engine
        if self.dialect == "postgresql":
            self._reads = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writes = self._engine.execution_options(**{_WRITES: True})

    @property
    def url(self) -> str:
        """Give the URL without its password, for people and logs."""
        return self._url.render_as_string(hide_password=True)

    @property
    def dialect(self) -> Dialect:
        """Say which of the two dialects this is."""
        return "sqlite" if self._url.get_backend_name() == "sqlite" else "postgresql"

    @property
    def path(self) -> Path | None:
        """Give the file of an SQLite database; None for PostgreSQL."""
        return Path(self._url.database or "") if self.dialect == "sqlite" else None

    @property
    def engine(self) -> Engine:
        """Give the engine, for listeners and for a connection that is held for long."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session over one snapshot; a write inside it fails."""
        with self._reads.connect() as connection, Session(connection) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open the one write transaction: durable when the block ends, gone when the block raises."""
        # A commit inside the block only flushes: the transaction ends where the block ends.
        with (
            self.write_connection() as connection,
            Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session,
        ):
            yield session
            session.commit()

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """Open the one write transaction as a bare connection, for bulk work."""
        with self._writes.begin() as connection:
            yield connection

    def empty_journal(self) -> None:
        """Move SQLite's write-ahead log into the database and empty it, so that no old page stays in it.

        Readers that are open keep it for another time; PostgreSQL has its own.
        """
        if self.dialect == "sqlite":
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                raw.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open ``sqlite:///PATH`` or ``postgresql://…`` (psycopg 3); raise BadDatabaseUrl for any other.

    An SQLite file is created with mode 0600 when it is missing, its directory is not.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl("the text is not a database URL") from error
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in {None, "", ":memory:"}:
                raise BadDatabaseUrl("evidence needs a file, not memory")
        case "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        case other:
            raise BadDatabaseUrl(f"{other} is not supported")
    database = Database(parsed)
    if (path := database.path) is not None:
        if not path.parent.is_dir():
            raise BadDatabaseUrl(f"the directory {path.parent} does not exist")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return database


def upgrade(database: Database, script_location: str) -> None:
    """Bring the schema to the newest revision under ``script_location``, all of it or none.

    ``script_location`` is an Alembic folder (a path, or ``package:folder``) whose ``env.py`` takes its
    connection from ``config.attributes["connection"]``. Running it again changes nothing.
    """
    config = Config()
    config.set_main_option("script_location", script_location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with database.write_connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        engine = create_engine(
            url, pool_pre_ping=True, connect_args={"options": "-c synchronous_commit=on -c timezone=UTC"}
        )
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late for savepoints and DDL; ``_begin_sqlite`` sends it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = bool(connection.get_execution_options().get(_WRITES))
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
