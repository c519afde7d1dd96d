"""The members' rows, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from audit.database import Database, open_database, upgrade
from contracts.messages import MemberStatus, Role
from exchange.members import store
from exchange.members.model import MemberRecord, PersonRecord, UnknownMember
from exchange.members.tables import DirectoryRow
from exchange.parts import MIGRATIONS
from exchange.tables import ExchangeTable
from tests.exchange.provinces import SICHUAN

NOW = datetime(2026, 11, 22, 8, 0, 0, 123_000, tzinfo=UTC)
MEMBER = MemberRecord(
    participant="p-aaaaaaaaaaaa",
    profile=SICHUAN,
    status=MemberStatus.INVITED,
    witness=True,
    secret_hash="0" * 64,
    invite_expires_at=NOW,
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database with the exchange's newest schema, upgraded twice."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'exchange.db'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    opened = open_database(url)
    upgrade(opened, MIGRATIONS)
    upgrade(opened, MIGRATIONS)
    yield opened
    opened.close()


def test_a_member_comes_back_as_it_was(database: Database) -> None:
    """Profile, times and keys survive the round trip, and a second save replaces the first."""
    with database.transaction() as session:
        store.save_member(session, MEMBER, NOW)
        store.save_member(session, replace(MEMBER, status=MemberStatus.PENDING, node_key="k"), NOW)
    with database.read() as session:
        found = store.find_member(session, MEMBER.participant)

    assert found == replace(MEMBER, status=MemberStatus.PENDING, node_key="k")


def test_an_unknown_member_is_refused(database: Database) -> None:
    """A participant without a row is UnknownMember."""
    with database.read() as session, pytest.raises(UnknownMember):
        store.find_member(session, MEMBER.participant)


def test_two_members_cannot_share_a_key(database: Database) -> None:
    """The database itself holds keys apart."""
    with database.transaction() as session:
        store.save_member(session, replace(MEMBER, node_key="k"), NOW)
    other = replace(MEMBER, participant="p-bbbbbbbbbbbb", node_key="k")

    with pytest.raises(IntegrityError), database.transaction() as session:
        store.save_member(session, other, NOW)


def test_people_keep_their_roles_and_salts(database: Database) -> None:
    """A person with two roles comes back with both."""
    person = PersonRecord("wang", frozenset({Role.AUDITOR, Role.OPERATOR}), "ed25519:x", b"\x01" * 32)
    with database.transaction() as session:
        store.save_person(session, person)
    with database.read() as session:
        found = store.list_people(session)

    assert found == [person]


def test_revocations_are_numbered_and_lifted(database: Database) -> None:
    """The newest row about a name holds, and every change takes the next number."""
    with database.transaction() as session:
        numbers = [
            store.add_revocation(session, "participant", "p-a", NOW),
            store.add_revocation(session, "agreement", "a-a", NOW),
            store.add_revocation(session, "grant", "g-a", NOW),
            store.add_revocation(session, "participant", "p-a", NOW, lifted=True),
        ]
    with database.read() as session:
        current = store.current_revocations(session)
        newest = store.revocation_number(session)

    assert (numbers, newest) == ([1, 2, 3, 4], 4)
    assert current == {"participant": [], "agreement": ["a-a"], "grant": ["g-a"]}


def test_a_directory_number_is_used_once(database: Database) -> None:
    """A second directory under one number is refused by the database; the greatest number is the newest."""
    rows = [DirectoryRow(number=n, digest=f"d{n}", envelope="{}", expires_at=n) for n in (1, 2)]
    with database.transaction() as session:
        for row in rows:
            store.save_directory(session, row)
    with database.read() as session:
        newest = store.latest_directory(session)
    with pytest.raises(IntegrityError), database.transaction() as session:
        store.save_directory(session, DirectoryRow(number=2, digest="x", envelope="{}", expires_at=0))

    assert newest is not None
    assert newest.digest == "d2"


def test_the_migrations_make_the_tables_that_the_rooms_use(database: Database) -> None:
    """Every table and column of the rooms is in the migrated schema, with the same nullability."""
    seen = inspect(database.engine)
    expected = {
        (table.name, column.name, bool(column.nullable))
        for table in ExchangeTable.metadata.sorted_tables
        for column in table.columns
    }
    found = {
        (table, column["name"], column["nullable"])
        for table in seen.get_table_names()
        for column in seen.get_columns(table)
    }

    assert expected - found == set()
