"""The bytes of a release: accepted rows as one Parquet file, the same bytes for the same rows.

Columns stand in contract order with the contract's types; nested values are JSON text with sorted keys. Rows
go to the file group by group as they come, so a release of any length takes the memory of a few groups. A
view is written anew from what its obligations leave, by the same writer, so nothing that is hidden is left in
its bytes, its statistics or its dictionaries.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contracts.schema import Contract
from nodes.sources.batch import ColumnBatch
from nodes.sources.cells import DTYPES
from nodes.sources.parquet_rows import read_frames, typed_batch
from nodes.sources.row_groups import COMPRESSION_LEVEL, ROW_GROUP_ROWS, write_groups

READ_ROWS = ROW_GROUP_ROWS


@dataclass(frozen=True, slots=True)
class Written:
    """What a Parquet file holds."""

    rows: int
    columns: tuple[str, ...]
    size_bytes: int


def write_artifact(path: Path, contract: Contract, frames: Iterable[pl.DataFrame]) -> Written:
    """Write frames of accepted rows as one artifact; every named field is a column, if only of nulls.

    Where a pattern admits columns, only the last frame tells which there are, so the frames wait in files
    beside ``path``.
    """
    if not contract.record.get("patternProperties"):
        return _write_groups(path, contract, frames, ())
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".frames-") as folder:
        waiting: list[Path] = []
        present: set[str] = set()
        for frame in frames:
            waiting.append(Path(folder) / f"{len(waiting)}.arrow")
            frame.write_ipc(waiting[-1], compression="lz4")
            present.update(frame.columns)
        return _write_groups(path, contract, map(_read_frame, waiting), present)


def _write_groups(
    path: Path, contract: Contract, frames: Iterable[pl.DataFrame], present: Iterable[str]
) -> Written:
    schema = {name: DTYPES[contract.kind(name) or "string"] for name in contract.columns(present)}
    rows = write_groups(path, schema, frames)
    return Written(rows, tuple(schema), path.stat().st_size)


def _read_frame(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)


def artifact_batches(path: Path, contract: Contract) -> Iterator[ColumnBatch]:
    """Give an artifact or a view in batches, rows numbered from 1; raise TruncatedFile for damaged bytes."""
    first = 1
    for frame in read_frames(path, READ_ROWS):
        yield typed_batch(frame, contract, first)
        first += len(frame)


def write_view(path: Path, frame: pl.DataFrame, marks: Mapping[str, str]) -> Written:
    """Write a view: rows in their final order, and ``marks`` as the file's key-value metadata."""
    frame.rechunk().write_parquet(
        path,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        statistics=True,
        row_group_size=ROW_GROUP_ROWS,
        metadata=dict(sorted(marks.items())) if marks else None,
    )
    return Written(len(frame), tuple(frame.columns), path.stat().st_size)
