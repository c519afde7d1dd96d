"""Turn columns of text into typed columns by the contract, with a number grammar of our own and no sniffing.

A cell that is a JSON number (RFC 8259 s6) becomes a number; a missing marker has become null before; any
other cell keeps its text beside the column as an odd cell, so that the validator rejects the row and shows
it.
"""

from collections.abc import Callable

import orjson
import polars as pl

from contracts.canonical import MAX_INTEGER
from contracts.schema import Contract, Kind

NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"

Odd = dict[int, dict[str, object]]

DTYPES: dict[Kind, pl.DataType] = {
    "string": pl.String(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "object": pl.String(),
    "array": pl.String(),
}


def type_text(frame: pl.DataFrame, contract: Contract) -> tuple[pl.DataFrame, Odd]:
    """Type each text column as the contract says; give the typed frame and the odd cells by row index."""
    odd: Odd = {}
    typed = []
    for column in frame.iter_columns():
        kind = contract.kind(column.name) or "string"
        made, strangers = _READERS[kind](column)
        typed.append(made)
        for index, value in strangers.items():
            odd.setdefault(index, {})[column.name] = value
    return pl.DataFrame(typed), odd


def null_where(frame: pl.DataFrame, markers: frozenset[str]) -> pl.DataFrame:
    """Make null of every cell that is one of the source's missing markers."""
    missing = sorted(markers)
    return frame.with_columns(
        pl.when(pl.col(name).is_in(missing)).then(None).otherwise(pl.col(name)).alias(name)
        for name in frame.columns
    )


def leftovers(column: pl.Series, typed: pl.Series) -> dict[int, object]:
    """List the cells that a typed column could not hold."""
    lost = (column.is_not_null() & typed.is_null()).arg_true()
    return dict(zip(lost.to_list(), column.gather(lost).to_list(), strict=True)) if len(lost) else {}


def whole_numbers(numbers: pl.Series) -> pl.Series:
    """Give as Int64 the floats that are whole and within 2^53; null for the rest."""
    whole = (numbers.floor() == numbers) & (numbers.abs() <= MAX_INTEGER)
    return numbers.set(~whole.fill_null(value=False), None).cast(pl.Int64)


def read_json(text: str) -> object:
    """Read a nested cell; give the text itself if it is not a JSON object or array."""
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, dict | list) else text


def write_json(value: object) -> str:
    """Write a nested value as JSON text with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _numbers(column: pl.Series) -> pl.Series:
    wellformed = column.str.contains(NUMBER)
    numbers = column.set(~wellformed, None).cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite().fill_null(value=True), None)


def _number(column: pl.Series) -> tuple[pl.Series, dict[int, object]]:
    numbers = _numbers(column)
    return numbers, leftovers(column, numbers)


def _integer(column: pl.Series) -> tuple[pl.Series, dict[int, object]]:
    numbers = _numbers(column)
    whole = whole_numbers(numbers)
    # 4.5 in an integer column is shown as a number, "four" as text
    return whole, leftovers(column, whole) | leftovers(numbers, whole)


def _boolean(column: pl.Series) -> tuple[pl.Series, dict[int, object]]:
    made = column.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return made, leftovers(column, made)


def _text(column: pl.Series) -> tuple[pl.Series, dict[int, object]]:
    return column, {}


def _nested(column: pl.Series) -> tuple[pl.Series, dict[int, object]]:
    read = [None if cell is None else read_json(cell) for cell in column.to_list()]
    texts = [write_json(value) if isinstance(value, dict | list) else None for value in read]
    made = pl.Series(column.name, texts, dtype=pl.String)
    return made, leftovers(column, made)


_READERS: dict[Kind, Callable[[pl.Series], tuple[pl.Series, dict[int, object]]]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "object": _nested,
    "array": _nested,
}
