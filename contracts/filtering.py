"""Read a row filter: on which values it holds, and whether it fits a contract at all.

Two-valued, so that every engine agrees: each condition on a field is true or false, never unknown, and then
``and``, ``or`` and ``not`` follow. A missing value satisfies ``eq`` null and ``ne`` of a value and nothing
else. Text compares by code point, a truth value only by ``eq`` and ``ne``. This reading is the one that the
consumer judges with; ``nodes.delivering.duties`` has it as Polars expressions and as SQL.
"""

import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from contracts.messages.obligations import FieldFilter, RowCondition, filter_parts
from contracts.schema import Contract, Kind


def could_hold(rows: RowCondition, row: Mapping[str, Any], unseen: Collection[str] = ()) -> bool:
    """Say whether a filter holds on a row, or could, where the values of ``unseen`` fields are not known."""
    return _verdicts(rows, row, unseen)[0]


def filter_faults(rows: RowCondition, contract: Contract) -> Iterator[str]:
    """Name what of a filter does not fit a contract: a stranger, a pattern, or a value of another type."""
    for _, part in filter_parts(rows):
        if not isinstance(part, FieldFilter):
            continue
        if part.field not in contract.record.get("properties", {}):  # type: ignore[operator]  # linted: a map
            yield f"no single field {part.field!r} to filter on"
        elif not _fits(part, contract.kind(part.field)):
            yield f"{part.operator} of such a value does not fit {part.field!r}"


def _fits(part: FieldFilter, kind: Kind | None) -> bool:
    values = part.value if isinstance(part.value, list) else [part.value]
    if values == [None]:
        return part.operator in {"eq", "ne"}
    match kind:
        case "string":
            return all(isinstance(value, str) for value in values)
        case "number" | "integer":
            whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
            return whole and part.operator != "startswith"
        case "boolean":
            return part.operator in {"eq", "ne"} and all(isinstance(value, bool) for value in values)
        case _:
            return False


def _verdicts(rows: RowCondition, row: Mapping[str, Any], unseen: Collection[str]) -> tuple[bool, bool]:
    """Say whether a condition can be true, and whether it can be false."""
    if isinstance(rows, FieldFilter):
        if rows.field in unseen:
            return True, True
        holds = _holds(rows, row.get(rows.field))
        return holds, not holds
    parts = [_verdicts(part, row, unseen) for part in rows.value]
    match rows.operator:
        case "and":
            return all(true for true, _ in parts), any(false for _, false in parts)
        case "or":
            return any(true for true, _ in parts), all(false for _, false in parts)
        case "not":
            ((true, false),) = parts
            return false, true


def _holds(part: FieldFilter, found: Any) -> bool:  # Any: a cell
    wanted: Any = part.value
    if found is None or wanted is None:
        return {"eq": found is wanted, "ne": found is not wanted}.get(part.operator, False)
    return _OPERATORS[part.operator](found, wanted)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda found, wanted: found in wanted,
    "nin": lambda found, wanted: found not in wanted,
    "startswith": str.startswith,
}
