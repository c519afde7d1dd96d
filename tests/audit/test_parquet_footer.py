"""The footer of a Parquet file says where its row groups lie; anything else is refused, not guessed."""

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.proofs.parquet_footer import NoParquet, read_footer


def table(rows: int) -> pl.DataFrame:
    """Give a table with numbers, text and nulls."""
    return pl.DataFrame(
        {
            "id": range(rows),
            "name": [f"站点 {number * 7919 % 1009}" for number in range(rows)],
            "value": [None if number % 10 == 0 else number * 0.37 for number in range(rows)],
        },
        schema={"id": pl.Int64, "name": pl.String, "value": pl.Float64},
    )


def parquet(rows: int, group_rows: int = 1000) -> bytes:
    """Write a table as artifacts are written."""
    out = io.BytesIO()
    table(rows).write_parquet(out, compression="zstd", row_group_size=group_rows)
    return out.getvalue()


WHOLE = parquet(2500)


def _read(raw: bytes) -> list[tuple[int, int]]:
    return [(one.first_row, one.last_row) for one in read_footer(lambda a, b: raw[a:b], len(raw)).groups]


def test_row_groups_are_found_with_their_rows() -> None:
    """Rows count from 1 and run on from group to group."""
    assert _read(WHOLE) == [(1, 1000), (1001, 2000), (2001, 2500)]
    assert _read(parquet(10)) == [(1, 10)]


def test_a_row_group_and_the_footer_are_enough_to_read_its_rows(tmp_path: Path) -> None:
    """The bytes between start and end hold every page of the group: the rest of the file may be zeros."""
    footer = read_footer(lambda a, b: WHOLE[a:b], len(WHOLE))
    for group in footer.groups:
        sparse = bytearray(len(WHOLE))
        sparse[group.start : group.end] = WHOLE[group.start : group.end]
        sparse[footer.start :] = WHOLE[footer.start :]
        (tmp_path / "sparse").write_bytes(sparse)
        read = pl.scan_parquet(tmp_path / "sparse").slice(group.first_row - 1, group.rows).collect()

        assert read.equals(table(2500).slice(group.first_row - 1, group.rows))


@pytest.mark.parametrize(
    "raw", [b"", b"PAR1", b"PAR1" * 3, WHOLE[:-1], WHOLE[:-4] + b"PAR2", b"a,b\n1,2\n" * 9]
)
def test_what_does_not_end_as_parquet_does_is_refused(raw: bytes) -> None:
    """A file that is cut short, or of another kind, has no row groups."""
    with pytest.raises(NoParquet):
        _read(raw)


@settings(max_examples=300)
@given(at=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_damaged_footer_is_read_or_refused_and_never_breaks(at: int, value: int) -> None:
    """Whatever a byte of the footer becomes, the answer is row groups inside the file or a refusal."""
    start = read_footer(lambda a, b: WHOLE[a:b], len(WHOLE)).start
    place = start + at % (len(WHOLE) - start)
    raw = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
    try:
        footer = read_footer(lambda a, b: raw[a:b], len(raw))
    except NoParquet:
        return

    assert all(4 <= group.start <= group.end <= footer.start <= len(raw) for group in footer.groups)


def test_lists_in_lists_without_end_are_refused() -> None:
    """A footer of nothing but opening lists is as deep as it is long, and no deeper than is read."""
    raw = b"\x19" * 100_000
    whole = b"PAR1" + raw + len(raw).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(NoParquet):
        read_footer(lambda a, b: whole[a:b], len(whole))


@given(raw=st.binary(max_size=200))
def test_any_bytes_as_a_footer_are_read_or_refused(raw: bytes) -> None:
    """Bytes that nobody meant as Thrift end in a refusal, not in a fault or a flood of memory."""
    whole = b"PAR1" + raw + len(raw).to_bytes(4, "little") + b"PAR1"
    try:
        footer = read_footer(lambda a, b: whole[a:b], len(whole))
    except NoParquet:
        return

    assert footer.rows == sum(group.rows for group in footer.groups)
