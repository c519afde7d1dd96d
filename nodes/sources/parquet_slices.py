"""Give the rows of a Parquet file slice by slice, however large its row groups are.

A row group must be unpacked whole, column by column, to reach any of its rows. A small one is unpacked again
for each slice; a large one is cut up once: one column after the other goes piece by piece into a temporary
file, from which the slices are put together. The file takes at most what one row group unpacks to.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import polars as pl

from nodes.sources.faults import NoRoom
from nodes.sources.parquet_footer import RowGroup, read_row_groups

LARGE_BYTES = 32 * 1024 * 1024
"""From here on a row group is cut up, if it has more rows than a slice."""

LEAST_ROWS = 8_192
"""A piece of a column has at least so many rows."""

COLUMN_BYTES = 16 * 1024 * 1024
"""How much of one column is unpacked at once."""

VIEW_BYTES = 16
"""What Polars adds to a text, and more than it adds to anything else."""

_Place = tuple[int, int]
"""Where a piece begins in the temporary file, and how long it is."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows that are read in one way; ``group`` is the large row group that they are, or None."""

    first: int
    rows: int
    group: RowGroup | None = None


def slices(path: Path, rows_each: int, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Give all rows in order, at most ``rows_each`` at a time.

    Raises PolarsError or OSError where the file cannot be read, NoRoom where the temporary file has no room.
    """
    lazy = pl.scan_parquet(path, glob=False)
    lazy = lazy.select(columns) if columns is not None else lazy
    for run in _runs(path, rows_each, lazy.collect_schema().names()):
        if run.group is None:
            for start in range(run.first, run.first + run.rows, rows_each):
                yield lazy.slice(start, min(rows_each, run.first + run.rows - start)).collect()
        else:
            for piece in _cut_up(lazy, run, run.group, _piece_rows(rows_each)):
                for start in range(0, len(piece), rows_each):
                    yield piece.slice(start, rows_each)


def _runs(path: Path, rows_each: int, columns: Sequence[str]) -> list[_Run]:
    """Draw together the small row groups that follow one another, so that many of them make few slices."""
    total = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    groups = read_row_groups(path)
    if groups is None or sum(group.rows for group in groups) != total:
        return [_Run(0, total)]
    runs: list[_Run] = []
    first = 0
    for group in groups:
        if _is_large(group, rows_each, columns):
            runs.append(_Run(first, group.rows, group))
        elif runs and runs[-1].group is None:
            runs[-1] = _Run(runs[-1].first, runs[-1].rows + group.rows)
        else:
            runs.append(_Run(first, group.rows))
        first += group.rows
    return runs


def _is_large(group: RowGroup, rows_each: int, columns: Sequence[str]) -> bool:
    unpacked = sum(group.unpacked_bytes.get(name, 0) for name in columns)
    return group.rows > rows_each and unpacked > LARGE_BYTES


def _piece_rows(rows_each: int) -> int:
    """Give the length of a piece, which holds whole slices and is not too short."""
    return rows_each * -(-LEAST_ROWS // rows_each)


def _cut_up(lazy: pl.LazyFrame, run: _Run, group: RowGroup, rows_each: int) -> Iterator[pl.DataFrame]:
    with tempfile.TemporaryFile(prefix="headwaters-") as spool:
        # For each slice its pieces, in the order of the columns.
        pieces: list[list[_Place]] = [[] for _ in range(0, run.rows, rows_each)]
        for name in lazy.collect_schema().names():
            each = VIEW_BYTES + group.unpacked_bytes.get(name, COLUMN_BYTES) // group.rows
            at_once = max(1, COLUMN_BYTES // each // rows_each) * rows_each
            for start in range(0, run.rows, at_once):
                wanted = min(at_once, run.rows - start)
                column = lazy.select(name).slice(run.first + start, wanted).collect()
                for offset in range(0, wanted, rows_each):
                    place = _put(spool, column.slice(offset, rows_each))
                    pieces[(start + offset) // rows_each].append(place)
                del column  # before the next is read
        for places in pieces:
            yield pl.DataFrame([_take(spool, place) for place in places])


def _put(spool: IO[bytes], piece: pl.DataFrame) -> _Place:
    """Write a piece of a column; the oldest form holds the texts of the piece alone."""
    written = BytesIO()
    piece.write_ipc_stream(written, compat_level=pl.CompatLevel.oldest())
    at = spool.tell()
    try:
        size = spool.write(written.getbuffer())
        spool.flush()
    except OSError as error:
        raise NoRoom(f"a temporary file cannot grow beyond {at} bytes: {error.strerror}") from error
    return at, size


def _take(spool: IO[bytes], place: _Place) -> pl.Series:
    at, size = place
    spool.seek(at)
    return pl.read_ipc_stream(BytesIO(spool.read(size))).to_series()
