"""A Parquet file is read slice by slice, and a large row group is cut up without changing a cell."""

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.sources import parquet_slices
from nodes.sources.faults import NoRoom, TruncatedFile
from nodes.sources.parquet_footer import RowGroup, read_row_groups
from nodes.sources.parquet_rows import read_frames
from nodes.sources.parquet_slices import LARGE_BYTES, slices

ROWS = 120
COUNT = range(ROWS)
KINDS = pl.DataFrame(
    {
        "text": [None if i % 7 == 0 else f"断面 {i} with more than twelve bytes" for i in COUNT],
        "short": [f"n{i % 3}" for i in COUNT],
        "whole": pl.Series([i if i % 5 else None for i in COUNT], dtype=pl.Int16),
        "single": pl.Series([i / 3 for i in COUNT], dtype=pl.Float32),
        "number": [float("nan") if i == 3 else i / 7 for i in COUNT],
        "flag": [i % 2 == 0 for i in COUNT],
        "day": [date(2026, 1, 1) + timedelta(days=i) for i in COUNT],
        "moment": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in COUNT],
        "exact": [Decimal(i) / 4 for i in COUNT],
        "bytes": [bytes([i]) * 3 for i in COUNT],
        "place": [None if i == 9 else {"lon": i / 2, "name": {"zh": f"站{i}", "en": None}} for i in COUNT],
        "list": [[i] * (i % 3) for i in COUNT],
        "kind": pl.Series([f"k{i % 4}" for i in COUNT], dtype=pl.Categorical()),
        "choice": pl.Series([("a", "b")[i % 2] for i in COUNT], dtype=pl.Enum(["a", "b"])),
        "nothing": pl.Series([None] * ROWS, dtype=pl.String),
    }
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file whose one row group is large indeed."""
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    rows = LARGE_BYTES // 1000 + 5000
    texts = pl.select(pl.int_range(rows).cast(pl.String).str.pad_start(1000, "x").alias("text"))
    texts.with_row_index().write_parquet(path, row_group_size=rows, compression="lz4")
    return path


@settings(max_examples=60, deadline=None)
@given(
    group_rows=st.integers(1, ROWS + 1),
    rows_each=st.integers(1, ROWS + 1),
    least_rows=st.integers(1, 50),
    column_bytes=st.integers(1, 5000),
    large_bytes=st.sampled_from([0, 1500, 1 << 30]),
    columns=st.none() | st.lists(st.sampled_from(KINDS.columns), min_size=1, unique=True),
)
def test_however_a_file_is_cut_the_rows_are_the_same(
    group_rows: int,
    rows_each: int,
    least_rows: int,
    column_bytes: int,
    large_bytes: int,
    columns: list[str] | None,
) -> None:
    """Slices have the rows, the order and the types of the file, and are no longer than asked."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "LARGE_BYTES": large_bytes,
            "LEAST_ROWS": least_rows,
            "COLUMN_BYTES": column_bytes,
        }.items():
            patch.setattr(parquet_slices, name, value)
        path = Path(folder) / "a.parquet"
        KINDS.write_parquet(path, row_group_size=group_rows)
        wanted = pl.read_parquet(path, columns=columns)

        read = list(slices(path, rows_each, columns))

    assert max(map(len, read)) <= rows_each
    assert pl.concat(read).equals(wanted.select(columns or wanted.columns))
    assert all(frame.schema == pl.concat(read).schema for frame in read)


def test_a_large_row_group_is_cut_up(large: Path) -> None:
    """A group beyond the limit is read whole and in order."""
    groups = read_row_groups(large)
    assert groups is not None
    assert [sum(group.unpacked_bytes.values()) > LARGE_BYTES for group in groups] == [True]

    read = list(slices(large, 10_000))

    assert [len(frame) for frame in read[:-1]] == [10_000] * (len(read) - 1)
    assert pl.concat(read).equals(pl.read_parquet(large))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give temporary files a device that is full."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full.open("r+b"))


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_is_said_and_not_blamed_on_the_file(large: Path) -> None:
    """Where the temporary file has no room, the reader hears so."""
    with pytest.raises(NoRoom, match="No space left"):
        list(read_frames(large, 10_000))


@pytest.mark.usefixtures("no_room")
def test_what_is_read_decides_what_is_large(large: Path) -> None:
    """A narrow column of a large group needs no temporary file."""
    total = pl.scan_parquet(large).select(pl.len()).collect().item()

    assert sum(map(len, slices(large, 10_000, ["index"]))) == total


def test_the_footer_says_the_rows_and_bytes_of_each_group(tmp_path: Path) -> None:
    """Row groups come in order; a nested column is the sum of its leaves."""
    path = tmp_path / "a.parquet"
    KINDS.write_parquet(path, row_group_size=50)

    groups = read_row_groups(path)

    assert groups is not None
    assert [group.rows for group in groups] == [50, 50, 20]
    assert all(set(group.unpacked_bytes) == set(KINDS.columns) for group in groups)
    assert all(min(group.unpacked_bytes.values()) > 0 for group in groups)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), rest=st.binary(max_size=8))
def test_a_damaged_footer_is_not_understood_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, rest: bytes
) -> None:
    """Whatever bytes a footer has, it gives groups or None; a file is then read, or refused as damaged."""
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    KINDS.select("text", "whole", "place").write_parquet(path, row_group_size=50)
    whole = bytearray(path.read_bytes())
    length = int.from_bytes(whole[-8:-4], "little")
    at = len(whole) - 8 - length + at % length
    whole[at : at + 1 + len(rest)] = bytes([byte]) + rest
    path.write_bytes(bytes(whole))

    groups = read_row_groups(path)

    assert groups is None or all(isinstance(group, RowGroup) for group in groups)


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"\x19" * 5000,  # lists in lists
        b"\x1c" * 5000,  # structs in structs
        b"\x49\xfc\xff\xff\xff\xff\x0f",  # more row groups than bytes
        b"\x46" + b"\xff" * 20,  # a number without end
        b"\x4b\x00",  # a map, which a footer has not
        b"\x00",  # no row groups
    ],
)
def test_a_hostile_footer_ends_soon(tmp_path: Path, footer: bytes) -> None:
    """Nesting, sizes and numbers have limits; what breaks them is not understood."""
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")

    assert read_row_groups(path) is None
    with pytest.raises(TruncatedFile):
        list(read_frames(path, 10))


@pytest.mark.parametrize("tail", [b"", b"PAR1", b"\xff\xff\xff\x7fPAR1", b"\x01\0\0\0PARE"])
def test_a_file_without_a_footer_is_not_understood(tmp_path: Path, tail: bytes) -> None:
    """Too short, too long or encrypted: nothing is read."""
    path = tmp_path / "a.parquet"
    path.write_bytes(tail)

    assert read_row_groups(path) is None
