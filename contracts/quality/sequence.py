"""Rows as series: which row follows which in time, in each series.

``order`` holds the row indexes sorted by series, time and row; ``code`` and ``at`` stand in that order, and a
row's place in it is its position. Rows whose time cannot be read come last in their series. Without a series
in the contract, all rows are one series in the order of the file, and no row has a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from contracts.promises import Series
from contracts.quality.moments import Moments, read_moments
from contracts.quality.rows import Rows


@dataclass(frozen=True, slots=True)
class Sequenced:
    """The rows of a release in series order; ``keys`` holds a row of key cells for each code.

    ``order`` is None where the rows stand in series order already, as they mostly do.
    """

    order: pl.Series | None
    code: pl.Series
    at: pl.Series
    shown: Moments
    keys: pl.DataFrame

    @property
    def untimed(self) -> int:
        """Count the rows that have no time."""
        return self.at.null_count()

    def bring(self, column: pl.Series) -> pl.Series:
        """Bring a column of the rows into series order."""
        return column if self.order is None else column.gather(self.order)

    def take(self, chosen: pl.Series, value: pl.Series | None = None) -> pl.DataFrame:
        """Give pos, code, at, row and value of the chosen positions; ``chosen`` has a boolean for each."""
        pos = chosen.fill_null(value=False).arg_true().alias("pos")
        none = pl.Series("value", [None], dtype=pl.Float64).new_from_index(0, len(pos))
        return pl.DataFrame(
            {
                "pos": pos,
                "code": self.code.gather(pos),
                "at": self.at.gather(pos),
                "row": pos if self.order is None else self.order.gather(pos),
                "value": none if value is None else value.gather(pos),
            }
        )

    def follows(self) -> pl.Series:
        """Tell of each position whether the one before it is of the same series."""
        return (self.code == self.code.shift(1)).fill_null(value=False)

    def key(self, code: int) -> tuple[str | None, ...]:
        """Name a series by its key cells as text."""
        cells = self.keys.row(code) if self.keys.columns else ()
        return tuple(None if cell is None else str(cell) for cell in cells)


def sequence(rows: Rows, series: Series | None) -> Sequenced:
    """Bring rows into series order."""
    if series is None:
        none = pl.Series("at", [None], dtype=pl.Int64).new_from_index(0, rows.count)
        code = pl.Series("code", [0], dtype=pl.UInt32).new_from_index(0, rows.count)
        return Sequenced(None, code, none, Moments(none, 0, anchored=False), pl.DataFrame())
    moments = read_moments(rows.pieces(series.time), series.zone)
    shown = Moments(moments.at.clear(), moments.offset_ms, moments.anchored)
    code = _codes(rows, series.by)
    keys = _keys(rows, series.by, code)
    if _in_order(code, moments.at):
        return Sequenced(None, code, moments.at, shown, keys)
    order = _order(code, moments.at)
    return Sequenced(order, code.gather(order), moments.at.gather(order), shown, keys)


def _order(code: pl.Series, at: pl.Series) -> pl.Series:
    """Sort rows by series and time, those without a time last; of equals the first row comes first.

    The two are made one number, as sorting by several columns takes much memory.
    """
    places, count = _places(at)
    if at.null_count():  # nulls have place 0
        places = pl.select(pl.when(places == 0).then(count).otherwise(places)).to_series()
    # Each is at most the number of rows and one more, so the product fits 64 bits.
    key = (code.cast(pl.UInt64) * (count + 1) + places).alias("key")
    return key.to_frame().select(pl.arg_sort_by("key", maintain_order=True)).to_series().alias("row")


def _in_order(code: pl.Series, at: pl.Series) -> bool:
    """Say whether rows stand in series order; rows without a time come last, so they need sorting."""
    if at.null_count():
        return False
    before = code.shift(1)
    follows = (code > before) | ((code == before) & (at >= at.shift(1)))
    return bool(follows.fill_null(value=True).all())


def _codes(rows: Rows, names: Sequence[str]) -> pl.Series:
    """Number the distinct values of some columns from 0, in the order of the values; null comes first."""
    codes = pl.Series("code", [0], dtype=pl.UInt64).new_from_index(0, rows.count)
    for name in names:
        places, count = _cell_places(rows, name)
        # Each factor is at most the number of rows and one more, so the product fits 64 bits.
        codes = _places(codes * count + places)[0]
    return codes.cast(pl.UInt32).alias("code")


def _cell_places(rows: Rows, name: str) -> tuple[pl.Series, int]:
    """Give the place of each cell of a column; text is looked up piece by piece."""
    uniques = [piece.drop_nulls().unique() for piece in rows.pieces(name)]
    if not uniques or uniques[0].dtype != pl.String:
        column = rows.read([name])[name]
        return _places(column.cast(pl.UInt8) if column.dtype == pl.Boolean else column)
    named = pl.Enum(pl.concat(uniques).unique().sort())
    return _places(pl.concat([piece.cast(named).to_physical() for piece in rows.pieces(name)]))


def _places(column: pl.Series) -> tuple[pl.Series, int]:
    """Give the place of each number among the distinct ones, from 0, and how many these are."""
    nulls = int(column.null_count() > 0)
    distinct = column.drop_nulls().unique().sort()
    found = distinct.search_sorted(column)
    places = pl.select(pl.when(column.is_not_null()).then(found)).to_series()
    return (places.cast(pl.UInt64) + nulls).fill_null(0), max(1, len(distinct) + nulls)


def _keys(rows: Rows, names: Sequence[str], code: pl.Series) -> pl.DataFrame:
    """Give the key cells of each code."""
    firsts = code.is_first_distinct().arg_true()
    firsts = firsts.gather(code.gather(firsts).arg_sort())
    return pl.DataFrame([rows.read([name])[name].gather(firsts) for name in names])
