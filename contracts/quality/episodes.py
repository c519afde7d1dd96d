"""Episodes: flagged records that follow one another in their series, drawn together.

A frame of episodes has one row for each: ``code`` of the series, ``first`` and ``last`` time, ``records``,
``expected``, the extreme ``value`` and the first ``rows``, counted from 1.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from contracts.quality.finding import SHOWN_ROWS

Extreme = Literal["first", "max", "min"]


@dataclass(frozen=True, slots=True)
class Found:
    """The episodes of one rule in some fields, in one of the rule's aspects."""

    fields: tuple[str, ...]
    episodes: pl.DataFrame
    aspect: str | None = None


def draw_together(flagged: pl.DataFrame, *, split: bool = False, extreme: Extreme = "first") -> pl.DataFrame:
    """Make episodes of flagged records.

    ``flagged`` has pos, code, at, row and value, sorted by pos, which numbers all records of all series.
    With ``split`` a record of another value begins another episode.
    """
    begins = (pl.col("pos") != pl.col("pos").shift(1) + 1) | (pl.col("code") != pl.col("code").shift(1))
    if split:
        begins = begins | pl.col("value").ne_missing(pl.col("value").shift(1))
    value = pl.col("value")
    shown = {"first": value.first(), "max": value.max(), "min": value.min()}[extreme]
    return (
        flagged.with_columns(episode=begins.fill_null(value=True).cum_sum())
        .group_by("episode", maintain_order=True)
        .agg(
            pl.col("code").first(),
            first=pl.col("at").min(),
            last=pl.col("at").max(),
            records=pl.len().cast(pl.Int64),
            expected=pl.lit(None, dtype=pl.Int64),
            value=shown,
            rows=(pl.col("row").head(SHOWN_ROWS).cast(pl.Int64) + 1),
        )
        .drop("episode")
    )


def of_series(flagged: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    """Make one episode of all flagged records of a series; ``expected`` has code and expected."""
    return (
        flagged.join(expected, on="code", how="inner", maintain_order="left")
        .group_by("code", maintain_order=True)
        .agg(
            first=pl.col("at").min(),
            last=pl.col("at").max(),
            records=pl.len().cast(pl.Int64),
            expected=pl.col("expected").first(),
            value=pl.lit(None, dtype=pl.Float64),
            rows=(pl.col("row").bottom_k(SHOWN_ROWS).sort().cast(pl.Int64) + 1),
        )
    )
