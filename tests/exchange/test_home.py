"""The home: founded once, private, backed up as one moment, restored into nothing else."""

import io
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from audit.formats.dsse import parse_envelope
from audit.keys.signing import fingerprint, load_key
from audit.log.entry import EntryKind, parse_entry
from contracts.clock import FrozenClock
from contracts.messages import Directory, Role
from exchange.backup import (
    BackupExists,
    BackupNeedsPgDump,
    BackupUnreadable,
    RestoreNeedsEmptyHome,
    backup,
    restore,
)
from exchange.home import HomeExists, init
from exchange.members.store import latest_directory, list_people
from exchange.parts import Parts, build_parts
from exchange.settings import SETTINGS_FILE, load_settings
from tests.exchange.provinces import BASE, ORIGIN


@pytest.fixture
def founded(home: Path) -> Parts:
    """Open the parts of a founded exchange, closed again."""
    parts = build_parts(load_settings(home))
    parts.close()
    return parts


def test_a_home_is_private(home: Path) -> None:
    """Folders are 0700 and files 0600."""
    modes = {path.stat().st_mode & 0o777 for path in [home, *home.rglob("*")] if path.is_dir()}
    file_modes = {path.stat().st_mode & 0o777 for path in home.rglob("*") if path.is_file()}

    assert ({0o700}, {0o600}) == (modes, file_modes)


def test_the_log_begins_with_who_it_is(founded: Parts) -> None:
    """The first entries are shard.open, policy.activate with the bundle's digest, and directory 1."""
    entries = [parse_entry(raw) for raw in founded.log.entries(0, founded.log.size())]

    assert [e.kind for e in entries] == [EntryKind.SHARD_OPEN, EntryKind.POLICY_ACTIVATE, EntryKind.DIRECTORY]
    assert entries[0].fields["origin"] == ORIGIN
    assert entries[1].fields["pol"] == founded.policy.digest
    assert entries[2].fields["n"] == 1


def test_the_first_directory_is_empty_and_signed(founded: Parts) -> None:
    """Directory 1 names nobody, and the statement key signed it."""
    with founded.database.read() as session:
        row = latest_directory(session)
    assert row is not None
    envelope = parse_envelope(row.envelope.encode())
    key = founded.statement_key.public
    envelope.verified_by({key.key_id: key}, {key.key_id})

    assert Directory.parse(envelope.payload).members == []


def test_each_role_has_a_key_of_its_own(home: Path, founded: Parts) -> None:
    """Administrator, auditor and operator are three people with three keys."""
    with founded.database.read() as session:
        people = {person.name: person for person in list_people(session)}

    assert {role.value for role in Role} == set(people)
    assert len({person.key for person in people.values()}) == 3
    for name, person in people.items():
        assert person.key == load_key(home / "people" / f"{name}.key").public.text
        assert person.roles == {Role(name)}


def test_nothing_is_overwritten(home: Path) -> None:
    """Founding an exchange in a folder that holds anything is refused."""
    key = (home / "keys" / "log.key").read_bytes()

    with pytest.raises(HomeExists):
        init(home, origin=ORIGIN, public_url=BASE)

    assert key == (home / "keys" / "log.key").read_bytes()


def test_founding_tells_what_others_pin(tmp_path: Path, clock: FrozenClock) -> None:
    """Init gives the log's vkey, its key's fingerprint and the statement key."""
    made = init(tmp_path / "x", origin=ORIGIN, public_url=BASE, clock=clock)
    key = load_key(tmp_path / "x" / "keys" / "log.key")

    assert made["log_vkey"].startswith(ORIGIN + "+")
    assert made["log_fingerprint"] == fingerprint(key.public.text)


def test_a_backup_comes_back_whole(home: Path, tmp_path: Path, founded: Parts) -> None:
    """Restoring a backup gives the same keys, settings and log, as private as before."""
    made = backup(home, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "again")
    parts = build_parts(load_settings(tmp_path / "again"))

    assert int(made["size_bytes"]) == (tmp_path / "b.tar").stat().st_size
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert parts.log.checkpoint() == founded.log.checkpoint()
    assert parts.statement_key.key_id == founded.statement_key.key_id
    parts.close()
    founded.close()
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "again").rglob("*") if p.is_file()}
    assert modes == {0o600}


def test_a_backup_of_a_busy_exchange_is_one_moment(home: Path, tmp_path: Path) -> None:
    """A backup taken inside another's write transaction holds what was committed before."""
    with closing(sqlite3.connect(home / "exchange.db", isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("DELETE FROM log_entry")
        backup(home, tmp_path / "b.tar")
        busy.execute("ROLLBACK")
    restore(tmp_path / "b.tar", tmp_path / "again")

    parts = build_parts(load_settings(tmp_path / "again"))
    parts.log.start()
    size = parts.log.size()
    parts.close()
    assert size == 3


def test_a_backup_is_never_overwritten(home: Path, tmp_path: Path) -> None:
    """An existing file is refused as a backup's name."""
    (tmp_path / "b.tar").write_text("mine")

    with pytest.raises(BackupExists):
        backup(home, tmp_path / "b.tar")

    assert (tmp_path / "b.tar").read_text() == "mine"


def test_postgresql_is_backed_up_with_its_own_tools(home: Path, tmp_path: Path) -> None:
    """A PostgreSQL database is refused with a hint at pg_dump, and no file is left."""
    with (home / SETTINGS_FILE).open("a") as file:
        file.write('database_url = "postgresql://nobody@/nothing"\n')

    with pytest.raises(BackupNeedsPgDump):
        backup(home, tmp_path / "b.tar")

    assert not (tmp_path / "b.tar").exists()


def test_a_restored_home_has_its_database_inside(home: Path, tmp_path: Path) -> None:
    """A database that lay elsewhere comes back into the home, and the old place is not touched."""
    elsewhere = tmp_path / "elsewhere.db"
    (home / "exchange.db").rename(elsewhere)
    with (home / SETTINGS_FILE).open("a") as file:
        file.write(f'database_url = "sqlite:///{elsewhere}"\n')
    backup(home, tmp_path / "b.tar")
    restore(tmp_path / "b.tar", tmp_path / "again")

    assert load_settings(tmp_path / "again").database == f"sqlite:///{tmp_path / 'again' / 'exchange.db'}"
    assert (tmp_path / "again" / "exchange.db").is_file()


def test_a_backup_is_restored_into_an_empty_folder_only(home: Path, tmp_path: Path) -> None:
    """Existing data are never mixed with a backup's."""
    backup(home, tmp_path / "b.tar")

    with pytest.raises(RestoreNeedsEmptyHome):
        restore(tmp_path / "b.tar", home)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "keys/../../x.key", "other.txt"])
def test_a_foreign_file_is_no_backup(tmp_path: Path, name: str) -> None:
    """An archive with any other file is refused, and nothing is written."""
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())

    with pytest.raises(BackupUnreadable):
        restore(tmp_path / "b.tar", tmp_path / "again")

    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("raw", [b"", b"not a tar at all" * 100])
def test_garbage_is_no_backup(tmp_path: Path, raw: bytes) -> None:
    """A file that is no archive, or an empty one, is refused."""
    (tmp_path / "b.tar").write_bytes(raw)

    with pytest.raises(BackupUnreadable):
        restore(tmp_path / "b.tar", tmp_path / "again")
