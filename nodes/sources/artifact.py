"""The bytes of a release: accepted rows as one Parquet file, the same bytes for the same rows.

Columns stand in contract order with the contract's types; nested values are JSON text with sorted keys. A
view is written anew from the columns that remain, so nothing of a removed column is left in its bytes.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from contracts.schema import Contract
from contracts.validation import UnknownFields
from nodes.sources.batch import ColumnBatch
from nodes.sources.cells import DTYPES
from nodes.sources.parquet_rows import read_columns, read_frames, typed_batch

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


def redact(in_path: Path, out_path: Path, fields: Collection[str]) -> Written:
    """Write a view that lacks the given columns; raise UnknownFields if one is not there or none is left."""
    present = read_columns(in_path)
    strangers = sorted(set(fields) - set(present))
    if strangers:
        raise UnknownFields(f"the artifact has no column {strangers[0]!r}", fields=strangers)
    rest = [name for name in present if name not in fields]
    if not rest:
        raise UnknownFields("nothing is left of the record; a view needs a field")
    parts = list(read_frames(in_path, READ_ROWS, rest))
    return _write(out_path, pl.concat(parts) if parts else pl.read_parquet(in_path, columns=rest))


def _write(path: Path, frame: pl.DataFrame) -> Written:
    frame.rechunk().write_parquet(
        path, compression="zstd", compression_level=3, statistics=True, row_group_size=ROW_GROUP_ROWS
    )
    return Written(len(frame), tuple(frame.columns), path.stat().st_size)
