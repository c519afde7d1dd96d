"""Row filters as SQL conditions for sources that are tables: bound parameters only, never text from a filter.

The reading is that of ``contracts.filtering``: each condition on a field is guarded against null, so it is
true or false on SQLite and on PostgreSQL alike, and text compares by code point whatever the collation of
the database.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, String, and_, literal, not_, or_, type_coerce

from audit.database import Dialect
from contracts.messages import FieldFilter, RowCondition

_COLLATIONS: dict[Dialect, str] = {"sqlite": "BINARY", "postgresql": "C"}
_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)

Column = ColumnElement[Any]  # Any: text, numbers or truth values, as the filter was checked to fit


def condition(rows: RowCondition, columns: Mapping[str, Column], dialect: Dialect) -> ColumnElement[bool]:
    """Write a filter over the given columns; raise KeyError for a field that is not among them."""
    if isinstance(rows, FieldFilter):
        return _condition(rows, columns[rows.field], dialect)
    parts = [condition(part, columns, dialect) for part in rows.value]
    match rows.operator:
        case "and":
            return and_(*parts)
        case "or":
            return or_(*parts)
        case "not":
            return not_(parts[0])


def _condition(part: FieldFilter, column: Column, dialect: Dialect) -> ColumnElement[bool]:
    value = part.value
    if value is None:
        return column.is_(None) if part.operator == "eq" else column.is_not(None)
    if isinstance(value, list):
        texts = any(isinstance(item, str) for item in value)
        compared = _by_code_point(column, dialect) if texts else column
        inside = compared.in_(value)
        return and_(column.is_not(None), inside if part.operator == "in" else not_(inside))
    compared = _by_code_point(column, dialect) if isinstance(value, str) else column
    if part.operator == "ne":
        return or_(column.is_(None), compared != literal(value))
    return and_(column.is_not(None), *_compared(part, compared))


def _compared(part: FieldFilter, column: Column) -> list[ColumnElement[bool]]:
    value = literal(part.value)
    match part.operator:
        case "eq":
            return [column == value]
        case "lt":
            return [column < value]
        case "lte":
            return [column <= value]
        case "gt":
            return [column > value]
        case "gte":
            return [column >= value]
        case "startswith":
            # LIKE would read % and _ and, on SQLite, ignore case; a range does neither.
            after = text_after(str(part.value))
            return [column >= value] if after is None else [column >= value, column < literal(after)]
        case "ne" | "in" | "nin":
            raise AssertionError(f"{part.operator} is written elsewhere")


def text_after(prefix: str) -> str | None:
    """Give the least text after every text that begins with ``prefix``; None where there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[at]) + 1
        if point <= _LAST:
            point = _SURROGATES[1] + 1 if point == _SURROGATES[0] else point
            return prefix[:at] + chr(point)
    return None


def _by_code_point(column: Column, dialect: Dialect) -> Column:
    return type_coerce(column, String).collate(_COLLATIONS[dialect])
