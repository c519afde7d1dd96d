"""What the rules of a contract are judged on: the contract, its rows in series order, the release."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from contracts.clock import epoch_ms
from contracts.messages import At, Text
from contracts.promises import Series
from contracts.quality.rows import Rows
from contracts.quality.sequence import Sequenced, sequence
from contracts.schema import Contract


class NotJudged(Exception):  # no fault of anybody: a reason that goes into the report
    """A rule cannot be judged on these rows; carries why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.reason = Text(zh=zh, en=en)


@dataclass(frozen=True)
class Ground:
    """The contract and the rows; ``at`` is when they were released, None before they are."""

    contract: Contract
    rows: Rows
    at: At | None

    @cached_property
    def sequenced(self) -> Sequenced:
        """Give the rows in series order; raise NotJudged where key or time of the series is hidden."""
        series = self.contract.series
        if series is not None:
            self.check_present([series.time, *series.by])
        return sequence(self.rows, series)

    @property
    def series(self) -> Series:
        """Give the contract's series; raise NotJudged."""
        if self.contract.series is None:
            raise NotJudged("契约未说明时间序列", "the contract names no series")
        return self.contract.series

    @property
    def step_ms(self) -> int:
        """Give the step of the series in milliseconds; raise NotJudged."""
        if self.series.step_seconds is None:
            raise NotJudged("契约未说明记录间隔", "the contract names no step of its series")
        return self.series.step_seconds * 1000

    @property
    def released_ms(self) -> int:
        """Give the moment of release; raise NotJudged where it or the zone of the times is unknown."""
        if self.at is None:
            raise NotJudged("尚未发布,没有发布时刻", "the rows are not released yet")
        if not self.sequenced.shown.anchored:
            raise NotJudged("记录时间未注明时区", "the zone of the records' times is not known")
        return epoch_ms(self.at)

    @property
    def times(self) -> pl.Series:
        """Give the times in series order, null where there is none; raise NotJudged without any."""
        _ = self.series
        at = self.sequenced.at
        if at.null_count() == len(at):
            raise NotJudged("没有可读的记录时间", "no record has a time that can be read")
        return at

    def values(self, name: str) -> pl.Series:
        """Give a column in series order; raise NotJudged."""
        self.check_present([name])
        return self.sequenced.bring(self.rows.read([name])[name])

    def held(self, name: str) -> pl.Series:
        """Tell in series order where a column holds a value; raise NotJudged."""
        self.check_present([name])
        pieces = [piece.is_not_null() for piece in self.rows.pieces(name)]
        return self.sequenced.bring(pl.concat(pieces) if pieces else pl.Series(name, [], dtype=pl.Boolean))

    def numbers(self, name: str) -> pl.Series:
        """Give a column of numbers in series order; raise NotJudged."""
        column = self.values(name)
        if not column.dtype.is_numeric():
            raise NotJudged(f"字段 {name[:60]} 不是数值", f"{name[:60]} does not hold numbers")
        return column.cast(pl.Float64)

    def check_present(self, names: Sequence[str]) -> None:
        """Raise NotJudged when a column is not there, as in a view that hides it."""
        absent = [name for name in names if name not in self.rows.columns]
        if absent:
            raise NotJudged(f"没有字段 {absent[0][:60]}", f"the rows have no {absent[0][:60]}")
