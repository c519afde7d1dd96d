"""A watched folder: finished files are taken once, unfinished ones wait, unfit ones say why."""

import os
from pathlib import Path

import pytest
from sqlmodel import select

from nodes.broker import ExchangeSilent
from nodes.intake import folder as folders
from nodes.intake.flow import run
from nodes.intake.folder import FolderGone
from nodes.intake.model import FolderSettings, NewSource, PieceState
from nodes.intake.sources import SourceUnusable, add_source, list_sources, remove_source, show_source
from nodes.intake.spool import write_draft
from nodes.intake.tables import SeenFileRow
from nodes.publishing.datasets import declare_dataset, register_contract
from nodes.publishing.publish import own_releases, publish
from nodes.receiving.pull import PullOptions, pull
from tests.nodes.intake.feeding import (
    NAME,
    add,
    add_folder,
    batch,
    once_each,
    pieces,
    put,
    released,
    run_source,
    spooled,
)
from tests.nodes.sharing import CONTRACT, DATASET, World, declaration

CSV = (
    "Timestamp,Record number,Average Water Speed,Average Water Direction,Chlorophyll,Temperature,"
    "Dissolved Oxygen,Dissolved Oxygen (%Saturation),pH,Salinity,Specific Conductance,Turbidity\n"
    "2023-08-04 23:00,{},1.596,100.271,1.935,19.834,7.43,100.293,8.158,35.255,53.315,2.124\n"
)


def test_every_finished_file_is_taken_once(world: World) -> None:
    """Files of any form in the folder and below it become one release, and none is taken again."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    put(world, folder / "2026" / "b.csv", CSV.format(4).encode())

    first, second = run_source(world), run_source(world)

    assert (first.landed, [lot.rows_read for lot in first.lots]) == (2, [4])
    assert (second.landed, second.lots) == (0, [])
    assert released(world.provider) == once_each(1, 4)
    assert spooled(world.provider) == []
    assert own_releases(world.provider, DATASET)[0].source.file_name == f"{NAME} (folder), 2 pieces"


def test_the_same_content_under_another_name_is_the_same_file(world: World) -> None:
    """A file counts by what it holds, also after its source was removed and added anew."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    run_source(world)
    put(world, folder / "b.ndjson", batch(1, 3))
    run_source(world)
    remove_source(world.provider, NAME)
    add(world, FolderSettings(path=str(folder)))
    run_source(world)

    assert released(world.provider) == once_each(1, 3)


def test_a_file_published_by_hand_is_not_published_again(world: World) -> None:
    """One file alone keeps its digest as the release's source, whoever brings it."""
    folder = add_folder(world)
    path = put(world, folder / "a.ndjson", batch(1, 3))
    by_hand = publish(world.provider, path, DATASET)

    assert [lot.release for lot in run_source(world).lots] == [by_hand.manifest.statement.number]
    assert len(own_releases(world.provider, DATASET)) == 1


def test_a_file_that_is_being_written_waits(world: World) -> None:
    """Until nobody changed it for the settling time, it is not touched."""
    folder = add_folder(world, settle_seconds=30)
    put(world, folder / "a.ndjson", batch(1, 3), age_seconds=29)

    early = run_source(world)
    world.clock.advance(1)
    late = run_source(world)

    assert (early.landed, early.note) == (0, "1 个文件尚未写完 files are not finished")
    assert (late.landed, late.note) == (1, None)


def test_a_foreign_clock_does_not_keep_a_file_out(world: World) -> None:
    """A file from far in the future is as finished as one from the past."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3), age_seconds=-900_000)

    assert run_source(world).landed == 1


def test_a_marker_says_that_a_file_is_finished(world: World) -> None:
    """With a marker set, age says nothing; the marker is no file to read."""
    folder = add_folder(world, marker=".ok")
    put(world, folder / "a.ndjson", batch(1, 3))
    before = run_source(world)
    put(world, folder / "a.ndjson.ok", b"", age_seconds=0)

    assert (before.landed, run_source(world).landed) == (0, 1)
    assert len(pieces(world.provider)) == 1


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.CSV.tmp", "a.ndjson~", ".sync/a.ndjson"])
def test_names_of_unfinished_files_are_passed_over(world: World, name: str) -> None:
    """What programs write under while they copy is never read."""
    folder = add_folder(world)
    put(world, folder / name, batch(1, 3))

    assert run_source(world).landed == 0


def test_links_are_not_followed(world: World) -> None:
    """A link in the folder brings no file from elsewhere."""
    folder = add_folder(world)
    outside = put(world, world.folder / "outside.ndjson", batch(1, 3))
    (folder / "link.ndjson").symlink_to(outside)
    (folder / "deep").symlink_to(world.folder, target_is_directory=True)

    assert run_source(world).landed == 0


def test_an_unfit_file_is_refused_alone(world: World) -> None:
    """It says why, keeps no other out, and is tried again once somebody says so."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    put(world, folder / "b.csv", b"one,two\n1,2\n")
    put(world, folder / "c.csv", b"")

    first, second = run_source(world), run_source(world)
    shown = show_source(world.provider, NAME)

    assert (first.landed, first.refused, second.refused) == (1, 2, 0)
    assert released(world.provider) == once_each(1, 3)
    assert [one["name"] for one in shown["refused"]] == ["c.csv", "b.csv"]
    assert shown["refused"][1]["reason"].startswith("unknown-columns: the columns of b.csv")
    assert run_source(world, again=True).refused == 2


def test_a_mended_file_is_taken(world: World) -> None:
    """Other bytes under the name of a refused file are another file."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", b"one,two\n1,2\n")
    run_source(world)
    put(world, folder / "a.ndjson", batch(1, 3))

    assert run_source(world).landed == 1


def test_a_file_that_goes_on_growing_is_refused(world: World) -> None:
    """Its first rows are out already, so they are not published a second time with the new ones."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    run_source(world)
    put(world, folder / "a.ndjson", batch(1, 5))

    done = run_source(world)

    assert (done.landed, done.refused) == (0, 1)
    assert "file-grew" in show_source(world.provider, NAME)["refused"][0]["reason"]
    assert released(world.provider) == once_each(1, 3)


def test_taken_files_move_away(world: World) -> None:
    """With ``after: move`` the folder empties itself, name by name, and nothing is written over."""
    folder = add_folder(world, after="move", marker=".ok")
    for content in (batch(1, 3), batch(4, 3), b"one,two\n1,2\n"):
        put(world, folder / "x" / "a.ndjson", content)
        put(world, folder / "x" / "a.ndjson.ok", b"")
        run_source(world)

    assert list((folder / "x").iterdir()) == []
    assert sorted(path.name.partition("n.")[0] for path in (folder / "taken" / "x").iterdir()) == [
        "a.ndjso",
        "a.ndjson",
    ]
    assert [path.name for path in (folder / "refused" / "x").iterdir()] == ["a.ndjson"]
    assert released(world.provider) == once_each(1, 6)


def test_a_file_that_changes_under_the_copying_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of two halves is thrown away."""
    folder = add_folder(world)
    path = put(world, folder / "a.ndjson", batch(1, 3))

    def disturbed(*args: object) -> object:
        draft = write_draft(*args)  # type: ignore[arg-type]  # handed on as they came
        with path.open("ab") as file:
            file.write(batch(4, 3))
        return draft

    with monkeypatch.context() as meddling:
        meddling.setattr(folders, "write_draft", disturbed)
        assert run_source(world).note == "1 个文件尚未写完 files are not finished"
    assert spooled(world.provider) == []
    put(world, path, path.read_bytes())
    assert run_source(world).landed == 1
    assert released(world.provider) == once_each(1, 6)


def test_a_file_is_not_read_at_every_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks as it did is known by name, size and time."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    run_source(world)
    monkeypatch.setattr(folders, "_pieces", None)

    assert run_source(world).landed == 0
    with world.provider.database.read() as session:
        assert [row.name for row in session.exec(select(SeenFileRow)).all()] == ["a.ndjson"]


def test_a_folder_that_is_gone_is_said(world: World) -> None:
    """The source waits with the reason, and goes on when the folder is back."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    folder.rename(world.folder / "away")

    with pytest.raises(FolderGone):
        run_source(world)
    assert str(list_sources(world.provider)[0]["trouble"]).startswith("folder-gone")
    (world.folder / "away").rename(folder)
    assert run_source(world).landed == 1
    assert list_sources(world.provider)[0]["trouble"] is None


def test_a_file_that_fits_no_more_frees_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read when its lot is tried again is refused, and keeps no other one waiting."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    put(world, folder / "b.csv", CSV.format(4).encode())
    with monkeypatch.context() as broken:
        broken.setattr(world.provider.broker, "releases", _silent)
        with pytest.raises(ExchangeSilent):
            run_source(world)
    os.truncate(spooled(world.provider)[0], 0)

    done = run_source(world)

    assert [lot.release for lot in done.lots] == [1]
    assert sorted(piece.state for piece in pieces(world.provider)) == [
        PieceState.REFUSED,
        PieceState.RELEASED,
    ]


def _silent(*_: object, **__: object) -> None:
    raise ExchangeSilent("nobody answers")


@pytest.mark.parametrize("place", ["relative", "/nowhere/at/all"])
def test_a_folder_is_named_whole(world: World, place: str) -> None:
    """What is no folder on this machine is refused when the source is added."""
    with pytest.raises(SourceUnusable):
        add(world, FolderSettings(path=place))


def test_the_home_is_no_source(world: World) -> None:
    """A node never publishes its own files."""
    world.declare()
    new = NewSource(name=NAME, dataset=DATASET, settings=FolderSettings(path=str(world.provider.home.inbox)))

    with pytest.raises(SourceUnusable):
        add_source(world.provider, new)


def test_what_was_received_is_not_passed_on(world: World, tmp_path: Path) -> None:
    """A file that another participant delivered is refused in a folder as it is by hand."""
    world.ready()
    pulled = pull(world.consumer, DATASET, PullOptions(connect=world.direct))
    mine = tmp_path / "mine"
    put(world, mine / "theirs.parquet", pulled.files[0].path.read_bytes())
    register_contract(world.consumer, CONTRACT)
    declare_dataset(world.consumer, declaration(dataset="copied"))
    add_source(
        world.consumer, NewSource(name=NAME, dataset="copied", settings=FolderSettings(path=str(mine)))
    )
    assert run(world.consumer, NAME).refused == 1
    assert "onward-sharing" in show_source(world.consumer, NAME)["refused"][0]["reason"]


@pytest.mark.parametrize("state", ["taken", "refused"])
def test_a_file_is_not_moved_through_a_link(world: World, state: str) -> None:
    """Whoever may write into the folder does not choose where else the node puts a file."""
    folder = add_folder(world, after="move")
    elsewhere = world.folder / "elsewhere"
    elsewhere.mkdir()
    (folder / state).symlink_to(elsewhere)
    put(world, folder / ".." / folder.name / "a.ndjson", batch(1, 3) if state == "taken" else b"\xff\xfe{")

    with pytest.raises(FolderGone):
        run_source(world)

    assert list(elsewhere.iterdir()) == []
    assert (folder / "a.ndjson").is_file()


def test_a_folder_that_became_a_link_is_not_followed(world: World) -> None:
    """A folder that is swapped for a link after its file was seen leads to no other file of that name."""
    folder = add_folder(world)
    put(world, folder / "sub" / "a.ndjson", batch(1, 3))
    secret = world.folder / "secret"
    put(world, secret / "a.ndjson", batch(4, 3))
    (seen,) = folders._files(folder)  # what lies between the look and the copy is the race
    (folder / "sub").rename(folder / ".sub")
    (folder / "sub").symlink_to(secret)

    with pytest.raises(folders._Swapped):  # as above
        list(folders._pieces(seen))  # as above

    assert run_source(world).landed == 0


def test_no_more_is_copied_than_a_file_had(world: World) -> None:
    """A file that is written to without end while it is copied does not fill the disk."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    (seen,) = folders._files(folder)  # what lies between the look and the copy is the race
    copying = folders._pieces(seen)  # as above
    first = next(copying)
    with (folder / "a.ndjson").open("ab") as file:
        file.write(batch(4, 3))

    assert first + b"".join(copying) == batch(1, 3)
    assert folders._changed(seen)  # as above


@pytest.mark.parametrize("name", [b"\xca\xfd\xbe\xdd.ndjson", b"a\x1b[2Jb.ndjson", b"a\nb.ndjson"])
def test_the_name_of_a_file_is_any_bytes(world: World, name: bytes) -> None:
    """A name in GB18030, or with signs that move a terminal's cursor, keeps no rows waiting."""
    folder = add_folder(world, after="move")
    put(world, folder / os.fsdecode(name), batch(1, 3))
    put(world, folder / "z.ndjson", batch(4, 3))

    run_source(world)

    assert released(world.provider) == once_each(1, 6)
    assert (folder / "taken" / os.fsdecode(name)).is_file()
    assert all((piece.name or "").isprintable() for piece in pieces(world.provider))


def test_a_file_that_cannot_be_opened_keeps_no_other_waiting(world: World) -> None:
    """One file without rights for the node is unfinished business of its sender's, and nobody else's."""
    folder = add_folder(world)
    put(world, folder / "a.ndjson", batch(1, 3))
    (seen,) = folders._files(folder)  # root opens everything: what vanished stands for it
    (folder / "a.ndjson").unlink()

    with pytest.raises(folders._Swapped):  # as above
        list(folders._pieces(seen))  # as above
