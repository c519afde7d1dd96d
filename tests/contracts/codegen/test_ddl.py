"""Generated tables take what the row engine admits and refuse what it refuses, in real databases."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.codegen.ddl import DIALECTS, NoTable, ddl
from contracts.codegen.sql_dialect import SQLite
from contracts.sampling.breaking import Breaker
from contracts.sampling.generate import rows
from contracts.sampling.seen import seen
from contracts.schema import Contract, compile_schema, parse_contract
from contracts.validation import RowValidator
from tests.contracts.conftest import document
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

Row = dict[str, Any]
MAX_UNSAID = 5


def unsaid(script: str) -> list[str]:
    """List the rules that a script says it does not hold."""
    return [
        line.removeprefix("-- ").partition(": ")[0] for line in script.splitlines() if line.startswith("-- /")
    ]


def tried(contract: Contract, script: str) -> Iterator[Row]:
    """Make good rows, and a row broken in each way that a table can hold, but for rules left unsaid."""
    places = unsaid(script)
    good = [one.row for one in rows(contract, 40, seed=9, form="parquet")]
    yield from good
    judge = RowValidator(contract)
    for row, _ in Breaker(contract, random.Random(5), "parquet").break_each(good[0]):  # noqa: S311
        read = seen(contract, row, "parquet")
        faults = judge.violations(read or {})
        if not any(fault.schema_pointer.startswith(place) for fault in faults for place in places):
            yield row


def compare(contract: Contract, script: str, take: Callable[[Row], bool]) -> int:
    """Compare the verdicts of a table and the engine; give how many rows were refused."""
    judge = RowValidator(contract)
    refused = 0
    for row in tried(contract, script):
        read = seen(contract, row, "parquet")
        assert read is not None
        expected = judge.is_valid(read)
        assert take(read) == expected, read
        refused += not expected
    return refused


def into_sqlite(database: sqlite3.Connection, contract: Contract) -> Callable[[Row], bool]:
    """Insert a row into the table, and say whether it was taken."""
    table = contract.id.replace("-", "_")
    names = [str(column[1]) for column in database.execute(f'PRAGMA table_info("{table}")')]

    def take(row: Row) -> bool:
        cells = [orjson.dumps(v).decode() if isinstance(v, dict | list) else v for v in map(row.get, names)]
        try:
            database.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(names))})', cells)  # noqa: S608
        except sqlite3.IntegrityError:
            return False
        return True

    return take


@pytest.mark.parametrize("name", library.names())
def test_sqlite_gives_the_verdict_of_the_engine(name: str) -> None:
    """A strict SQLite table takes every good row, and refuses a row broken in any way that it can hold."""
    contract = library.load(name)
    script = ddl(contract, DIALECTS["sqlite"])
    with sqlite3.connect(":memory:") as database:
        database.executescript(script)
        refused = compare(contract, script, into_sqlite(database, contract))
    database.close()

    assert refused > 5
    assert len(unsaid(script)) <= MAX_UNSAID


@pytest.mark.real
def test_postgresql_gives_the_verdict_of_the_engine(postgresql_url: str) -> None:
    """A PostgreSQL table of each shipped contract takes every good row and refuses the broken ones."""
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as database:
        for contract in library.shipped_contracts():
            script = ddl(contract, DIALECTS["sql"])
            database.execute(script.encode())

            assert compare(contract, script, into_postgresql(database, contract)) > 5


def into_postgresql(database: psycopg.Connection[Any], contract: Contract) -> Callable[[Row], bool]:
    """Insert a row into the table, and say whether it was taken."""
    table = contract.id.replace("-", "_")
    found = database.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
    )
    names = [str(row[0]) for row in found]
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    text = f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(["%s"] * len(names))})'  # noqa: S608

    def take(row: Row) -> bool:
        cells = [orjson.dumps(v).decode() if isinstance(v, dict | list) else v for v in map(row.get, names)]
        try:
            database.execute(text.encode(), cells)
        except (psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation):
            return False
        return True

    return take


@pytest.mark.parametrize("words", ["x'); DROP TABLE t; --", '"', "\n-- x\n", "*/", "\\", "断面\u202e", "$$"])
@pytest.mark.parametrize("dialect", list(DIALECTS))
def test_words_of_a_contract_stay_words(words: str, dialect: str) -> None:
    """Titles, field names and listed values that look like SQL end no literal, no name and no comment."""
    made = document(title={"zh": words, "en": words})
    made["record"]["properties"]["keeper"] = {"type": ["string", "null"], "enum": [words, None]}
    made["fields"][2]["title"] = {"zh": words, "en": words}
    made["example"] = '{"code":"500100","level":1.5,"keeper":null}'
    contract = parse_contract(orjson.dumps(made))
    script = ddl(contract, DIALECTS[dialect])

    assert script.count("CREATE TABLE") == 1
    assert all(line.startswith("-- ") for line in script.partition("CREATE TABLE")[0].splitlines())
    if dialect == "sqlite":
        with sqlite3.connect(":memory:") as database:
            database.executescript(script)
            take = into_sqlite(database, contract)
            assert take({"code": "500100", "level": 1, "keeper": words})
            assert not take({"code": "500100", "level": 1, "keeper": words + "x"})
        database.close()


CONDITIONS: list[dict[str, Any]] = [
    {"if": {"properties": {"code": {"const": "500100"}}}, "then": {"properties": {"level": {"maximum": 5}}}},
    {"if": {"properties": {"level": {"type": "null"}}}, "then": {"properties": {"keeper": {"type": "string"}}}, "else": {"properties": {"keeper": {"type": "null"}}}},  # noqa: E501
    {"anyOf": [{"properties": {"keeper": {"minLength": 3}}}, {"properties": {"level": {"exclusiveMinimum": 0}}}]},  # noqa: E501
    {"oneOf": [{"properties": {"keeper": {"enum": ["a", "b"]}}}, {"properties": {"level": {"type": "integer"}}}]},  # noqa: E501
    {"not": {"properties": {"code": {"pattern": "^5[0-9]*$"}, "level": {"minimum": 10}}}},
    {"if": {"required": ["keeper"]}, "then": {"properties": {"level": {"minimum": 0}}}},
    {"if": {"not": {"properties": {"keeper": {"enum": ["a", None]}}}}, "then": {"maxProperties": 2}},
]  # fmt: skip


def is_valid(record: dict[str, Any], row: Row) -> bool:
    """Judge a row by a bare schema."""
    return compile_schema(record).is_valid(row)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3),
    st.lists(
        st.fixed_dictionaries(
            {
                "code": st.sampled_from(["500100", "600100"]),
                "level": st.none() | st.sampled_from([-10, -1.5, 0, 4, 5.5, 10, 100]),
                "keeper": st.none() | st.sampled_from(["a", "b", "", "abcd"]),
            }
        ),
        min_size=3,
        max_size=8,
    ),
)
def test_conditions_have_one_verdict(conditions: list[dict[str, Any]], made: list[Row]) -> None:
    """Conditions on values and on null, in any mixture, mean in SQL what they mean in the contract."""
    told = document()
    told["record"]["allOf"] = conditions
    fitting = next((row for row in made if is_valid(told["record"], row)), None)
    if fitting is None:
        return
    contract = parse_contract(orjson.dumps(told | {"example": orjson.dumps(fitting).decode()}))
    judge = RowValidator(contract)
    with sqlite3.connect(":memory:") as database:
        database.executescript(ddl(contract, SQLite()))
        take = into_sqlite(database, contract)
        for row in made:
            assert take(row) == judge.is_valid(row)
    database.close()


@pytest.mark.parametrize("form", DIALECTS)
def test_a_name_that_no_database_takes_is_refused_in_words(form: str) -> None:
    """A column whose name would be cut, and then be another column's, is not made."""
    made = document()
    made["fields"][2]["name"] = long = "k" * 64
    made["record"]["properties"][long] = made["record"]["properties"].pop("keeper")
    made["example"] = '{"code":"500100","level":1.5}'

    with pytest.raises(NoTable):
        ddl(parse_contract(orjson.dumps(made)), DIALECTS[form])
