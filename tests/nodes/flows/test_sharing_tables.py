"""The schema that the migrations make is the schema that the tables describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from audit.database import upgrade
from audit.log.tables import AuditTable
from nodes.node import MIGRATIONS
from nodes.tables import NodeTable
from tests.nodes.sharing import World


def differences(world: World, base: type[SQLModel], others: set[str]) -> list[object]:
    with world.provider.database.write_connection() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name not in others},
        )
        return list(compare_metadata(context, base.metadata))


def test_the_migrations_make_the_tables(world: World) -> None:
    """No column, index or table is missing or too many."""
    others = {*AuditTable.metadata.tables, "alembic_version"}

    assert differences(world, NodeTable, others) == []


def test_the_migrations_run_twice_harmlessly(world: World) -> None:
    """Opening a node again changes nothing."""
    world.declare()

    upgrade(world.provider.database, MIGRATIONS)

    assert world.declare().statement.number == 1
