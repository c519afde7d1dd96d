"""The rows of an artifact, read one column at a time."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from contracts.quality.rows import PIECE_ROWS
from nodes.sources.faults import TruncatedFile
from nodes.sources.parquet_rows import read_columns


class ArtifactRows:
    """A Parquet file of accepted rows; raises TruncatedFile for damaged bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def count(self) -> int:
        """Count the rows."""
        return int(self._collect(pl.len()).item())

    @cached_property
    def columns(self) -> Sequence[str]:
        """Name the columns that are there."""
        return read_columns(self._path)

    def read(self, names: Sequence[str]) -> pl.DataFrame:
        """Read some columns of all rows."""
        return self._collect(names)

    def pieces(self, name: str) -> Iterator[pl.Series]:
        """Read one column piece by piece; a piece is as long as a row group of an artifact."""
        for start in range(0, self.count, PIECE_ROWS):
            yield self._collect([name], start, PIECE_ROWS)[name]

    def _collect(
        self, wanted: pl.Expr | Sequence[str], start: int = 0, length: int | None = None
    ) -> pl.DataFrame:
        try:
            return pl.scan_parquet(self._path, glob=False).select(wanted).slice(start, length).collect()
        except (PolarsError, OSError, PanicException) as error:
            raise TruncatedFile(f"{self._path.name} is not a whole Parquet file") from error
