"""A walk names the first index at which a log stops being true, whatever was done to it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash
from audit.formats.note import format_note, parse_note
from audit.formats.tile import decode_bundle, encode_bundle
from audit.log.export import export
from audit.log.log_reader import LogReader
from audit.log.unit import Unit
from audit.walk.fsck import LogBad, Trusted, WalkReport, walk
from audit.walk.log_source import DatabaseSource, DirectorySource, NotAnExport
from contracts.errors import Invalid
from tests.audit.logs import (
    NOW,
    ORIGIN,
    POLICY,
    SIGNER,
    appending,
    copied,
    cosigned,
    event,
    running,
    written,
)
from tests.audit.transfers import Subscription

SIZE = 700
TRUSTED = Trusted(SIGNER.verifier_key, NOW, POLICY)


def _transfers(unit: Unit) -> None:
    subscription = Subscription()
    for _ in range(5):
        subscription.done(unit, subscription.grant(unit))
    subscription.grant(unit)


def _fill(database: Database) -> None:
    """Write a sound log of 700 entries; its checkpoints of 610, cosigned, and of 700 are kept."""
    with running(database) as log:
        log.commit_blocking(appending(*range(10)))
        log.publish_cosigned(cosigned(log.commit_blocking(appending(*range(10, 610))).checkpoint))
        log.commit_blocking(_transfers)
        log.commit_blocking(appending(*range(621, SIZE)))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with a sound log, to be copied and then damaged."""
    return written(tmp_path_factory.mktemp("sound"), _fill)


@pytest.fixture
def whole(sound: Path, tmp_path: Path) -> Iterator[Database]:
    """Give a database of a sound log."""
    with copied(sound, tmp_path) as database:
        yield database


def _walk(database: Database, trusted: Trusted = TRUSTED) -> WalkReport:
    with DatabaseSource.open(database) as source:
        return walk(source, trusted)


def _index(report: WalkReport) -> int | None:
    return report.damage.index if report.damage else None


def test_a_sound_log_is_walked_to_its_end(database: Database) -> None:
    """Everything holds: all entries, all checkpoints, one grant still open; and progress reaches the end."""
    _fill(database)
    heard: list[tuple[int, int]] = []
    with DatabaseSource.open(database) as source:
        report = walk(source, TRUSTED, lambda done, total: heard.append((done, total)))

    report.require_sound()
    assert report == WalkReport(entries=SIZE, checkpoints=2, open_grants=1, damage=None)
    assert heard[-1] == (SIZE, SIZE)


def test_an_empty_log_is_sound(database: Database) -> None:
    """A log without entries has one sound checkpoint."""
    with running(database):
        pass

    assert _walk(database) == WalkReport(entries=0, checkpoints=1, open_grants=0, damage=None)


def _rewrite(database: Database, index: int) -> None:
    """Replace an entry so that row and tile agree, as someone with the database and without the key can."""
    leaf = event(9999).encode()
    value = leaf_hash(leaf)
    with database.write_connection() as connection:
        connection.execute(
            text("UPDATE log_entry SET leaf = :leaf, leaf_hash = :hash WHERE idx = :idx"),
            {"leaf": leaf, "hash": value, "idx": index},
        )
        tile = connection.execute(
            text("SELECT hashes FROM log_tile WHERE level = 0 AND n = :n"), {"n": index // 256}
        ).scalar_one()
        at = index % 256 * 32
        connection.execute(
            text("UPDATE log_tile SET hashes = :hashes WHERE level = 0 AND n = :n"),
            {"hashes": tile[:at] + value + tile[at + 32 :], "n": index // 256},
        )


def _sql(statement: str, **values: object) -> Callable[[Database], None]:
    def run(database: Database) -> None:
        with database.write_connection() as connection:
            for part in statement.split(";"):
                connection.execute(text(part), values)

    return run


def test_damage_is_named_on_every_dialect(database: Database) -> None:
    """The walk reads SQLite and PostgreSQL alike."""
    _fill(database)
    _sql("DELETE FROM log_entry WHERE idx = 511")(database)

    assert _index(_walk(database)) == 511


def _truncate(database: Database) -> None:
    """Put the log back to size 610, consistently, as restoring an old copy does."""
    _sql("DELETE FROM log_entry WHERE idx >= 610; DELETE FROM log_checkpoint WHERE size > 610")(database)
    with database.write_connection() as connection:
        hashes = connection.execute(
            text("SELECT hashes FROM log_tile WHERE level = 0 AND n = 2")
        ).scalar_one()
        connection.execute(
            text("UPDATE log_tile SET hashes = :hashes WHERE level = 0 AND n = 2"),
            {"hashes": hashes[: 98 * 32]},
        )


@pytest.mark.parametrize(
    ("damage", "index"),
    [
        (_sql("UPDATE log_entry SET leaf = :x WHERE idx = 300", x=b"{}"), 300),
        (_sql("UPDATE log_entry SET leaf_hash = :x WHERE idx = 300", x=bytes(32)), 300),
        (_sql("UPDATE log_entry SET kind = 'grant' WHERE idx = 300"), 300),
        (_sql("DELETE FROM log_entry WHERE idx = 0"), 0),
        (_sql("DELETE FROM log_entry WHERE idx = 511"), 511),
        (_sql("DELETE FROM log_entry WHERE idx >= 650"), 650),
        (
            _sql(
                "UPDATE log_entry SET idx = -1 WHERE idx = 40;"
                "UPDATE log_entry SET idx = 40 WHERE idx = 50;"
                "UPDATE log_entry SET idx = 50 WHERE idx = -1"
            ),
            40,
        ),
        (_sql("UPDATE log_tile SET hashes = :x WHERE level = 0 AND n = 1", x=bytes(8192)), 256),
        (_sql("DELETE FROM log_tile WHERE level = 0 AND n = 2"), 512),
        (_sql("UPDATE log_tile SET hashes = :x WHERE level = 1 AND n = 0", x=bytes(64)), 0),
        (_sql("DELETE FROM log_tile WHERE level = 1"), 0),
        (_sql("UPDATE log_checkpoint SET note = 'x' WHERE size = 700"), 610),
        (_sql("UPDATE log_cosigned SET note = 'x' WHERE size = 610"), 0),
        (_sql("UPDATE log_checkpoint SET size = 650 WHERE size = 700"), 610),
        (_sql("DELETE FROM log_checkpoint WHERE size = 700"), 610),
        (_sql("DELETE FROM log_checkpoint; DELETE FROM log_cosigned"), 0),
        (lambda database: _rewrite(database, 5), 0),
        (lambda database: _rewrite(database, 300), 256),
        (lambda database: _rewrite(database, 615), 610),
    ],
)
def test_damage_is_named_by_its_first_index(
    whole: Database, damage: Callable[[Database], None], index: int
) -> None:
    """A flipped, missing, moved or rewritten entry, tile or checkpoint is named by the first index spoilt."""
    damage(whole)

    report = _walk(whole)

    assert _index(report) == index
    with pytest.raises(LogBad):
        report.require_sound()


def test_a_log_put_back_is_found_out_by_a_pinned_checkpoint(whole: Database) -> None:
    """A log that was cut off consistently looks sound alone, and is short of a checkpoint kept elsewhere."""
    kept = LogReader(whole).checkpoint()
    _truncate(whole)

    assert _walk(whole).damage is None
    assert _index(_walk(whole, Trusted(SIGNER.verifier_key, NOW, POLICY, against=[kept]))) == 610


@pytest.mark.parametrize("size", [300, SIZE])
def test_a_forked_checkpoint_is_found_out(whole: Database, size: int) -> None:
    """A checkpoint that the log signed with another root, kept elsewhere, shows the fork."""
    body = str(Checkpoint(ORIGIN, size, bytes(32)))
    forked = f"{body}\n{SIGNER.sign(body)}".encode()

    report = _walk(whole, Trusted(SIGNER.verifier_key, NOW, against=[forked]))

    assert _index(report) == 0  # nobody but the log itself vouches for anything before


def test_a_pinned_checkpoint_of_this_history_holds(whole: Database) -> None:
    """A cosigned checkpoint kept by a witness is sound against the log that it was taken from."""
    kept = LogReader(whole).cosigned() or b""

    assert _walk(whole, Trusted(SIGNER.verifier_key, NOW, against=[kept])).damage is None


def test_a_pinned_checkpoint_of_another_log_is_refused(whole: Database) -> None:
    """A checkpoint that this log's key did not sign says nothing, so the call is refused."""
    body = str(Checkpoint("other.example", 3, bytes(32)))
    foreign = f"{body}\n— other.example AAAAAAAA\n".encode()

    with pytest.raises(Invalid):
        _walk(whole, Trusted(SIGNER.verifier_key, NOW, against=[foreign]))


def test_a_published_checkpoint_needs_its_quorum(whole: Database) -> None:
    """With a policy, a published checkpoint with too few cosignatures is damage."""
    published = parse_note(LogReader(whole).cosigned() or b"")
    bare = format_note(published.text, [line.line for line in published.signatures[:1]])
    with whole.write_connection() as connection:
        connection.execute(text("UPDATE log_cosigned SET note = :note"), {"note": bare.decode()})

    assert _index(_walk(whole)) == 0
    assert _walk(whole, Trusted(SIGNER.verifier_key, NOW)).damage is None


# --- an exported directory -------------------------------------------------------------------------


@pytest.fixture
def exported(whole: Database, tmp_path: Path) -> Path:
    """Give a sound export of 610 entries."""
    directory = tmp_path / "export"
    export(LogReader(whole), directory, POLICY)
    return directory


def _edit(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def run(directory: Path) -> None:
        file = directory / path
        file.write_bytes(change(file.read_bytes()))

    return run


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def _swap(raw: bytes) -> bytes:
    leaves = decode_bundle(raw)
    leaves[20], leaves[30] = leaves[30], leaves[20]
    return encode_bundle(leaves)


def test_a_sound_export_is_walked_to_its_end(exported: Path) -> None:
    """An export is checked without its database."""
    assert walk(DirectorySource(exported), TRUSTED) == WalkReport(610, 2, 0, None)


@pytest.mark.parametrize(
    ("damage", "index"),
    [
        (_edit("tile/entries/000", _flip(2000)), 15),
        (_edit("tile/entries/001", _swap), 276),
        (_edit("tile/entries/001", lambda raw: encode_bundle(decode_bundle(raw)[:-1])), 511),
        (_edit("tile/entries/001", lambda raw: raw[:-1]), 256),
        (lambda directory: (directory / "tile/entries/002.p/98").unlink(), 512),
        (_edit("tile/0/000", _flip(33)), 1),
        (_edit("tile/0/002.p/98", lambda raw: raw[:-32]), 609),
        (lambda directory: shutil.rmtree(directory / "tile/1"), 0),
        (_edit("tile/1/000.p/2", _flip(40)), 256),
        (_edit("checkpoint", lambda raw: raw.replace(b"\n610\n", b"\n609\n")), 0),
    ],
)
def test_damage_in_an_export_is_named(exported: Path, damage: Callable[[Path], object], index: int) -> None:
    """A flipped byte, a missing file or a moved entry in an export is named by the first index it spoils."""
    damage(exported)

    assert _index(walk(DirectorySource(exported), TRUSTED)) == index


def test_a_directory_without_a_checkpoint_is_no_export(tmp_path: Path) -> None:
    """A directory that holds no checkpoint is refused, not reported as sound."""
    with pytest.raises(NotAnExport):
        DirectorySource(tmp_path)


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_a_file_without_end_is_not_read_whole(exported: Path, name: str) -> None:
    """A stranger's directory may hold a file larger than memory; it is damage like any other."""
    (exported / name).chmod(0o600)
    os.truncate(exported / name, 2**40)

    if name == "checkpoint":
        with pytest.raises(Invalid):
            DirectorySource(exported)
    else:
        assert walk(DirectorySource(exported), TRUSTED).damage is not None
