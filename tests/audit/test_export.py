"""An export is a static log that others can read, and that never contradicts itself."""

from pathlib import Path

import pytest

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.quorum import WitnessPolicy
from audit.log.export import ExportContradicts, export
from audit.log.sequencer import Log
from audit.walk.fsck import Trusted, walk
from audit.walk.log_source import DirectorySource
from tests.audit.logs import NOW, ORIGIN, POLICY, SIGNER, appending, cosigned, running

TRUSTED = Trusted(SIGNER.verifier_key, NOW)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give an empty directory, away from the database."""
    path = tmp_path / "export"
    path.mkdir()
    return path


def _files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def _grow(log: Log, start: int, end: int) -> bytes:
    return log.commit_blocking(appending(*range(start, end))).checkpoint


def test_an_export_holds_exactly_the_files_of_its_size(database: Database, directory: Path) -> None:
    """The tree has the tiles and bundles of its size, a checkpoint and a policy."""
    with running(database) as log:
        note = _grow(log, 0, 300)
        done = export(log, directory, POLICY)

    assert set(_files(directory)) == {
        "checkpoint",
        "policy",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    }
    assert (done.written, done.checkpoint.size) == (5, 300)
    assert (directory / "checkpoint").read_bytes() == note
    assert WitnessPolicy.parse((directory / "policy").read_text()) == POLICY


def test_an_export_ends_at_the_newest_cosigned_checkpoint(database: Database, directory: Path) -> None:
    """Where a quorum has cosigned, the export ends there and carries the cosignatures."""
    with running(database) as log:
        note = cosigned(_grow(log, 0, 10))
        log.publish_cosigned(note)
        _grow(log, 10, 20)
        export(log, directory, POLICY)

    assert (directory / "checkpoint").read_bytes() == note
    assert (directory / "tile/0/000.p/10").is_file()
    assert not (directory / "tile/0/000.p/20").exists()


def test_exporting_again_adds_only_what_is_new(database: Database, directory: Path) -> None:
    """A second export changes nothing, and that of a larger log keeps every file and stays sound."""
    with running(database) as log:
        _grow(log, 0, 300)
        export(log, directory, POLICY)
        before = _files(directory)
        again = export(log, directory, POLICY)
        unchanged = _files(directory)
        _grow(log, 300, 600)
        export(log, directory, POLICY)
        after = _files(directory)

    assert (again.written, unchanged) == (0, before)
    assert {name: after[name] for name in before if name != "checkpoint"} == {
        name: raw for name, raw in before.items() if name != "checkpoint"
    }
    assert walk(DirectorySource(directory), TRUSTED).entries == 600


def test_an_export_never_goes_back(database: Database, directory: Path) -> None:
    """A directory that reaches further than the newest cosigned checkpoint keeps its own."""
    with running(database) as log:
        first = _grow(log, 0, 10)
        second = _grow(log, 10, 20)
        export(log, directory, POLICY)
        log.publish_cosigned(cosigned(first))
        done = export(log, directory, POLICY)

    assert done.checkpoint.size == 20
    assert (directory / "checkpoint").read_bytes() == second


@pytest.mark.parametrize(
    "foreign",
    [
        Checkpoint(ORIGIN, 3, bytes(32)),
        Checkpoint("other.example", 3, bytes(32)),
        Checkpoint(ORIGIN, 30, bytes(32)),
    ],
)
def test_a_directory_of_another_history_is_left_alone(
    database: Database, directory: Path, foreign: Checkpoint
) -> None:
    """Where the directory's checkpoint is not of this log's history, nothing is written."""
    (directory / "checkpoint").write_text(f"{foreign}\n{SIGNER.sign(str(foreign))}")
    before = _files(directory)
    with running(database) as log:
        _grow(log, 0, 10)
        with pytest.raises(ExportContradicts):
            export(log, directory, POLICY)

    assert _files(directory) == before


def test_a_changed_tile_is_not_overwritten(database: Database, directory: Path) -> None:
    """A file that differs from the log is evidence, so the export stops."""
    with running(database) as log:
        _grow(log, 0, 300)
        export(log, directory, POLICY)
        (directory / "tile/0/000").write_bytes(bytes(8192))
        with pytest.raises(ExportContradicts):
            export(log, directory, POLICY)

    assert (directory / "tile/0/000").read_bytes() == bytes(8192)
