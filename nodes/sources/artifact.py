"""The bytes of a release: accepted rows as one Parquet file, the same bytes for the same rows.

Columns stand in contract order with the contract's types; nested values are JSON text with sorted keys. A
view is written anew from what its obligations leave, by the same writer, so nothing that is hidden is left in
its bytes, its statistics or its dictionaries.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from contracts.schema import Contract
from nodes.sources.batch import ColumnBatch
from nodes.sources.cells import DTYPES
from nodes.sources.parquet_rows import read_frames, typed_batch

ROW_GROUP_ROWS = 65_536
READ_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Written:
    """What a Parquet file holds."""

    rows: int
    columns: tuple[str, ...]
    size_bytes: int


def write_artifact(path: Path, contract: Contract, frames: Iterable[pl.DataFrame]) -> Written:
    """Write frames of accepted rows as one artifact; every named field is a column, if only of nulls."""
    parts = list(frames)
    columns = contract.columns({name for part in parts for name in part.columns})
    empty = pl.DataFrame(schema={name: DTYPES[contract.kind(name) or "string"] for name in columns})
    return _write(path, pl.concat([empty, *parts], how="diagonal").select(columns))


def read_artifact(path: Path, contract: Contract) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the rows of an artifact or a view, numbered from 1; raise TruncatedFile for damaged bytes."""
    for batch in artifact_batches(path, contract):
        yield from batch.rows()


def artifact_batches(path: Path, contract: Contract) -> Iterator[ColumnBatch]:
    """Give an artifact or a view in batches, for a consumer that judges it again."""
    first = 1
    for frame in read_frames(path, READ_ROWS):
        yield typed_batch(frame, contract, first)
        first += len(frame)


def write_view(path: Path, frame: pl.DataFrame, marks: Mapping[str, str]) -> Written:
    """Write a view: rows in their final order, and ``marks`` as the file's key-value metadata."""
    return _write(path, frame, marks)


def _write(path: Path, frame: pl.DataFrame, marks: Mapping[str, str] | None = None) -> Written:
    frame.rechunk().write_parquet(
        path,
        compression="zstd",
        compression_level=3,
        statistics=True,
        row_group_size=ROW_GROUP_ROWS,
        metadata=dict(sorted(marks.items())) if marks else None,
    )
    return Written(len(frame), tuple(frame.columns), path.stat().st_size)
