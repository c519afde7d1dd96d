"""The rule that works a published figure out again, by the standard that it is said to follow.

The index of a day by HJ 633, in the edition that each record names, and the class of a surface water section
by GB 3838-2002. The arithmetic is that of ``contracts.standards``, on the decimal numbers that the record
shows; a concentration is first converted into the unit of the standard.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

import polars as pl

from contracts.promises import Derivation, Recomputed
from contracts.quality.episodes import Found, draw_together
from contracts.quality.ground import Ground, NotJudged
from contracts.standards.air_index import (
    Averaging,
    Edition,
    IndexNotComputable,
    Measure,
    Pollutant,
    sub_index,
    unit_of,
)
from contracts.standards.water_class import (
    AUTOMATIC_STATION,
    INDICATORS,
    Body,
    ClassNotJudgeable,
    WaterClass,
    indicator_class,
)
from contracts.units import UnitsDoNotConvert, UnitUnknown, ValueNotConvertible, conversion, stated_symbol

Value = float | str
Derive = Callable[[Mapping[str, Value], Mapping[str, str]], str | None]

_AT_ONCE = 65_536
_MEASURES: Mapping[str, Measure] = {
    "SO2": (Pollutant.SO2, Averaging.DAY),
    "NO2": (Pollutant.NO2, Averaging.DAY),
    "PM10": (Pollutant.PM10, Averaging.DAY),
    "CO": (Pollutant.CO, Averaging.DAY),
    "O3-8h": (Pollutant.O3, Averaging.EIGHT_HOURS),
    "PM2.5": (Pollutant.PM25, Averaging.DAY),
}


def recomputed(rule: Recomputed, ground: Ground) -> Iterator[Found]:
    """Find the records whose figure differs; the value is what it should be."""
    units = {one.name: _unit(ground, one.name, one.field) for one in rule.inputs}
    columns = {f"input {one.name}": ground.values(one.field) for one in rule.inputs}
    figure = ground.values(rule.field)
    judged = figure.is_not_null()
    for column in columns.values():
        judged = judged & column.is_not_null()
    frame = ground.sequenced.take(judged, figure)
    frame = frame.with_columns(column.gather(frame["pos"]).alias(name) for name, column in columns.items())
    frame = frame.with_columns(said=_text(figure.dtype))
    names, derive = [one.name for one in rule.inputs], _DERIVATIONS[rule.by]
    parts = [
        _wrong(frame.slice(begin, _AT_ONCE), names, lambda row: derive(row, units))
        for begin in range(0, len(frame), _AT_ONCE)
    ]
    if parts:
        yield Found((rule.field,), draw_together(pl.concat(parts), split=True))


def _text(kind: pl.DataType) -> pl.Expr:
    """Write the figure as a derivation does: a whole number in a column of floats has no decimal point."""
    value = pl.col("value")
    if not kind.is_float():
        return value.cast(pl.String)
    whole = pl.when(value == value.floor()).then(value.cast(pl.Int64, strict=False))
    return pl.coalesce(whole.cast(pl.String), value.cast(pl.String))


def _wrong(
    piece: pl.DataFrame, names: list[str], derive: Callable[[dict[str, Value]], str | None]
) -> pl.DataFrame:
    inputs = piece.select([f"input {name}" for name in names]).iter_rows()
    should = [derive(dict(zip(names, row, strict=True))) for row in inputs]
    found = piece.with_columns(value=pl.Series(should, dtype=pl.String))
    return found.filter(pl.col("value").is_not_null() & (pl.col("value") != pl.col("said"))).select(
        "pos", "code", "at", "row", "value"
    )


def _unit(ground: Ground, name: str, field: str) -> str:
    """Give the unit of an input's field, once it is sure to convert; empty for what is no quantity."""
    if name not in _MEASURES and name not in INDICATORS:
        return ""
    noted = ground.contract.note_of(field)
    try:
        symbol = stated_symbol(noted.unit) if noted is not None and noted.unit is not None else None
        if symbol is None:
            raise NotJudged(f"字段 {field[:60]} 没有单位", f"{field[:60]} has no unit")
        conversion(symbol, _standard_unit(name))
    except (UnitUnknown, UnitsDoNotConvert) as error:
        raise NotJudged(
            f"字段 {field[:60]} 的单位无法换算", f"the unit of {field[:60]} does not convert"
        ) from error
    return symbol


def _standard_unit(name: str) -> str:
    return unit_of(_MEASURES[name][0]) if name in _MEASURES else INDICATORS[name].unit


@lru_cache(maxsize=65_536)
def _part(measure: Measure, value: float, unit: str, edition: Edition) -> int | None:
    return sub_index(measure, _decimal(value, unit, unit_of(measure[0])), edition=edition)


@lru_cache(maxsize=65_536)
def _class(code: str, value: float, unit: str, body: Body) -> int:
    number = _decimal(value, unit, INDICATORS[code].unit) if unit else Decimal(repr(value))
    return indicator_class(code, number, body)


def _decimal(value: float, unit: str, standard: str) -> Decimal:
    return conversion(unit, standard).apply(Decimal(repr(value)))


def _index_of_a_day(row: Mapping[str, Value], units: Mapping[str, str]) -> str | None:
    try:
        edition = Edition(str(row["edition"]))
        parts = [_part(one, float(row[name]), units[name], edition) for name, one in _MEASURES.items()]
    except (ValueError, IndexNotComputable, ValueNotConvertible):
        return None
    return str(max(part for part in parts if part is not None))


def _class_of_a_section(row: Mapping[str, Value], units: Mapping[str, str]) -> str | None:
    try:
        body = Body(str(row["body"]))
        return WaterClass(
            max(_class(code, float(row[code]), units[code], body) for code in AUTOMATIC_STATION)
        ).code
    except (ValueError, ClassNotJudgeable, ValueNotConvertible):
        return None


_DERIVATIONS: Mapping[Derivation, Derive] = {
    Derivation.AIR_INDEX_OF_A_DAY: _index_of_a_day,
    Derivation.CLASS_OF_A_SECTION: _class_of_a_section,
}
