"""The migration of the sharing rooms and their tables say the same."""

from sqlalchemy import inspect

import exchange.wiring  # noqa: F401  # brings every room's tables
from exchange.tables import ExchangeTable
from tests.exchange.trading import Alliance


def test_migrations_make_every_table_as_it_is_declared(alliance: Alliance) -> None:
    """Every table of every room exists with the declared columns, keys and nullability."""
    seen = inspect(alliance.parts.database.engine)
    with alliance.parts.database.read():
        declared = {
            table.name: {(c.name, c.nullable, c.primary_key) for c in table.columns}
            for table in ExchangeTable.metadata.sorted_tables
        }

    found = {
        name: {
            (c["name"], c["nullable"], c["name"] in seen.get_pk_constraint(name)["constrained_columns"])
            for c in seen.get_columns(name)
        }
        for name in declared
    }

    assert found == declared
