"""A database as a source: read on from a cursor, nothing lost, nothing twice, nothing changed in it."""

import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.intake import sql
from nodes.intake.model import SqlSettings
from nodes.intake.spool import SpoolUnwritable, write_draft
from nodes.intake.sql import DatabaseUnfit
from nodes.quarantine.rows import list_rows, show_row
from tests.nodes.intake.buoy_tables import EXTRA, Table, connect, sqlite_table, table
from tests.nodes.intake.feeding import add, once_each, released, run_source
from tests.nodes.sharing import DATASET, World
from tests.postgresql import new_database, postgresql_server

__all__ = ["postgresql_server", "sqlite_table", "table"]


def test_rows_are_read_once_and_new_ones_later(world: World, table: Table) -> None:
    """Each reading begins where the last one ended; columns without a field are named, not read."""
    connect(world, table)
    table.insert(1, 1)
    table.insert(2, 2, 3)

    first, idle = run_source(world), run_source(world)
    table.insert(3, 4)
    last = run_source(world)

    assert [len(done.lots) for done in (first, idle, last)] == [1, 0, 1]
    assert first.note == "未读的列 columns not read: inner_note"
    assert released(world.provider) == once_each(1, 4)


def test_rows_that_share_the_cursor_are_neither_lost_nor_repeated(world: World, table: Table) -> None:
    """Stations report the same hour one after another: the later ones are still new."""
    connect(world, table)
    table.insert(7, 1, 2)
    run_source(world)
    table.insert(7, 3)
    table.insert(8, 4)
    run_source(world)
    run_source(world)

    assert released(world.provider) == once_each(1, 4)


def test_late_rows_are_found_within_the_lookback(world: World, table: Table) -> None:
    """A transaction that ends late adds rows behind the cursor; further behind they are not seen."""
    connect(world, table, lookback=5)
    table.insert(10, 1)
    table.insert(20, 2)
    run_source(world)
    table.insert(16, 3)
    table.insert(14, 99)
    run_source(world)
    run_source(world)

    assert released(world.provider) == once_each(1, 3)


def test_late_rows_never_set_the_cursor_back(
    world: World, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when they fill pieces of their own before the last cursor comes by again."""
    monkeypatch.setattr(sql, "PIECE_ROWS", 1)
    connect(world, table, lookback=10)
    for number in range(1, 6):
        table.insert(20 + number, number)
    run_source(world)
    table.insert(16, 6, 7, 8)
    table.insert(26, 9)
    run_source(world)
    run_source(world)

    assert released(world.provider) == once_each(1, 9)


def test_equal_rows_are_counted(world: World, table: Table) -> None:
    """Two rows that are the same in every column are two rows, and a third that comes later is a third."""
    connect(world, table)
    table.insert(1, 5, 5)
    run_source(world)
    table.insert(1, 5)
    run_source(world)
    run_source(world)

    assert released(world.provider) == {5: 3}


def test_rows_without_a_cursor_are_said(world: World, table: Table) -> None:
    """They are never read, and the source says how many there are."""
    connect(world, table)
    table.insert(1, 1)
    table.insert(None, 2)

    assert (run_source(world).note or "").startswith("1 行无 seq,未读")


def test_a_failure_on_the_way_keeps_what_landed(
    world: World, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a reading that broke off, the next one goes on behind the last piece."""
    monkeypatch.setattr(sql, "PIECE_ROWS", 2)
    connect(world, table)
    for number in range(1, 8):
        table.insert(number // 3, number)
    write, calls = write_draft, iter([True, True, False])

    def breaking(*args: Any) -> Any:
        if not next(calls, True):
            raise SpoolUnwritable("the disk is full")
        return write(*args)

    with monkeypatch.context() as broken:
        broken.setattr(sql, "write_draft", breaking)
        with pytest.raises(SpoolUnwritable):
            run_source(world)
    run_source(world)

    assert released(world.provider) == once_each(1, 7)


def test_columns_lead_to_fields(world: World, table: Table) -> None:
    """A column under another name is read as the field that it is mapped to."""
    table.execute("ALTER TABLE buoy RENAME COLUMN ph TO acidity")
    connect(world, table)
    with pytest.raises(DatabaseUnfit, match="required field 'ph'"):
        run_source(world)
    add(
        world,
        SqlSettings(
            url_file=str(world.folder / "address"), table="buoy", by=EXTRA, columns={"acidity": "ph"}
        ),
        name="mapped",
    )
    table.execute("ALTER TABLE buoy RENAME COLUMN acidity TO ph")
    table.insert(1, 1)
    with pytest.raises(DatabaseUnfit, match="no column 'acidity'"):
        run_source(world, "mapped")
    table.execute("ALTER TABLE buoy RENAME COLUMN ph TO acidity")
    run_source(world, "mapped")

    assert released(world.provider) == once_each(1, 1)


def test_odd_cells_go_to_quarantine_with_their_value(world: World, sqlite_table: Table) -> None:
    """SQLite holds text in a column of numbers: the row is judged and shown, and its neighbours go on."""
    connect(world, sqlite_table)
    sqlite_table.insert(1, 1)
    sqlite_table.insert(2, 2, ph="n/a")
    sqlite_table.insert(3, 3, ph=float("inf"))
    run_source(world)

    total, listed = list_rows(world.provider, DATASET, 10, 0)
    values = [show_row(world.provider, row["id"])["record"]["ph"] for row in listed]
    assert (total, values) == (2, ["n/a", "inf"])
    assert released(world.provider) == once_each(1, 1)


CURSORS: dict[str, tuple[str, Callable[[int], object], int]] = {
    "timestamp": ("TIMESTAMP", lambda n: datetime(2026, 1, 1) + timedelta(seconds=n), 2),  # noqa: DTZ001
    "timestamptz": (
        "TIMESTAMPTZ",
        lambda n: datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8))) + timedelta(seconds=n),
        2,
    ),
    "date": ("DATE", lambda n: date(2026, 1, 1) + timedelta(days=n), 2 * 86_400),
    "numeric": ("NUMERIC(20, 6)", lambda n: Decimal(n) + Decimal("0.000001"), 2),
    "double": ("DOUBLE PRECISION", lambda n: n + 0.1, 2),
    "text": ("VARCHAR(20)", lambda n: f"{n:08d}", 0),
}


@pytest.mark.parametrize("kind", CURSORS)
def test_every_kind_of_cursor_reads_on(world: World, postgresql_server: str, kind: str) -> None:
    """Numbers, times, days and texts of PostgreSQL are kept as what they are."""
    words, value, lookback = CURSORS[kind]
    table = Table(new_database(postgresql_server), kind=words)
    connect(world, table, lookback=lookback)
    table.insert(value(10), 1, 2)
    run_source(world)
    table.insert(value(10), 3)
    table.insert(value(9 if lookback else 11), 4)
    run_source(world)
    run_source(world)
    table.engine.dispose()

    assert released(world.provider) == once_each(1, 4)


def test_a_reader_sees_one_moment(world: World, postgresql_server: str) -> None:
    """Rows of a transaction that is still open are read when it has ended, if the lookback covers it."""
    table = Table(new_database(postgresql_server))
    connect(world, table, lookback=100)
    raw = table.url.replace("postgresql://headwaters@/", "dbname=").replace("?host=", " host=")
    with psycopg.connect(f"{raw} user=headwaters") as late:
        late.execute("INSERT INTO buoy (seq) VALUES (1)")
        table.insert(2, 2)
        run_source(world)
        late.commit()
    table.execute("UPDATE buoy SET ph = 7, record_number = 1, local_time = '2023-08-01T01:00' WHERE seq = 1")
    run_source(world)
    table.engine.dispose()

    assert set(released(world.provider)) >= {2}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.lists(st.integers(0, 3), max_size=5).map(sorted), min_size=1, max_size=4),
    piece=st.integers(1, 4),
)
def test_however_rows_arrive_each_is_released_once(
    world: World, tmp_path_factory: pytest.TempPathFactory, steps: list[list[int]], piece: int
) -> None:
    """Rows within the lookback, in any order and between any two readings, come out exactly once."""
    folder = tmp_path_factory.mktemp("db")
    table = Table(f"sqlite:///{folder / 'source.db'}")
    name = f"s{folder.name.replace('_', '-')}"
    already = sum(released(world.provider).values()) if world.exchange.records else 0
    before, sql.PIECE_ROWS = sql.PIECE_ROWS, piece
    try:
        (world.folder / "address").unlink(missing_ok=True)
        descriptor = os.open(world.folder / "address", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, table.url.encode())
        os.close(descriptor)
        place = SqlSettings(url_file=str(world.folder / "address"), table="buoy", by=EXTRA, lookback=3)
        add(world, place, name=name)
        number = already
        for step in steps:
            for value in step:
                number += 1
                table.insert(value, number)
            run_source(world, name)
    finally:
        sql.PIECE_ROWS = before
        table.engine.dispose()

    assert released(world.provider) == once_each(1, number)


def test_an_sqlite_file_is_left_as_it_was(world: World, sqlite_table: Table) -> None:
    """Reading changes no byte of it."""
    connect(world, sqlite_table)
    sqlite_table.insert(1, 1)
    path = Path(sqlite_table.engine.url.database or "")
    sqlite_table.engine.dispose()
    raw = path.read_bytes()
    run_source(world)

    assert path.read_bytes() == raw
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM buoy").fetchone() == (1,)
