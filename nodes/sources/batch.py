"""Some thousand rows at a time: numbered as in the source, ready to be judged, and then kept or left.

A ``Batch`` says which of its rows are doubtful, gives those as dicts to the validator, and afterwards the
accepted ones as a frame. Rows that are no rows at all (too few columns, no JSON) are already rejected in
``broken``; nothing is lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Protocol

import polars as pl

from contracts.errors import Corrupt
from contracts.messages import Text
from contracts.schema import Contract
from contracts.validation import Rejected, Row, RowValidator, Violation, value_text
from nodes.sources.cells import DTYPES, Odd, read_json, sorted_text, write_json

_NESTED = frozenset({"object", "array"})


class Batch(Protocol):
    """Rows in source order."""

    @property
    def broken(self) -> Sequence[Rejected]:
        """Rows that cannot be judged because they are not rows."""
        ...

    def __len__(self) -> int:
        """Count the rows that can be judged."""
        ...

    def doubtful(self, validator: RowValidator) -> Iterator[tuple[int, int, Row]]:
        """Give the rows that may be broken: index in the batch, data row number, cells; others are valid."""
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

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.frame)

    def doubtful(self, validator: RowValidator) -> Iterator[tuple[int, int, Row]]:
        """Give the rows that their columns cannot vouch for, and those with an odd cell."""
        indices = sorted({*validator.doubtful_rows(self.frame), *self.odd})
        for index, row in zip(indices, self._dicts(self.frame[indices], indices), strict=True):
            yield index, self.numbers[index], row

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:  # Any: cells as the source has them
        """Give each row with its data row number."""
        return zip(self.numbers, self._dicts(self.frame, range(len(self.frame))), strict=True)

    def keep(self, kept: Sequence[bool]) -> pl.DataFrame:
        """Give the accepted rows; an odd cell never passes, as its column could not hold it."""
        if any(kept[index] for index in self.odd):
            raise Corrupt("a row was accepted although a cell does not fit its column")
        rows = self.frame if all(kept) else self.frame.filter(pl.Series(kept, dtype=pl.Boolean))
        nested = [column for column in rows.iter_columns() if self._is_nested(column)]
        return rows.with_columns(sorted_text(column) for column in nested)

    def _dicts(self, frame: pl.DataFrame, indices: Sequence[int]) -> Iterator[dict[str, Any]]:
        columns = [self._cells(column) for column in frame.iter_columns()]
        for index, cells in zip(indices, zip(*columns, strict=True), strict=True):
            row = dict(zip(frame.columns, cells, strict=True))
            yield row | self.odd[index] if index in self.odd else row

    def _cells(self, column: pl.Series) -> list[Any]:
        if column.dtype != pl.String or not self._is_nested(column):
            return column.to_list()
        return [None if cell is None else read_json(cell) for cell in column.to_list()]

    def _is_nested(self, column: pl.Series) -> bool:
        return self.contract.kind(column.name) in _NESTED


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Rows held as the records they came as."""

    contract: Contract
    numbers: Sequence[int]
    records: Sequence[dict[str, Any]]  # Any: cells as the source has them
    broken: Sequence[Rejected] = ()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.records)

    def doubtful(self, validator: RowValidator) -> Iterator[tuple[int, int, Row]]:
        """Give the records that the row engine does not accept."""
        for index in validator.doubtful_records(self.records):
            yield index, self.numbers[index], self.records[index]

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


Judged = tuple[Rejected, Row | None]
"""A rejected row with its cells; None where the source had no row that could be read."""


def sift(batch: Batch, validator: RowValidator) -> tuple[list[bool], list[Judged]]:
    """Judge every row of a batch: say which are kept, and give the rejected ones in row order."""
    kept = [True] * len(batch)
    rejected: list[Judged] = [(verdict, None) for verdict in batch.broken]
    for index, number, row in batch.doubtful(validator):
        verdict = validator.judge(number, row)
        if verdict is not None:
            kept[index] = False
            rejected.append((verdict, row))
    rejected.sort(key=lambda pair: pair[0].row_number)
    return kept, rejected


def judge(batch: Batch, validator: RowValidator) -> tuple[pl.DataFrame, list[Judged]]:
    """Judge every row of a batch: give the accepted ones as a frame, and the rejected ones in row order."""
    kept, rejected = sift(batch, validator)
    return batch.keep(kept), rejected


def broken_row(number: int, rule: str, raw: object, message: Text) -> Rejected:
    """Reject a row that is no row; ``raw`` is shown cut short."""
    return Rejected(number, (Violation("", "", rule, value_text(raw), message),))
