"""Write frames as one Parquet file, row group by row group, in the memory of a few of them.

The bytes depend on the rows alone, not on how they were cut into frames or on how many threads write. The
frames are drawn in the caller's thread, so what goes wrong there is raised there; Polars writes in another.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

ROW_GROUP_ROWS = 32_768
HAND_OVER_ROWS = 8_192
COMPRESSION_LEVEL = 3


def write_groups(path: Path, schema: Mapping[str, pl.DataType], frames: Iterable[pl.DataFrame]) -> int:
    """Write the rows of all frames, a column that a frame lacks as nulls; give the number of rows.

    Raises OSError or PolarsError when the file cannot be written, and leaves no half file behind.
    """
    belt = _Belt()
    rows = 0
    with ThreadPoolExecutor(1, thread_name_prefix="parquet") as threads:
        writing = threads.submit(_sink, path, schema, belt)
        try:
            for group in _groups(schema, frames):
                rows += len(group)
                if not belt.put(group):
                    break
            belt.end()
            writing.result()
        except BaseException:  # whatever ends the writing leaves no half file, and goes on as it was
            belt.abandon()
            writing.exception()
            path.unlink(missing_ok=True)
            raise
    return rows


def _groups(schema: Mapping[str, pl.DataType], frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Bring small frames together, as each hand-over has its price."""
    parts: list[pl.DataFrame] = []
    for frame in frames:
        parts.append(_complete(schema, frame))
        if sum(map(len, parts)) >= HAND_OVER_ROWS:
            yield pl.concat(parts)
            parts = []
        del frame  # before the next rows are read
    if parts:
        yield pl.concat(parts)


def _complete(schema: Mapping[str, pl.DataType], frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in schema.items()
    )


def _sink(path: Path, schema: Mapping[str, pl.DataType], belt: "_Belt") -> None:
    def groups(
        with_columns: list[str] | None, _predicate: object, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for group in belt.groups():
            yield group if with_columns is None else group.select(with_columns)

    try:
        register_io_source(groups, schema=dict(schema)).sink_parquet(
            path,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            statistics=True,
            row_group_size=ROW_GROUP_ROWS,
            maintain_order=True,
        )
    finally:
        belt.leave()


class _Abandoned(Exception):
    pass


class _Belt:
    """Hands groups from one thread to another, one at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._group: pl.DataFrame | None = None
        self._ended = self._abandoned = self._left = False

    def put(self, group: pl.DataFrame) -> bool:
        """Wait until there is room; False when nobody takes groups any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._group is None or self._left)
            self._group = group
            self._changed.notify_all()
            return not self._left

    def end(self) -> None:
        """Say that there are no more groups."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Say that the file is not wanted any more."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    def leave(self) -> None:
        """Say that no more groups will be taken."""
        with self._changed:
            self._left = True
            self._changed.notify_all()

    def groups(self) -> Iterator[pl.DataFrame]:
        """Give the groups as they come."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._group is not None or self._ended or self._abandoned)
                if self._abandoned:
                    raise _Abandoned
                group, self._group = self._group, None
                self._changed.notify_all()
            if group is None:
                return
            yield group
