"""Pulling releases, from the grant to the receipt, and what a crash or a liar in between leads to."""

from pathlib import Path

import polars as pl
import pytest

from nodes.receiving.pull import PullOptions, pull
from tests.nodes.sharing import DATASET, World, rows


def test_a_pull_brings_every_release_and_moves_the_cursor(world: World) -> None:
    """A release that is granted, delivered and checked stands in the inbox under its number."""
    world.ready()
    world.publish(rows(10, first=100), "second.ndjson")

    done = pull(world.consumer, DATASET, PullOptions(connect=world.direct))

    assert [file.release for file in done.files] == [1, 2]
    assert done.cursor == 2
    assert pl.read_parquet(done.files[1].path).height == 10
