"""Rules that look at records as they follow one another: stuck, jump, clock-shift, timely, duplicate."""

from collections.abc import Iterator

import polars as pl

from contracts.promises import ClockShift, Duplicate, Jump, Stuck, Timely
from contracts.quality.episodes import Found, draw_together
from contracts.quality.ground import Ground, NotJudged
from contracts.quality.moments import DAY, SECOND
from contracts.quality.single import DECIMALS


def stuck(rule: Stuck, ground: Ground) -> Iterator[Found]:
    """Find the runs of one value; a null or another value ends a run."""
    for name in rule.fields:
        values = ground.values(name)
        again = (values == values.shift(1)).fill_null(value=False) & ground.sequenced.follows()
        near = again | again.shift(-1, fill_value=False)
        runs = draw_together(ground.sequenced.take(near, values), split=True)
        yield Found((name,), runs.filter(pl.col("records") >= rule.records))


def jump(rule: Jump, ground: Ground) -> Iterator[Found]:
    """Find the records that differ too much from the one before that holds a value."""
    if rule.within_seconds is not None:
        _ = ground.series
    values = ground.numbers(rule.field)
    # The last value before each record, its series and time, over records that hold none.
    last = pl.select(pl.when(values.is_not_null()).then(pl.int_range(len(values), dtype=pl.UInt32)))
    before = last.to_series().shift(1).forward_fill()
    change = (values - values.gather(before)).abs().round(DECIMALS)
    sequenced = ground.sequenced
    jumps = (sequenced.code == sequenced.code.gather(before)) & (change > float(rule.more_than))
    if rule.within_seconds is not None:
        jumps = jumps & (sequenced.at - sequenced.at.gather(before) <= rule.within_seconds * SECOND)
    yield Found((rule.field,), draw_together(sequenced.take(jumps, change), extreme="max"))


def duplicate(rule: Duplicate, ground: Ground) -> Iterator[Found]:
    """Find the records that repeat an earlier row's values; a null among them repeats nothing.

    Where the fields are those that make a series and its time, the same moment is the same value however it
    is written.
    """
    ground.check_present(rule.fields)
    series, sequenced = ground.contract.series, ground.sequenced
    whole = pl.Series("whole", [True]).new_from_index(0, ground.rows.count)
    for name in rule.fields:
        whole = whole & ground.held(name)
    if series is not None and sorted(rule.fields) == sorted({series.time, *series.by}):
        repeats = (sequenced.at == sequenced.at.shift(1)).fill_null(value=False) & sequenced.follows()
    else:
        rows = ground.rows.read(rule.fields)
        repeats = sequenced.bring(~rows.select(pl.struct(rule.fields).is_first_distinct()).to_series())
    yield Found(tuple(rule.fields), draw_together(sequenced.take(repeats & whole)))


def timely(rule: Timely, ground: Ground) -> Iterator[Found]:
    """Find the records that were released too late; the value is the longest delay in seconds."""
    delay = ground.released_ms - ground.times
    flagged = ground.sequenced.take(delay > rule.within_seconds * SECOND, delay)
    yield Found((), draw_together(_seconds(flagged), extreme="max"))


def going_back(_rule: ClockShift, ground: Ground) -> Iterator[Found]:
    """Find the rows of a file whose time is before that of the row before them in their series."""
    times, order = ground.times, ground.sequenced.order
    if order is None:  # rows in series order go nowhere back
        return
    filed = pl.DataFrame({"code": ground.sequenced.code, "at": times, "row": order})
    filed = filed.filter(pl.col("at").is_not_null())
    # By series and row, as one number: the product of two counts of rows fits 64 bits.
    place = pl.col("code").cast(pl.UInt64) * len(order) + pl.col("row")
    filed = filed[filed.select(place.arg_sort()).to_series()].with_row_index("pos")
    back = pl.col("at").shift(1) - pl.col("at")
    same = pl.col("code") == pl.col("code").shift(1)
    flagged = filed.with_columns(value=back).filter(same & (back > 0))
    yield Found((), draw_together(_seconds(flagged), extreme="max"), "back")


def off_grid(_rule: ClockShift, ground: Ground) -> Iterator[Found]:
    """Find the times of another phase in the step than most of their series; of equals the first is usual."""
    if ground.series.step_seconds is None:
        return
    step, sequenced = ground.step_ms, ground.sequenced
    if DAY % step:
        raise NotJudged("间隔不能整除一天,无法判断网格", "the step does not divide a day: no grid")
    phase = (ground.times + sequenced.shown.offset_ms) % step
    usual = (
        pl.DataFrame({"code": sequenced.code, "phase": phase})
        .drop_nulls()
        .group_by("code", "phase")
        .len()
        .sort("code", "len", "phase", descending=[False, True, False])
        .group_by("code", maintain_order=True)
        .agg(usual=pl.col("phase").first())
    )
    if len(usual) == 1 or usual["usual"].n_unique() == 1:
        shift = (phase - usual["usual"][0]) % step
    else:
        looked_up = sequenced.code.to_frame().join(usual, on="code", how="left", maintain_order="left")
        shift = (phase - looked_up["usual"]) % step
    flagged = sequenced.take(shift > 0, shift)
    yield Found((), draw_together(_seconds(flagged), extreme="max"), "grid")


def ahead(_rule: ClockShift, ground: Ground) -> Iterator[Found]:
    """Find the times after the release; before there is a release, nothing can be after it."""
    if ground.at is None:
        return
    early = ground.times - ground.released_ms
    yield Found((), draw_together(_seconds(ground.sequenced.take(early > 0, early)), extreme="max"), "ahead")


def _seconds(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("value").cast(pl.Float64) / SECOND)
