"""Publishing: good rows become an immutable artifact, bad rows go to quarantine, and none is lost."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Conflict
from contracts.messages import Manifest
from nodes.broker import ExchangeSilent
from nodes.exclusive import Busy, exclusively
from nodes.publishing.artifacts import artifact_path, hash_file, sweep_drafts
from nodes.publishing.publish import (
    EmptyRelease,
    ExchangeForgot,
    ReleaseNumbersBehind,
    SourceUnfit,
    own_releases,
    publish,
)
from nodes.quarantine.model import NoSuchRow
from nodes.quarantine.rows import list_rows, show_row
from nodes.sharing_tables import ReleaseRow
from nodes.signed import peek_statement
from nodes.sources.faults import SourceFault
from tests.nodes.sharing import DATASET, World, rows, write_source

BAD = {"ph": "neutral"}


def mixed(good: int, bad: int) -> list[dict[str, object]]:
    return [*rows(good), *({**row, **BAD} for row in rows(bad, first=good + 1))]


def test_every_row_is_published_or_quarantined(world: World) -> None:
    """Read is published plus quarantined, and the artifact holds exactly the good rows."""
    world.declare()

    done = world.publish(mixed(30, 5))

    manifest = done.manifest.statement
    assert manifest.counts.model_dump() == {"read": 35, "published": 30, "quarantined": 5}
    path = artifact_path(world.provider, manifest.distribution.sha256)
    assert pl.read_parquet(path).height == 30
    assert hash_file(path).chunk_root == manifest.distribution.chunk_root


def test_an_artifact_cannot_be_written_again(world: World) -> None:
    """The file of a release is read-only and named by its digest."""
    world.declare()
    done = world.publish()

    path = artifact_path(world.provider, done.manifest.statement.distribution.sha256)
    assert path.stat().st_mode & 0o777 == 0o400
    assert not [one for one in path.parent.iterdir() if one.is_dir()]


def test_a_quarantined_row_says_what_is_wrong_where_and_with_which_value(world: World) -> None:
    """A clerk sees the row number, the pointer, the rule, the value and a sentence in both languages."""
    world.declare()
    world.publish(mixed(3, 1))

    total, listed = list_rows(world.provider, DATASET, 10, 0)
    shown = show_row(world.provider, listed[0]["id"])

    assert total == 1
    assert (shown["row"], shown["record"]["ph"]) == (4, "neutral")
    reason = shown["reasons"][0]
    assert (reason["pointer"], reason["rule"], reason["value"]) == ("/ph", "type", '"neutral"')
    assert "类型" in reason["message"]["zh"]
    assert "must be" in reason["message"]["en"]


def test_there_is_no_row_that_was_not_quarantined(world: World) -> None:
    """An unknown number is not found."""
    with pytest.raises(NoSuchRow):
        show_row(world.provider, 7)


def test_a_release_without_a_good_row_is_refused_and_its_quarantine_kept(world: World) -> None:
    """Nothing is published, and the reasons stay."""
    world.declare()

    with pytest.raises(EmptyRelease) as caught:
        world.publish(mixed(0, 4))

    assert caught.value.facts == {"read": 4, "quarantined": 4}
    assert list_rows(world.provider, DATASET, 10, 0)[0] == 4
    assert own_releases(world.provider, DATASET) == []


def test_a_source_read_again_leaves_its_quarantine_as_it_was(world: World) -> None:
    """A second reading replaces the rows of the first."""
    world.declare()
    for _ in range(2):
        with pytest.raises(EmptyRelease):
            world.publish(mixed(0, 4))

    assert list_rows(world.provider, None, 10, 0)[0] == 4


def test_the_same_source_is_the_same_release(world: World) -> None:
    """Republishing gives the release that exists, whatever the file is called."""
    world.declare()
    first = world.publish(mixed(5, 1))

    again = world.publish(mixed(5, 1), "copy.ndjson")

    assert again.repeated
    assert again.manifest.digest == first.manifest.digest
    assert len(world.exchange.feeds[DATASET]) == 1


def test_releases_are_numbered_and_chained(world: World) -> None:
    """A manifest names the digest of the one before it."""
    world.declare()
    first = world.publish(rows(3))
    second = world.publish(rows(3, first=50), "second.ndjson")

    assert [m.number for m in own_releases(world.provider, DATASET)] == [1, 2]
    assert second.manifest.statement.previous == first.manifest.digest


def test_a_release_that_did_not_arrive_is_sent_again_byte_for_byte(world: World) -> None:
    """A crash after signing sends the stored manifest, not a new one."""
    world.declare()
    send = world.provider.broker.publish_release
    world.exchange.feeds[DATASET] = []

    def crash(dataset: str, manifest: str) -> None:
        send(dataset, manifest)
        raise ExchangeSilent("the answer was lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.provider.broker, "publish_release", crash)
        with pytest.raises(ExchangeSilent):
            world.publish(rows(3))
    world.clock.advance(60)

    done = world.publish(rows(3))

    assert done.manifest.text == world.exchange.feeds[DATASET][0].manifest_envelope
    assert len(world.exchange.feeds[DATASET]) == 1


def test_a_restored_snapshot_is_noticed_by_its_release_number(world: World) -> None:
    """A node that forgot a release signs no other one under its number."""
    world.declare()
    world.publish(rows(3))
    world.publish(rows(3, first=50), "second.ndjson")
    with world.provider.database.transaction() as session:
        session.delete(session.get(ReleaseRow, (DATASET, 2)))

    with pytest.raises(ReleaseNumbersBehind):
        world.publish(rows(3, first=90), "third.ndjson")


def test_another_release_under_an_own_number_is_noticed(world: World) -> None:
    """The digests are compared, not only the numbers."""
    world.declare()
    world.publish(rows(3))
    with world.provider.database.transaction() as session:
        row = session.get(ReleaseRow, (DATASET, 1))
        assert row is not None
        row.manifest = "sha256:" + "2" * 64
        session.add(row)

    with pytest.raises(ReleaseNumbersBehind):
        world.publish(rows(3, first=90), "third.ndjson")


def test_an_exchange_that_lost_a_release_is_noticed(world: World) -> None:
    """A logged release that is no longer listed stops publishing."""
    world.declare()
    world.publish(rows(3))
    world.exchange.feeds[DATASET] = []

    with pytest.raises(ExchangeForgot):
        world.publish(rows(3, first=90), "third.ndjson")


def test_a_release_that_the_exchange_refuses_frees_its_number(world: World) -> None:
    """What was never logged does not block the next release."""
    world.declare()
    feed = world.exchange.feeds
    world.publish(rows(3))
    stored = feed[DATASET]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            world.provider.broker, "releases", lambda dataset, **_: world.exchange._feed(dataset, 0)
        )
        feed[DATASET] = [*stored, stored[0].model_copy(update={"number": 1})]
        with pytest.raises(Conflict, match="another number is next"):
            world.publish(rows(3, first=90), "third.ndjson")
    feed[DATASET] = stored

    assert world.publish(rows(3, first=90), "third.ndjson").manifest.statement.number == 2


def test_a_file_that_says_it_is_made_up_is_not_published_as_real(world: World) -> None:
    """A synthetic source needs a record that says so."""
    world.declare()
    source = write_source(world.folder / "made-up.ndjson", rows(2))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.sources.source._says_synthetic", lambda *_: True)
        with pytest.raises(SourceUnfit):
            publish(world.provider, source, DATASET)


def test_one_dataset_is_published_once_at_a_time(world: World) -> None:
    """A second publication of the same dataset is told to wait."""
    world.declare()

    with exclusively(world.provider.home.artifacts / f".{DATASET}.lock"), pytest.raises(Busy):
        world.publish(rows(2))


def test_a_file_of_other_columns_is_refused(world: World) -> None:
    """A source is read under the dataset's contract or not at all."""
    world.declare()

    with pytest.raises(SourceFault):
        world.publish([{"station": "a", "value": 1}])


def test_progress_counts_the_rows_read(world: World) -> None:
    """Whoever publishes hears how far the reading is."""
    world.declare()
    heard: list[int] = []

    publish(world.provider, write_source(world.folder / "a.ndjson", mixed(7, 2)), DATASET, heard.append)

    assert heard[-1] == 9


def test_the_manifest_says_where_the_rows_came_from(world: World) -> None:
    """Source digest, file name and place stand in the signed manifest."""
    world.declare(synthetic=True)
    done = world.publish(rows(2))

    source = peek_statement(done.manifest.text, Manifest).statement.source
    assert (source.file_name, source.synthetic) == ("buoy.ndjson", True)
    assert source.sha256 == hash_file(world.folder / "buoy.ndjson").sha256


def test_what_json_does_not_have_is_kept_in_quarantine(world: World) -> None:
    """A row with NaN is rejected, kept, and can be shown."""
    world.declare()
    source = world.folder / "nan.parquet"
    frame = pl.DataFrame(rows(2)).with_columns(pl.Series("ph", [math.nan, 7.0]))
    frame.write_parquet(source)

    publish(world.provider, source, DATASET)

    _, listed = list_rows(world.provider, DATASET, 10, 0)
    assert show_row(world.provider, listed[0]["id"])["record"]["record_number"] == 1


cell = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(cell, min_size=1, max_size=8))
def test_whatever_a_column_holds_no_row_is_lost(world: World, tmp_path: Path, values: list[object]) -> None:
    """Any mix of values splits into published and quarantined rows without a remainder."""
    if not (world.provider.home.artifacts / f".{DATASET}.lock").exists():
        world.declare()
    records = [
        *rows(1),
        *({**row, "ph": value} for row, value in zip(rows(8, first=2), values, strict=False)),
    ]

    counts = world.publish(records, "any.ndjson").counts

    assert counts.read == counts.published + counts.quarantined == len(records)


def test_what_a_killed_process_left_half_made_is_swept(tmp_path: Path) -> None:
    """At start the drafts of an earlier process go, and artifacts stay."""
    (tmp_path / ".draft-1").mkdir()
    (tmp_path / ".draft-1" / "whole.parquet").write_bytes(b"half")
    (tmp_path / ".draft-2.parquet").write_bytes(b"half")
    (tmp_path / "whole.parquet").write_bytes(b"whole")

    sweep_drafts(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["whole.parquet"]
