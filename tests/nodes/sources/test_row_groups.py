"""A Parquet file is written group by group, in bytes that depend on its rows alone."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.sources.row_groups import HAND_OVER_ROWS, ROW_GROUP_ROWS, write_groups

SCHEMA = {"number": pl.Int64(), "name": pl.String()}
ROWS = pl.DataFrame(
    {"number": range(3 * ROW_GROUP_ROWS), "name": [f"n{i % 7}" for i in range(3 * ROW_GROUP_ROWS)]}
)


def cut(frame: pl.DataFrame, *at: int) -> Iterator[pl.DataFrame]:
    """Cut a frame at some rows."""
    edges = [0, *sorted(at), len(frame)]
    for start, end in pairwise(edges):
        yield frame[start:end]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the bytes of three groups written at once."""
    path = tmp_path_factory.mktemp("whole") / "w"
    assert write_groups(path, SCHEMA, [ROWS]) == len(ROWS)
    return path.read_bytes()


@settings(max_examples=8, deadline=None)
@given(at=st.lists(st.integers(0, len(ROWS)), max_size=4))
def test_the_bytes_do_not_depend_on_the_cuts(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, at: list[int]
) -> None:
    """However the rows are cut into frames, the file is the same and holds them in order."""
    path = tmp_path_factory.mktemp("cut") / "c"

    assert write_groups(path, SCHEMA, cut(ROWS, *at)) == len(ROWS)
    assert path.read_bytes() == whole


def test_a_column_that_a_frame_lacks_is_null(tmp_path: Path) -> None:
    """Frames need not have every column, and what they have beside is not written."""
    frames = [pl.DataFrame({"number": [1]}), pl.DataFrame({"name": ["x"], "other": [0]})]

    write_groups(tmp_path / "a", SCHEMA, frames)

    assert pl.read_parquet(tmp_path / "a").rows() == [(1, None), (None, "x")]


def test_no_frames_are_a_file_with_columns(tmp_path: Path) -> None:
    """A file without rows has its columns and types."""
    assert write_groups(tmp_path / "a", SCHEMA, []) == 0
    assert pl.read_parquet(tmp_path / "a").schema == SCHEMA


@pytest.mark.parametrize("rows_before", [0, 1, HAND_OVER_ROWS * 3])
def test_what_goes_wrong_in_the_source_is_raised_as_it_is(tmp_path: Path, rows_before: int) -> None:
    """An error while the frames are drawn reaches the caller, and no half file stays behind."""

    def broken() -> Iterator[pl.DataFrame]:
        yield ROWS[:rows_before]
        raise KeyError("source")

    with pytest.raises(KeyError, match="source"):
        write_groups(tmp_path / "a", SCHEMA, broken())

    assert not (tmp_path / "a").exists()


def test_a_file_that_cannot_be_written_ends_the_reading(tmp_path: Path) -> None:
    """A path that is no place for a file is an error, also while more groups are waiting."""
    with pytest.raises(OSError, match=r"."):
        write_groups(tmp_path / "no" / "a", SCHEMA, cut(ROWS, *range(0, len(ROWS), HAND_OVER_ROWS)))
