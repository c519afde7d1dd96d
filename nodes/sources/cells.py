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

WHOLE = r"^-?[0-9]+$"

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


def is_plain(kind: pl.DataType) -> bool:
    """Say whether a column of structs can be judged as it is: its leaves are what JSON holds."""
    if isinstance(kind, pl.Struct):
        return bool(kind.fields) and all(
            field.dtype in _LEAVES or (isinstance(field.dtype, pl.Struct) and is_plain(field.dtype))
            for field in kind.fields
        )
    return False


def sorted_text(column: pl.Series) -> pl.Series:
    """Write a column of plain structs, or of JSON texts, as JSON texts with sorted keys."""
    if isinstance(column.dtype, pl.Struct):
        value = pl.col(column.name)
        text = pl.when(value.is_not_null()).then(_sorted(value, column.dtype).struct.json_encode())
        return column.to_frame().select(text.alias(column.name)).to_series()
    texts = [None if cell is None else write_json(read_json(cell)) for cell in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String)


def _sorted(value: pl.Expr, kind: pl.Struct) -> pl.Expr:
    members = []
    for field in sorted(kind.fields, key=lambda field: field.name):
        member = value.struct.field(field.name)
        if isinstance(field.dtype, pl.Struct):
            member = pl.when(member.is_not_null()).then(_sorted(member, field.dtype))
        members.append(member.alias(field.name))
    return pl.struct(members)


def within_limits(numbers: pl.Series, column: pl.Series) -> pl.Series:
    """Give null for floats that stand for integers beyond 2^53 - 1, as a float does not hold those."""
    if column.dtype == pl.String:
        whole = column.str.contains(WHOLE)
    elif column.dtype.is_integer():
        whole = column.is_not_null()
    else:
        return numbers
    return numbers.set(
        whole.fill_null(value=False) & (numbers.abs() > MAX_INTEGER).fill_null(value=False), None
    )


def _numbers(column: pl.Series) -> pl.Series:
    wellformed = column.str.contains(NUMBER)
    numbers = column.set(~wellformed, None).cast(pl.Float64, strict=False)
    return within_limits(numbers.set(~numbers.is_finite().fill_null(value=True), None), column)


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


_LEAVES = (pl.String, pl.Float64, pl.Int64, pl.Boolean)  # a tuple, as types compare by ==
_READERS: dict[Kind, Callable[[pl.Series], tuple[pl.Series, dict[int, object]]]] = {
    "string": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "object": _nested,
    "array": _nested,
}
