"""What the tests of the log share: the databases that every durable test runs on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.database import Database, open_database, upgrade
from audit.log.tables import AuditTable
from tests.postgresql import new_database, postgresql_server, postgresql_url

__all__ = ["database", "database_url", "migrated", "postgresql_server", "postgresql_url"]

_DIALECTS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)]


@pytest.fixture(params=_DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'evidence.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture(scope="session", params=_DIALECTS)
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the URL of a database with the newest schema, made once: migrating takes its time."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('migrated') / 'evidence.db'}"
    else:
        url = new_database(request.getfixturevalue("postgresql_server"))
    database = open_database(url)
    upgrade(database, "exchange:migrations")
    database.close()
    return url


@pytest.fixture
def database(migrated: str, tmp_path: Path) -> Iterator[Database]:
    """Give a database with the newest schema and no rows."""
    if migrated.startswith("sqlite:///"):
        shutil.copy(migrated.removeprefix("sqlite:///"), tmp_path / "evidence.db")
        opened = open_database(f"sqlite:///{tmp_path / 'evidence.db'}")
    else:
        opened = open_database(migrated)
        with opened.write_connection() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(AuditTable.metadata.tables)}"))
    yield opened
    opened.close()
