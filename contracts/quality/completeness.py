"""How complete series are: which of the records that their step lets expect are there.

Looked at is the time between the first and the last record of all series, so a station that falls silent
counts as silent to the end. Times are brought to the nearest place on the grid of steps, and a place counts
once however many records stand on it. Days and hours are those of the contract's zone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from contracts.promises import CompleteSeries
from contracts.quality.episodes import Found
from contracts.quality.ground import Ground, NotJudged
from contracts.quality.moments import DAY, HOUR
from contracts.quality.rows import PIECE_ROWS

MAX_PERIODS = 1_000_000
MAX_CELLS = 20_000_000  # series times periods; beyond it nobody could read what is found
_CELLS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Grid:
    """The places that records should stand on: ``slot`` counts steps from ``origin_ms`` of local time."""

    step_ms: int
    origin_ms: int
    offset_ms: int
    first: int
    last: int

    @property
    def slots(self) -> int:
        """Count the places of one series."""
        return self.last - self.first + 1

    def moment(self, slot: pl.Expr) -> pl.Expr:
        """Give the time of a place."""
        return slot * self.step_ms + self.origin_ms - self.offset_ms


def lay_grid(ground: Ground) -> tuple[Grid, pl.Series]:
    """Give the grid of a release, and the ``slot`` of each record in series order; raise NotJudged."""
    step, times = ground.step_ms, ground.times
    offset = ground.sequenced.shown.offset_ms
    origin = 0 if DAY % step == 0 else _lowest(times) + offset
    slots = ((times + (offset - origin + step // 2)) // step).alias("slot")
    return Grid(step, origin, offset, _lowest(slots), _highest(slots)), slots


def presence(ground: Ground) -> tuple[Grid, pl.DataFrame]:
    """Give the grid, and for each series its records and the places that they fill."""
    grid, slots = lay_grid(ground)
    sequenced = ground.sequenced
    new = _first_on_slot(ground, slots)
    records = pl.DataFrame({"code": sequenced.code, "at": sequenced.at, "new": new})
    low, high, total = pl.col("first").min(), pl.col("last").max(), pl.col("records", "present").sum()
    lines = pl.concat(
        piece.group_by("code", maintain_order=True).agg(
            first=pl.col("at").min(),
            last=pl.col("at").max(),
            records=pl.col("at").count().cast(pl.Int64),
            present=pl.col("new").sum().cast(pl.Int64),
        )
        for piece in records.iter_slices(PIECE_ROWS)
    )
    lines = lines.group_by("code", maintain_order=True).agg(low, high, total)
    return grid, lines.filter(pl.col("records") > 0)


def _first_on_slot(ground: Ground, slots: pl.Series) -> pl.Series:
    """Tell the first record on each place; a record without a time stands on none."""
    same = (slots == slots.shift(1)).fill_null(value=False) & ground.sequenced.follows()
    return ~same & slots.is_not_null()


def complete_series(rule: CompleteSeries, ground: Ground) -> Iterator[Found]:
    """Find the days or hours of which too few records are there."""
    grid, slots = lay_grid(ground)
    length = HOUR if rule.per == "hour" else DAY
    in_period = length // grid.step_ms if grid.step_ms <= length else grid.slots
    origin = 0 if grid.step_ms <= length and length % grid.step_ms == 0 else grid.first
    periods = _periods(grid, origin, in_period)
    names: list[str | None] = [*rule.fields] or [None]
    for name in names:
        held = slots.is_not_null()
        if name is not None:
            held = held & ground.held(name)
        records = pl.DataFrame({"code": ground.sequenced.code, "slot": slots, "held": held})
        filled = _filled(records, origin, in_period)
        yield Found(() if name is None else (name,), _too_few(rule, ground, grid, filled, periods))


def _filled(records: pl.DataFrame, origin: int, in_period: int) -> pl.DataFrame:
    """Count in each period the places on which a record stands that is held, some records at a time."""
    last = records.select("code", "slot").clear()
    begun = pl.DataFrame(schema={"code": pl.UInt32, "period": pl.Int64, "present": pl.Int64})
    ended = []
    for piece in records.iter_slices(PIECE_ROWS):
        there = pl.concat([last, piece.filter("held").select("code", "slot")])
        fresh = (
            there.with_columns(new=_other_place())
            .slice(len(last))
            .filter("new")
            .select("code", period=(pl.col("slot") - origin) // in_period, present=pl.lit(1, dtype=pl.Int64))
        )
        counted = (
            pl.concat([begun, fresh])
            .group_by("code", "period", maintain_order=True)
            .agg(pl.col("present").sum())
        )
        ended.append(counted.head(-1))
        begun, last = counted.tail(1), there.tail(1)
    return pl.concat([*ended, begun])


def _other_place() -> pl.Expr:
    return (pl.col("slot") != pl.col("slot").shift(1)).fill_null(value=True) | _other_series()


def _other_series() -> pl.Expr:
    return (pl.col("code") != pl.col("code").shift(1)).fill_null(value=True)


def _lowest(numbers: pl.Series) -> int:
    return int(numbers.to_frame("n").select(pl.col("n").min()).item())


def _highest(numbers: pl.Series) -> int:
    return int(numbers.to_frame("n").select(pl.col("n").max()).item())


def _periods(grid: Grid, origin: int, in_period: int) -> pl.DataFrame:
    """List the periods of the release with their places; the first and the last may be cut short."""
    begin, end = (grid.first - origin) // in_period, (grid.last - origin) // in_period
    if end - begin >= MAX_PERIODS:
        raise NotJudged("时间跨度过大,无法逐日判断", "the times lie too far apart to judge each day")
    periods = pl.DataFrame({"period": pl.int_range(begin, end + 1, dtype=pl.Int64, eager=True)})
    start = pl.col("period") * in_period + origin
    return periods.with_columns(
        start=start.clip(lower_bound=grid.first),
        end=(start + in_period - 1).clip(upper_bound=grid.last),
    ).with_columns(expected=pl.col("end") - pl.col("start") + 1)


def _too_few(
    rule: CompleteSeries, ground: Ground, grid: Grid, filled: pl.DataFrame, periods: pl.DataFrame
) -> pl.DataFrame:
    """Draw together the periods that are below the share, for some series at a time."""
    codes = len(ground.sequenced.keys) if ground.series.by else 1
    if codes * len(periods) > MAX_CELLS:
        raise NotJudged("时间序列过多,无法逐日判断", "there are too many series to judge each of their days")
    at_once = max(1, _CELLS_AT_ONCE // len(periods))
    parts = [
        _drawn(rule, grid, filled, periods, range(begin, min(begin + at_once, codes)))
        for begin in range(0, codes, at_once)
    ]
    return pl.concat(parts)


def _drawn(
    rule: CompleteSeries, grid: Grid, filled: pl.DataFrame, periods: pl.DataFrame, codes: range
) -> pl.DataFrame:
    every = pl.DataFrame({"code": pl.Series(list(codes), dtype=pl.UInt32)}).join(periods, how="cross")
    begin, end = filled["code"].search_sorted(codes.start), filled["code"].search_sorted(codes.stop)
    theirs = filled.slice(begin, end - begin)
    seen = every.join(theirs, on=["code", "period"], how="left", maintain_order="left")
    short = seen.with_columns(pl.col("present").fill_null(0)).filter(
        pl.col("present") * 100 < pl.col("expected") * rule.minimum_percent
    )
    begins = (pl.col("period") != pl.col("period").shift(1) + 1).fill_null(value=True) | _other_series()
    return (
        short.with_columns(episode=begins.cum_sum())
        .group_by("episode", maintain_order=True)
        .agg(
            pl.col("code").first(),
            first=grid.moment(pl.col("start").first()),
            last=grid.moment(pl.col("end").last()),
            records=(pl.col("expected") - pl.col("present")).sum(),
            expected=pl.col("expected").sum(),
            value=pl.lit(None, dtype=pl.Float64),
            rows=pl.lit(None, dtype=pl.Int64).implode().list.drop_nulls(),
        )
        .drop("episode")
    )
