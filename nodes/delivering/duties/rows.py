"""Row filters as Polars expressions, in the two-valued reading of ``contracts.filtering``."""

from functools import reduce
from typing import Any

import polars as pl

from contracts.messages import AggregateOnly, Discharged, FieldFilter, RowCondition, RowFilter
from contracts.schema import Contract
from nodes.delivering.duties.handler import Draft


def filter_rows(draft: Draft, duty: RowFilter) -> Discharged:
    """Keep only the rows for which the condition holds."""
    before = len(draft.frame)
    draft.frame = draft.frame.filter(expression(duty.rows, draft.shape.source))
    followed = any(isinstance(item, AggregateOnly) for item in draft.obligations)
    return Discharged(
        kind="row-filter",
        columns=sorted(draft.shape.filtered),
        rows_in=before,
        # Under an aggregate the number between is nobody's business: it would size the groups left out.
        rows_out=None if followed else len(draft.frame),
    )


def expression(rows: RowCondition, contract: Contract) -> pl.Expr:
    """Write a filter as an expression that is true or false on every row, and never null."""
    if isinstance(rows, FieldFilter):
        return _condition(rows, floats=contract.kind(rows.field) == "number")
    parts = [expression(part, contract) for part in rows.value]
    match rows.operator:
        case "and":
            return reduce(lambda one, other: one & other, parts)
        case "or":
            return reduce(lambda one, other: one | other, parts)
        case "not":
            return ~parts[0]


def _condition(part: FieldFilter, *, floats: bool) -> pl.Expr:
    column = pl.col(part.field)
    if part.value is None:
        return column.is_null() if part.operator == "eq" else column.is_not_null()
    if isinstance(part.value, list):
        wanted: list[Any] = [float(value) if floats else value for value in part.value]
        inside = column.is_in(wanted)
        return (inside if part.operator == "in" else ~inside).fill_null(value=False)
    value: Any = float(part.value) if floats else part.value
    holds = _compared(column, part.operator, pl.lit(value))
    return holds.fill_null(value=part.operator == "ne")


def _compared(column: pl.Expr, operator: str, value: pl.Expr) -> pl.Expr:
    made: dict[str, pl.Expr] = {
        "eq": column == value,
        "ne": column != value,
        "lt": column < value,
        "lte": column <= value,
        "gt": column > value,
        "gte": column >= value,
    }
    return made[operator] if operator in made else column.str.starts_with(value)
