"""How a database is named: privately, exactly, and so that nothing in it can be changed."""

import os
from typing import Any

import pytest
from sqlalchemy import text

from audit.keys.signing import KeyFileExposed
from nodes.intake import sql
from nodes.intake.model import SqlSettings
from nodes.intake.sources import SourceUnusable, list_sources
from nodes.intake.sql import CursorTooCoarse, DatabaseSilent, DatabaseUnfit
from nodes.intake.sql_values import CursorUnfit
from tests.nodes.intake.buoy_tables import EXTRA, Table, connect, sqlite_table, table
from tests.nodes.intake.feeding import add, released, run_source
from tests.nodes.sharing import World
from tests.postgresql import postgresql_server

__all__ = ["postgresql_server", "sqlite_table", "table"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"table": "nothing"}, "no table or view nothing"),
        ({"table": 'buoy"; DROP TABLE buoy; --'}, "no table or view"),
        ({"by": "nothing"}, "no column 'nothing'"),
        ({"columns": {"inner_note": "nothing"}}, "no field 'nothing'"),
        ({"columns": {"inner_note": "ph"}}, "two columns are read as 'ph'"),
        ({"table_schema": "nothing"}, "no table or view|OperationalError"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    world: World, sqlite_table: Table, changes: dict[str, Any], reason: str
) -> None:
    """What is not in the database or the contract is said, and nothing of a name is run."""
    connect(world, sqlite_table, **changes)

    with pytest.raises((DatabaseUnfit, DatabaseSilent), match=reason):
        run_source(world)
    sqlite_table.insert(1, 1)


def test_nothing_can_be_written(table: Table) -> None:
    """The connection itself refuses to change anything."""
    settings = SqlSettings(url_env="HEADWATERS_TEST_SOURCE", table="buoy", by=EXTRA)
    os.environ["HEADWATERS_TEST_SOURCE"] = table.url
    try:
        with (
            pytest.raises(DatabaseSilent),
            sql._connected(settings) as connection,  # what it opens is what is promised
            sql._answering(settings),
        ):
            connection.execute(text("DELETE FROM buoy"))
    finally:
        del os.environ["HEADWATERS_TEST_SOURCE"]


def test_the_address_stays_private(world: World, sqlite_table: Table) -> None:
    """A file that others can read is refused, and so is an address in both places or in none."""
    connect(world, sqlite_table)
    (world.folder / "address").chmod(0o644)

    with pytest.raises(KeyFileExposed):
        run_source(world)
    for both in ({"url_env": "X_Y"}, {"url_file": None}, {"url_file": "relative"}):
        with pytest.raises(SourceUnusable):
            connect(world, sqlite_table, **both)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", DatabaseSilent),
        ("nonsense", DatabaseUnfit),
        ("sqlite:////nowhere/at/all.db", DatabaseUnfit),
        ("sqlite:///relative.db", DatabaseUnfit),
        ("oracle://user:secret@host/db", DatabaseUnfit),
        ("", DatabaseUnfit),
    ],
)
def test_a_database_that_is_not_there_is_said_without_its_address(
    world: World, sqlite_table: Table, address: str, fault: type[Exception]
) -> None:
    """The reason names neither host nor password, and stands beside the source."""
    connect(world, sqlite_table)
    (world.folder / "address").write_text(address)

    with pytest.raises(fault) as caught:
        run_source(world)
    trouble = str(list_sources(world.provider)[0]["trouble"])
    assert "secret" not in str(caught.value) + trouble
    assert trouble.startswith(getattr(fault, "code", "?"))


def test_a_column_without_order_is_refused(world: World, sqlite_table: Table) -> None:
    """Bytes have no order, and behind a text there is nothing to count."""
    connect(world, sqlite_table)
    sqlite_table.insert(b"\x01", 1)
    with pytest.raises(CursorUnfit):
        run_source(world)
    add(
        world,
        SqlSettings(url_file=str(world.folder / "address"), table="buoy", by="local_time", lookback=60),
        name="texts",
    )
    with pytest.raises(CursorUnfit):
        run_source(world, "texts")


def test_a_column_that_tells_too_little_is_refused(
    world: World, sqlite_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays bounded: more rows near the cursor than can be remembered are a reason to stop."""
    monkeypatch.setattr(sql, "MAX_NEAR", 3)
    connect(world, sqlite_table)
    sqlite_table.insert(1, 1, 2, 3, 4)

    with pytest.raises(CursorTooCoarse):
        run_source(world)
    assert released(world.provider) == {}
