"""Aggregate-only: no record leaves, only figures of groups that are large enough.

A group with fewer rows than ``min_group`` is left out. Within a group that stays, a figure that fewer than
``min_group`` values went into is null, its count too: the mean of the one station that reported would be that
station's value. Sums are exact before they are rounded once (Shewchuk), so they do not depend on row order.

What this cannot prevent is told in docs/explanation/views.md: two releases whose rows differ by one differ
in their sums by that row.
"""

import math
from typing import Any

import polars as pl

from contracts.messages import AggregateOnly, Discharged, Measure, RowFilter
from contracts.view import measure_column
from nodes.delivering.duties.canonical import one_zero
from nodes.delivering.duties.handler import Draft
from nodes.sources.cells import DTYPES


def aggregate(draft: Draft, duty: AggregateOnly) -> Discharged:
    """Replace the rows by one row of figures for each large enough group."""
    fields = sorted({measure.field for measure in duty.measures})
    # Group keys stand under their place: a field may have the name of another's list of values.
    keys = [pl.col(name).alias(f"by{at}") for at, name in enumerate(duty.by)]
    values = [pl.col(name).drop_nulls().alias(f"of{at}") for at, name in enumerate(fields)]
    groups = (
        draft.frame.lazy()
        .with_columns(one_zero())  # 0 and -0 are one group
        .group_by(keys)
        .agg(pl.len().alias("rows"), *values)
        .filter(pl.col("rows") >= duty.min_group)
        .collect()
    )
    draft.frame = pl.DataFrame(
        [groups[f"by{at}"].alias(name) for at, name in enumerate(duty.by)]
        + [
            _figures(groups[f"of{fields.index(measure.field)}"], measure, duty.min_group)
            for measure in duty.measures
        ]
    )
    filtered = any(isinstance(item, RowFilter) for item in draft.obligations)
    return Discharged(
        kind="aggregate-only",
        columns=list(duty.by),
        rows_in=None if filtered else draft.published,
        rows_out=len(draft.frame),
    )


def _figures(groups: pl.Series, measure: Measure, min_group: int) -> pl.Series:
    whole = measure.function == "count"
    figures = [_figure(list(values), measure, min_group) for values in groups]
    return pl.Series(measure_column(measure), figures, dtype=DTYPES["integer" if whole else "number"])


def _figure(values: list[Any], measure: Measure, min_group: int) -> float | int | None:
    if len(values) < min_group:
        return None
    match measure.function:
        case "count":
            return len(values)
        case "sum":
            return math.fsum(values)
        case "mean":
            return math.fsum(values) / len(values)
