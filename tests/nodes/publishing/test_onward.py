"""No onward sharing: what was received under a purpose is not published again, in whatever file it comes."""

from pathlib import Path

import polars as pl
import pytest

from contracts.messages import Mask, MaskRound, PurposeBinding, Watermark
from nodes.publishing.datasets import declare_dataset, register_contract
from nodes.publishing.onward import OnwardSharing
from nodes.publishing.publish import own_releases, publish
from nodes.receiving.kept import holdings
from nodes.receiving.pull import PullOptions, pull
from tests.nodes.sharing import CONTRACT, DATASET, World, declaration, rows, write_source

OWN = "own-buoy"


def received(world: World) -> Path:
    """Have the consumer receive a release, and declare a dataset of its own under the same contract."""
    world.ready()
    path = pull(world.consumer, DATASET, PullOptions(connect=world.direct)).files[0].path
    register_contract(world.consumer, CONTRACT)
    declare_dataset(world.consumer, declaration(dataset=OWN))
    return path


def test_a_received_file_is_not_published(world: World) -> None:
    """The digest is known, also when the file has been deleted from the inbox since."""
    path = received(world)
    moved = world.folder / "mine.parquet"
    moved.write_bytes(path.read_bytes())
    path.unlink()

    with pytest.raises(OnwardSharing):
        publish(world.consumer, moved, OWN)

    assert own_releases(world.consumer, OWN) == []


def test_received_rows_in_another_file_make_the_same_release(world: World) -> None:
    """Equal rows under an equal contract are an equal artifact, and that was received."""
    received(world)
    source = write_source(world.folder / "typed-anew.ndjson", rows(40))

    with pytest.raises(OnwardSharing):
        publish(world.consumer, source, OWN)


def test_a_view_with_foreign_marks_is_not_published(world: World) -> None:
    """The mark says that it was given to somebody, even when this node never received it."""
    received(world)
    leaked = world.folder / "leaked.parquet"
    pl.DataFrame(rows(3, first=900)).write_parquet(leaked, metadata={"headwaters.purpose": "flood-control"})

    with pytest.raises(OnwardSharing):
        publish(world.consumer, leaked, OWN)


def test_own_data_is_published_as_ever(world: World) -> None:
    """A provider may publish its own marked view as another dataset: it was never bound."""
    world.exchange.obligations = lambda terms: [
        Mask(field="ph", how=MaskRound(digits=0)),
        Watermark(recipient=terms.consumer),
        PurposeBinding(purpose=terms.purpose),
    ]
    received(world)
    (view,) = world.provider.home.views.glob("*.parquet")
    declare_dataset(world.provider, declaration(dataset="rounded-buoy"))

    done = publish(world.provider, view, "rounded-buoy")

    assert done.counts.published == 40
    assert len(holdings(world.consumer)) == 1


def test_other_rows_of_the_same_contract_are_published(world: World) -> None:
    """Having received a dataset keeps nobody from publishing data of its own."""
    received(world)

    done = publish(world.consumer, write_source(world.folder / "own.ndjson", rows(5, first=500)), OWN)

    assert done.counts.published == 5
