"""Row filters mean the same on every row in plain Python, in Polars, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.filtering import could_hold
from contracts.messages import CompoundFilter, FieldFilter, RowCondition
from nodes.delivering.duties.rows import expression
from nodes.delivering.duties.rows_sql import condition, text_after
from nodes.sources.cells import DTYPES
from tests.nodes.delivering.registers import CELLS, CONTRACT, FILTERS
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

SINGLE = {name: cells for name, cells in CELLS.items() if name != "place"}
ROWS = st.lists(st.fixed_dictionaries(SINGLE), max_size=6)
EACH = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPES: dict[str, Any] = {
    "string": sa.Text(),
    "number": sa.Double(),
    "integer": sa.BigInteger(),
    "boolean": sa.Boolean(),
}
TABLE = sa.Table(
    "register",
    sa.MetaData(),
    sa.Column("place", sa.Integer(), primary_key=True),
    *(sa.Column(name, TYPES[str(CONTRACT.kind(name))]) for name in SINGLE),
)
AWKWARD = [
    dict.fromkeys(SINGLE) | {"keeper": text, "area": "510104", "visits": 0}
    for text in ("W%ng", "wang", "Wang", "_", "", "é", "e\u0301", "𠮷", "\uffff", None)
]


def field(operator: Any, value: Any, name: str = "keeper") -> FieldFilter:
    return FieldFilter(operator=operator, field=name, value=value)


def plainly(rows: RowCondition, records: list[dict[str, Any]]) -> list[int]:
    return [place for place, row in enumerate(records) if could_hold(rows, row)]


def by_polars(rows: RowCondition, records: list[dict[str, Any]]) -> list[int]:
    frame = pl.DataFrame(
        [
            pl.Series(name, [row[name] for row in records], dtype=DTYPES[CONTRACT.kind(name) or "string"])
            for name in SINGLE
        ]
    )
    kept = frame.with_row_index("place").filter(expression(rows, CONTRACT))
    return kept["place"].to_list()


def by_sql(connection: sa.Connection, rows: RowCondition, records: list[dict[str, Any]]) -> list[int]:
    dialect: Any = connection.dialect.name
    columns = {name: TABLE.c[name] for name in SINGLE}
    connection.execute(TABLE.delete())
    if records:
        connection.execute(TABLE.insert(), [row | {"place": at} for at, row in enumerate(records)])
    query = sa.select(TABLE.c.place).where(condition(rows, columns, dialect)).order_by(TABLE.c.place)
    return list(connection.scalars(query))


@pytest.fixture
def sqlite() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(postgresql_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


@EACH
@given(ROWS, FILTERS)
@example(AWKWARD, field("startswith", "W%"))
@example(AWKWARD, field("startswith", "w"))
@example(AWKWARD, field("startswith", ""))
@example(AWKWARD, field("gt", "Wang"))
@example(AWKWARD, field("lte", "\uffff"))
@example(AWKWARD, CompoundFilter(operator="not", value=[field("nin", ["Wang", ""])]))
def test_polars_and_sqlite_keep_the_rows_that_the_plain_reading_keeps(
    sqlite: sa.Connection, records: list[dict[str, Any]], rows: RowCondition
) -> None:
    """One filter has one meaning, missing values, case and wildcards included."""
    expected = plainly(rows, records)

    assert by_polars(rows, records) == expected
    assert by_sql(sqlite, rows, records) == expected


@pytest.mark.real
@EACH
@given(ROWS, FILTERS)
@example(AWKWARD, field("startswith", "W%"))
@example(AWKWARD, field("lt", "a"))
@example(AWKWARD, field("gte", "é"))
@example(AWKWARD, field("lte", "\uffff"))
def test_postgresql_keeps_the_rows_that_the_plain_reading_keeps(
    postgresql: sa.Connection, records: list[dict[str, Any]], rows: RowCondition
) -> None:
    """Whatever the database's collation, text compares by code point."""
    assert by_sql(postgresql, rows, records) == plainly(rows, records)


@given(FILTERS)
def test_no_text_of_a_filter_is_in_the_sql(rows: RowCondition) -> None:
    """Values are bound: the statement has none of them, whoever wrote the filter."""
    columns = {name: TABLE.c[name] for name in SINGLE}
    hostile = field("eq", "x' OR '1'='1")

    statement = condition(CompoundFilter(operator="and", value=[hostile, rows]), columns, "sqlite").compile()

    assert "OR '1'" not in str(statement)
    assert "x' OR '1'='1" in statement.params.values()


def test_a_field_without_a_column_is_an_error() -> None:
    """A filter is never left out because its column is not there."""
    with pytest.raises(KeyError):
        condition(field("eq", "x"), {}, "sqlite")


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
@example("\ud7ff", "x")
@example("\U0010ffff", "x")
@example("a\U0010ffff", "x")
def test_the_texts_with_a_beginning_end_before_the_next_text(prefix: str, rest: str) -> None:
    """So that a range finds exactly the texts with a beginning."""
    after = text_after(prefix)

    assert after is None or prefix + rest < after
    if after is None:
        assert set(prefix) <= {"\U0010ffff"}
    elif rest >= after:
        assert not rest.startswith(prefix)
