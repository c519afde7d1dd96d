"""Rules that look at one record at a time: sentinels, order, plausible bounds, codes; and shares of null.

Differences are rounded to nine decimals before they are compared, as many as a limit can have, so that
binary fractions make no finding of their own.
"""

from collections.abc import Iterator
from itertools import combinations

import polars as pl

from contracts import codes
from contracts.codes import NoSuchCodeList
from contracts.promises import Copied, KnownCode, Missing, Ordered, Plausible, Sentinel
from contracts.quality.episodes import Found, draw_together, of_series
from contracts.quality.ground import Ground, NotJudged

DECIMALS = 9


def sentinel(rule: Sentinel, ground: Ground) -> Iterator[Found]:
    """Find the records that hold one of the numbers."""
    marks = pl.Series([float(text) for text in rule.values], dtype=pl.Float64).implode()
    for name in rule.fields:
        values = ground.numbers(name)
        yield Found((name,), draw_together(ground.sequenced.take(values.is_in(marks), values), split=True))


def ordered(rule: Ordered, ground: Ground) -> Iterator[Found]:
    """Find the records whose lesser value is above the greater; the value is the largest excess."""
    excess = (ground.numbers(rule.lesser) - ground.numbers(rule.greater)).round(DECIMALS)
    flagged = ground.sequenced.take(excess > float(rule.tolerance), excess)
    yield Found((rule.lesser, rule.greater), draw_together(flagged, extreme="max"))


def plausible(rule: Plausible, ground: Ground) -> Iterator[Found]:
    """Find the records beyond the bounds; the value is the most extreme one."""
    values, take = ground.numbers(rule.field), ground.sequenced.take
    if rule.minimum is not None:
        below = take(values < float(rule.minimum), values)
        yield Found((rule.field,), draw_together(below, extreme="min"), "below")
    if rule.maximum is not None:
        above = take(values > float(rule.maximum), values)
        yield Found((rule.field,), draw_together(above, extreme="max"), "above")


def known_code(rule: KnownCode, ground: Ground) -> Iterator[Found]:
    """Find the records whose code is not in the edition that the contract names."""
    named = next((code for code in ground.contract.codes if rule.field in code.fields), None)
    if named is None:
        raise NotJudged("契约未给出该字段的代码表", "the contract names no code list for the field")
    try:
        known = codes.code_list(named.list_id, named.edition)
    except NoSuchCodeList as error:
        raise NotJudged("本机没有该版本的代码表", "this installation does not hold the edition") from error
    values = ground.values(rule.field).cast(pl.String)
    looked_up = values if known.stem is None else values.str.head(known.stem)
    stranger = values.is_not_null() & ~looked_up.is_in(sorted(known.keys))
    yield Found((rule.field,), draw_together(ground.sequenced.take(stranger, values), split=True))


def missing(rule: Missing, ground: Ground) -> Iterator[Found]:
    """Find the series in which more than the share of a field is null."""
    for name in rule.fields:
        gone = ~ground.held(name)
        shares = (
            pl.DataFrame({"code": ground.sequenced.code, "gone": gone})
            .group_by("code", maintain_order=True)
            .agg(expected=pl.len().cast(pl.Int64), gone=pl.col("gone").sum().cast(pl.Int64))
        )
        bad = shares.filter(pl.col("gone") * 100 > pl.col("expected") * rule.maximum_percent)
        yield Found((name,), _whole_series(ground, gone, bad))


def copied(rule: Copied, ground: Ground) -> Iterator[Found]:
    """Find the series in which two fields hold the same value in every record that has both."""
    for one, other in combinations(rule.fields, 2):
        same = _same(ground.values(one), ground.values(other))
        pairs = (
            pl.DataFrame({"code": ground.sequenced.code, "same": same})
            .group_by("code", maintain_order=True)
            .agg(expected=pl.col("same").count().cast(pl.Int64), differ=(~pl.col("same")).any())
        )
        bad = pairs.filter(~pl.col("differ") & (pl.col("expected") >= rule.records))
        yield Found((one, other), _whole_series(ground, same.is_not_null(), bad))


def _whole_series(ground: Ground, flagged: pl.Series, bad: pl.DataFrame) -> pl.DataFrame:
    """Make one episode of the flagged records of each bad series."""
    chosen = flagged & ground.sequenced.code.is_in(bad["code"].implode())
    return of_series(ground.sequenced.take(chosen), bad.select("code", "expected"))


def _same(one: pl.Series, other: pl.Series) -> pl.Series:
    """Compare numbers as numbers and all else as text; null where either is null."""
    if one.dtype.is_numeric() and other.dtype.is_numeric():
        return one.cast(pl.Float64) == other.cast(pl.Float64)
    return one.cast(pl.String) == other.cast(pl.String)
