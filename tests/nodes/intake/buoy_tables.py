"""A table of readings in a database, SQLite or PostgreSQL, that feeds a dataset under test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from nodes.intake.model import SqlSettings
from tests.nodes.intake.feeding import add
from tests.nodes.sharing import World, rows
from tests.postgresql import new_database

FIELDS = list(rows(1)[0])
EXTRA = "seq"


class Table:
    """A table of buoy rows in some database, with a column by which new ones are found."""

    def __init__(self, url: str, *, kind: str = "INTEGER") -> None:
        self.url = url
        self.engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        columns = ", ".join(f"{name} {_kind(name)}" for name in FIELDS)
        self.execute(f"CREATE TABLE buoy ({EXTRA} {kind}, inner_note VARCHAR(20), {columns})")

    def execute(self, words: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(words), values)

    def insert(self, seq: object, *numbers: int, **changes: Any) -> None:
        """Insert rows with these record numbers, all at one place of the column."""
        names = [EXTRA, *FIELDS]
        words = f"INSERT INTO buoy ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608
        for number in numbers:
            self.execute(words, **{**rows(1, first=number)[0], EXTRA: seq, **changes})


def _kind(name: str) -> str:
    if name == "record_number":
        return "BIGINT"
    return "VARCHAR(40)" if isinstance(rows(1)[0][name], str) else "DOUBLE PRECISION"


@pytest.fixture
def sqlite_table(tmp_path: Path) -> Iterator[Table]:
    table = Table(f"sqlite:///{tmp_path / 'source.db'}")
    yield table
    table.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    """Give the same table in both databases."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'source.db'}"
    else:
        url = new_database(request.getfixturevalue("postgresql_server"))
    table = Table(url)
    yield table
    table.engine.dispose()


def connect(world: World, table: Table, /, **settings: Any) -> None:
    """Make a source of a table, its address in a private file."""
    address = world.folder / "address"
    descriptor = os.open(address, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, table.url.encode() + b"\n")
    os.close(descriptor)
    add(world, SqlSettings(**({"url_file": str(address), "table": "buoy", "by": EXTRA} | settings)))
