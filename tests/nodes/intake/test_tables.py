"""The tables of the intake as the migration makes them, on both databases."""

from pathlib import Path

import pytest
from sqlalchemy import inspect

from audit.database import open_database, upgrade
from nodes.intake.tables import LotRow, PieceRow, SeenFileRow, SeenRecordRow, SourceRow
from nodes.node import MIGRATIONS
from nodes.tables import NodeTable
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_migration_makes_what_the_rows_need(
    dialect: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every column is there with its nullability and key, also after a second run."""
    here = f"sqlite:///{tmp_path / 'node.db'}"
    database = open_database(here if dialect == "sqlite" else request.getfixturevalue("postgresql_url"))
    upgrade(database, MIGRATIONS)
    upgrade(database, MIGRATIONS)
    found = inspect(database.engine)
    for row in (SourceRow, PieceRow, LotRow, SeenFileRow, SeenRecordRow):
        table = NodeTable.metadata.tables[str(row.__tablename__)]
        columns = {one["name"]: one["nullable"] for one in found.get_columns(table.name)}
        key = found.get_pk_constraint(table.name)["constrained_columns"]

        assert columns == {column.name: column.nullable for column in table.columns}
        assert key == [column.name for column in table.primary_key]
    database.close()
