"""The canonical order of a view: its columns and rows stand as the visible values say, and by nothing else.

The order of a release's rows tells of hidden columns (a register sorted by a name that is redacted), so a
view that is written anew is sorted by all that it shows. Two rows that show the same are the same.
"""

import polars as pl

from contracts.view import ViewShape
from nodes.delivering.duties.handler import Draft
from nodes.sources.cells import DTYPES


def put_in_order(draft: Draft) -> None:
    """Give the frame the columns of the view in contract order, and sort its rows, missing values first."""
    names = _shown(draft.frame, draft.shape)
    columns = [_column(draft.frame, name, draft.shape) for name in names]
    draft.frame = pl.DataFrame()
    order = pl.DataFrame(columns).select(pl.arg_sort_by(names)).to_series() if names else pl.Series()
    made = []
    while columns:  # one by one, and each unordered one goes, so that the frame is never held twice
        made.append(columns.pop(0).gather(order))
    draft.frame = pl.DataFrame(made)


def one_zero() -> pl.Expr:
    """Make 0 of -0 in every column of floats: they are one number, and which it was is no part of a view."""
    floats = pl.selectors.float()  # adding 0 would be optimised away
    return pl.when(floats == 0).then(0.0).otherwise(floats).name.keep()


def is_canonical(frame: pl.DataFrame) -> bool:
    """Say whether rows stand in canonical order."""
    return frame.equals(frame.sort(frame.columns))


def _shown(frame: pl.DataFrame, shape: ViewShape) -> list[str]:
    """List the columns of the view.

    A column that only a pattern admits stays only where it shows a value: a column of nothing would tell that
    a row which was filtered out, or a cell that was masked, had one.
    """
    named = shape.contract.record["properties"]
    return [
        name
        for name in shape.columns(frame.columns)
        if name in named or frame[name].null_count() < len(frame)  # type: ignore[operator]  # linted: a map
    ]


def _column(frame: pl.DataFrame, name: str, shape: ViewShape) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * len(frame), dtype=DTYPES[shape.contract.kind(name) or "string"])
    return frame.select(name).with_columns(one_zero()).to_series().rechunk()
