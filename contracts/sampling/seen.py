"""How a record looks once it has been through a file: CSV holds text, Parquet typed columns, NDJSON all.

It follows what ``nodes.sources`` reads: a column that stands in a table is never absent, a blank CSV cell is
null, and a CSV cell that is a JSON number is one where the contract asks for a number.
"""

import re
from typing import Any, Literal

import orjson

from contracts.schema import Contract

Form = Literal["ndjson", "csv", "parquet"]
Row = dict[str, Any]  # Any: a record holds whatever its schema admits

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HELD: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
}


def columns(contract: Contract) -> list[str]:
    """List the columns of a table of made rows: the named fields, and what the example has of patterns."""
    return contract.columns(contract.example_row())


def seen(contract: Contract, row: Row, form: Form) -> Row | None:
    """Give the row as a reader of the file has it; None where the form cannot hold it."""
    if form == "ndjson":
        return row
    names = columns(contract)
    if not row.keys() <= set(names):
        return None
    if form == "parquet":
        held = all(_holds(contract.kind(name), row.get(name)) for name in names)
        return {name: row.get(name) for name in names} if held else None
    return {name: _read(contract.kind(name), cell(row.get(name))) for name in names}


def cell(value: object) -> str:
    """Write a value as the text of a CSV cell."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _holds(kind: str | None, value: object) -> bool:
    if value is None or kind is None:
        return value is None
    return isinstance(value, _HELD[kind]) and isinstance(value, bool) == (kind == "boolean")


def _read(kind: str | None, text: str) -> object:
    if text == "":
        return None
    match kind:
        case "number" | "integer":
            return orjson.loads(text) if NUMBER.fullmatch(text) else text
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case "object" | "array" if text[:1] in {"{", "["}:
            return orjson.loads(text)
        case _:
            return text
