"""Read Parquet files in slices; their own types are judged, never guessed into others.

A column of the wrong type leaves its cells odd, so each row is rejected with its value. Single-precision
numbers are read by their shortest decimal form, so that 0.1 stays 0.1.
"""

import math
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PanicException, PolarsError

from contracts.canonical import MAX_INTEGER
from contracts.schema import Contract, Kind
from contracts.view import MARKS
from nodes.sources.batch import ColumnBatch
from nodes.sources.cells import (
    DTYPES,
    Odd,
    is_plain,
    leftovers,
    whole_numbers,
    within_limits,
    write_json,
)
from nodes.sources.faults import TruncatedFile
from nodes.sources.parquet_slices import slices

_TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Date, pl.Datetime)  # a tuple, as types compare by ==

_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)  # which cannot hold a bound of 2^53


def read_columns(path: Path) -> list[str]:
    """Read the column names; raise TruncatedFile for a file that is no whole Parquet file."""
    return list(read_schema(path))


def read_schema(path: Path) -> dict[str, pl.DataType]:
    """Read the columns with their types; raise TruncatedFile for a file that is no whole Parquet file."""
    try:
        return dict(pl.read_parquet_schema(path))
    except (PolarsError, OSError, PanicException) as error:
        raise _broken(path) from error


def read_marks(path: Path) -> dict[str, str]:
    """Read the marks that a node of the alliance writes into a view; none in a file of another form."""
    try:
        metadata = pl.read_parquet_metadata(path)
    except (PolarsError, OSError, PanicException):
        return {}
    return {key: metadata[key] for key in sorted(MARKS & metadata.keys())}


def read_frames(path: Path, batch_rows: int, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Read the rows slice by slice; raise TruncatedFile, or NoRoom for a file of large row groups."""
    try:
        yield from slices(path, batch_rows, columns)
    except (PolarsError, OSError, PanicException) as error:
        raise _broken(path) from error


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Write every cell as the text a CSV file would hold, for sets that are known as CSV."""
    return frame.select(pl.all().cast(pl.String))


def typed_batch(frame: pl.DataFrame, contract: Contract, first: int) -> ColumnBatch:
    """Judge the types of a frame whose columns are named by the contract."""
    odd: Odd = {}
    made = []
    for column in frame.iter_columns():
        typed, strangers = _typed(column, contract.kind(column.name) or "string")
        made.append(typed)
        for index, value in strangers.items():
            odd.setdefault(index, {})[column.name] = value
    return ColumnBatch(contract, range(first, first + len(frame)), pl.DataFrame(made), odd)


def _typed(column: pl.Series, kind: Kind) -> tuple[pl.Series, dict[int, object]]:
    kind_of = column.dtype
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=DTYPES[kind]), {}
    if kind in {"number", "integer"} and kind_of.is_numeric():
        typed = _numbers(column) if kind == "number" else _whole(column)
    elif kind == "boolean" and kind_of == pl.Boolean:
        typed = column
    elif kind == "string" and kind_of in _TEXTS:
        typed = texts(column)
    elif (kind == "object" and is_plain(kind_of)) or (kind in {"object", "array"} and kind_of == pl.String):
        typed = column  # is judged as it is, and written anew when it is kept
    elif kind in {"object", "array"} and kind_of.is_nested():
        typed = _nested(column)
    else:
        typed = pl.Series(column.name, [None] * len(column), dtype=DTYPES[kind])
    if typed is column:
        return typed, {}
    return typed, {index: _plain(value) for index, value in leftovers(column, typed).items()}


def _whole(column: pl.Series) -> pl.Series:
    if not column.dtype.is_integer():
        return whole_numbers(_numbers(column))
    if column.dtype in _NARROW:
        return column.cast(pl.Int64)
    within = column.is_between(-MAX_INTEGER if column.dtype.is_signed_integer() else 0, MAX_INTEGER)
    if not within.all():
        column = column.set(~within, None)
    return column if column.dtype == pl.Int64 else column.cast(pl.Int64)


def _numbers(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Float64 and column.is_finite().all():
        return column
    if column.dtype == pl.Float32:
        column = column.cast(pl.String)
    numbers = column.cast(pl.Float64, strict=False)
    return within_limits(numbers.set(~numbers.is_finite().fill_null(value=True), None), column)


def texts(column: pl.Series) -> pl.Series:
    """Write days and moments as text, and any other text column as it is."""
    if not isinstance(column.dtype, pl.Datetime):
        return column if column.dtype == pl.String else column.cast(pl.String)
    if column.dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    whole = bool((column.dt.truncate("1m") == column).all())
    return column.dt.strftime("%Y-%m-%dT%H:%M" if whole else "%Y-%m-%dT%H:%M:%S%.f")


def _nested(column: pl.Series) -> pl.Series:
    texts = [write_json(value) if _is_finite(value) else None for value in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)


def _is_finite(value: object) -> bool:
    """Say whether a nested value holds no NaN and no infinity, which JSON has not."""
    waiting, nested = [value], isinstance(value, dict | list)
    while waiting and nested:
        item = waiting.pop()
        if isinstance(item, float) and not math.isfinite(item):
            return False
        waiting += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return nested


def _plain(value: Any) -> object:  # Any: whatever a Parquet type reads as
    if isinstance(value, str | int | float | bool | dict | list):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else repr(value)


def _broken(path: Path) -> TruncatedFile:
    return TruncatedFile(f"{path.name} is not a whole Parquet file")
