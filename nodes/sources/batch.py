"""Some thousand rows at a time: numbered as in the source, ready to be judged, and then kept or left.

A ``Batch`` gives each row as a dict for the validator, and afterwards the accepted ones as a frame. Rows that
are no rows at all (too few columns, no JSON) are already rejected in ``broken``; nothing is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Protocol

import orjson
import polars as pl

from contracts.errors import Corrupt
from contracts.messages import Text
from contracts.schema import Contract
from contracts.validation import Rejected, Row, RowValidator, Violation, value_text
from nodes.sources.cells import DTYPES, Odd, write_json

_NESTED = frozenset({"object", "array"})


class Batch(Protocol):
    """Rows in source order."""

    @property
    def broken(self) -> Sequence[Rejected]:
        """Rows that cannot be judged because they are not rows."""
        ...

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:  # Any: cells as the source has them
        """Give each row with its data row number, counted from 1."""
        ...

    def keep(self, kept: Sequence[bool]) -> pl.DataFrame:
        """Give the rows that were accepted, typed by the contract."""
        ...


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Rows held as typed columns, with the cells that do not fit their column kept beside it."""

    contract: Contract
    numbers: Sequence[int]
    frame: pl.DataFrame
    odd: Odd = field(default_factory=dict)
    broken: Sequence[Rejected] = ()

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:  # Any: cells as the source has them
        """Give each row with its data row number."""
        names = self.frame.columns
        columns = [self._cells(column) for column in self.frame.iter_columns()]
        for index, (number, cells) in enumerate(zip(self.numbers, zip(*columns, strict=True), strict=True)):
            row = dict(zip(names, cells, strict=True))
            if index in self.odd:
                row |= self.odd[index]
            yield number, row

    def keep(self, kept: Sequence[bool]) -> pl.DataFrame:
        """Give the accepted rows; an odd cell never passes, as its column could not hold it."""
        if any(kept[index] for index in self.odd):
            raise Corrupt("a row was accepted although a cell does not fit its column")
        return self.frame.filter(pl.Series(kept, dtype=pl.Boolean))

    def _cells(self, column: pl.Series) -> list[Any]:
        if self.contract.kind(column.name) not in _NESTED:
            return column.to_list()
        return [None if cell is None else orjson.loads(cell) for cell in column.to_list()]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Rows held as the records they came as."""

    contract: Contract
    numbers: Sequence[int]
    records: Sequence[dict[str, Any]]  # Any: cells as the source has them
    broken: Sequence[Rejected] = ()

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:  # Any: cells as the source has them
        """Give each row with its data row number."""
        return zip(self.numbers, self.records, strict=True)

    def keep(self, kept: Sequence[bool]) -> pl.DataFrame:
        """Give the accepted rows as typed columns."""
        good = [record for record, keep in zip(self.records, kept, strict=True) if keep]
        present = {name for record in good for name in record}
        return pl.DataFrame(
            [self._column(name, good) for name in self.contract.columns(present)],
        )

    def _column(self, name: str, records: Sequence[dict[str, Any]]) -> pl.Series:
        kind = self.contract.kind(name) or "string"
        cells = list(map(dict.get, records, repeat(name)))
        if kind in _NESTED:
            cells = [None if cell is None else write_json(cell) for cell in cells]
        if kind == "integer":
            cells = [None if cell is None else int(cell) for cell in cells]
        return pl.Series(name, cells, dtype=DTYPES[kind], strict=False)


def judge(batch: Batch, validator: RowValidator) -> tuple[pl.DataFrame, list[tuple[Rejected, Row | None]]]:
    """Judge every row of a batch: give the accepted ones, and the rejected ones in row order.

    A rejected row comes with its cells; None where the source had no row that could be read.
    """
    kept: list[bool] = []
    rejected: list[tuple[Rejected, Row | None]] = [(verdict, None) for verdict in batch.broken]
    for number, row in batch.rows():
        verdict = validator.judge(number, row)
        kept.append(verdict is None)
        if verdict is not None:
            rejected.append((verdict, row))
    rejected.sort(key=lambda pair: pair[0].row_number)
    return batch.keep(kept), rejected


def broken_row(number: int, rule: str, raw: object, message: Text) -> Rejected:
    """Reject a row that is no row; ``raw`` is shown cut short."""
    return Rejected(number, (Violation("", "", rule, value_text(raw), message),))
