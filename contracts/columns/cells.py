"""One cell under one schema: which keywords are exact in Polars, and which are asked of the row engine.

Every function here speaks of cells that hold a value; null is one value, and the engine judged it when the
schema was compiled. A keyword that does not concern a kind of value leaves it alone (JSON Schema 2020-12,
Validation s6, "assertions ... for any type other than").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import jsonschema_rs
import polars as pl

from contracts.canonical import MAX_INTEGER
from contracts.pattern import pattern_fault
from contracts.schema import compile_schema

Schema = Mapping[str, Any]  # Any: a JSON Schema
MAX_COMPARED = 16

_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_HEX = "[0-9a-fA-F]"
_SURE = {
    "date": rf"^[0-9]{{4}}-{_DAY}$",
    "date-time": rf"^[0-9]{{4}}-{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
    "uuid": rf"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
}
"""What surely has the format; the engine is asked about the rest, as a leap day or a leap second."""

_SILENT = frozenset({"$schema", "$comment", "title", "description", "then", "else"})
_TEXT = frozenset({"minLength", "maxLength", "pattern", "format"})
_NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_LIST = frozenset({"items", "prefixItems", "minItems", "maxItems"})
_RECORD = frozenset(
    {"properties", "patternProperties", "additionalProperties", "required"}
    | {"dependentRequired", "minProperties", "maxProperties"}
)
_LIMITS: dict[str, Callable[[pl.Expr, int | float], pl.Expr]] = {
    "minimum": lambda cell, limit: cell >= limit,
    "maximum": lambda cell, limit: cell <= limit,
    "exclusiveMinimum": lambda cell, limit: cell > limit,
    "exclusiveMaximum": lambda cell, limit: cell < limit,
}


class Inexpressible(Exception):
    """Columns cannot say this; the rows go to the row engine."""


class Shape(Enum):
    """What the cells of a column hold, apart from null."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"
    NESTED = "nested"  # an object or an array as JSON text

    @property
    def keywords(self) -> frozenset[str]:
        """Name the keywords that concern such a value, beside type, enum, const and the combining ones."""
        match self:
            case Shape.TEXT:
                return _TEXT
            case Shape.NUMBER | Shape.WHOLE:
                return _NUMBER
            case Shape.FLAG:
                return frozenset()
            case Shape.NESTED:
                return _LIST | _RECORD


@dataclass(frozen=True, slots=True)
class Cell:
    """A column, or a member of a column of structs."""

    value: pl.Expr
    shape: Shape


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule that the row engine judges, one distinct cell at a time; ``sure`` cells are not asked about."""

    name: str
    cell: Cell
    sure: pl.Expr | None
    judge: jsonschema_rs.Draft202012Validator


@dataclass(slots=True)
class Questions:
    """Collects what an expression leaves to the row engine."""

    asked: list[Asked] = field(default_factory=list)

    def ask(self, schema: Schema, cell: Cell, sure: pl.Expr | None = None) -> pl.Expr:
        """Note a question, and give the column that will hold the answers."""
        name = f"\0asked {len(self.asked)}"  # no field of a contract is called so
        self.asked.append(Asked(name, cell, sure, compile_schema(schema)))
        return pl.col(name)


def cell_verdict(schema: object, cell: Cell, questions: Questions) -> pl.Expr:
    """Compile a schema to the verdict on a cell, null or not."""
    if isinstance(schema, bool):
        return pl.lit(schema)
    if not isinstance(schema, Mapping):
        raise Inexpressible
    held = questions.ask(schema, cell) if cell.shape is Shape.NESTED else _held(schema, cell, questions)
    return with_null(schema, cell.value, held)


def with_null(schema: Schema, value: pl.Expr, held: pl.Expr) -> pl.Expr:
    """Add the verdict on null to the one on values."""
    if compile_schema(schema).is_valid(None):
        return value.is_null() | held
    return value.is_not_null() & held


def all_of(verdicts: Sequence[pl.Expr]) -> pl.Expr:
    """Join verdicts that must all hold."""
    return pl.all_horizontal(verdicts) if verdicts else pl.lit(value=True)


def combined(schema: Schema, verdict: Callable[[object], pl.Expr]) -> list[pl.Expr]:
    """Compile the keywords that combine schemas on one value (JSON Schema 2020-12, Core s10.2)."""
    parts = []
    if "allOf" in schema:
        parts.append(all_of([verdict(part) for part in schema["allOf"]]))
    if "anyOf" in schema:
        parts.append(pl.any_horizontal([verdict(part) for part in schema["anyOf"]]))
    if "oneOf" in schema:
        branches = [verdict(part).cast(pl.UInt32) for part in schema["oneOf"]]
        parts.append(pl.sum_horizontal(branches) == 1)
    if "not" in schema:
        parts.append(~verdict(schema["not"]))
    if "if" in schema:
        condition = verdict(schema["if"])
        if "then" in schema:
            parts.append(~condition | verdict(schema["then"]))
        if "else" in schema:
            parts.append(condition | verdict(schema["else"]))
    return parts


COMBINING = frozenset({"allOf", "anyOf", "oneOf", "not", "if"})
KNOWN = _SILENT | _TEXT | _NUMBER | _LIST | _RECORD | COMBINING | {"type", "enum", "const"}


def _held(schema: object, cell: Cell, questions: Questions) -> pl.Expr:
    """Compile a schema to the verdict on cells that hold a value."""
    if isinstance(schema, bool):
        return pl.lit(schema)
    if not isinstance(schema, Mapping) or not schema.keys() <= KNOWN:
        raise Inexpressible
    parts = [_typed(schema["type"], cell)] if "type" in schema else []
    parts += [_option([schema["const"]], cell, questions)] if "const" in schema else []
    parts += [_option(schema["enum"], cell, questions)] if "enum" in schema else []
    parts += [
        _assertion(keyword, schema[keyword], cell, questions)
        for keyword in sorted(cell.shape.keywords & schema.keys())
    ]
    return all_of([*parts, *combined(schema, lambda part: _held(part, cell, questions))])


def _typed(kinds: object, cell: Cell) -> pl.Expr:
    names = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    match cell.shape:
        case Shape.TEXT:
            return pl.lit("string" in names)
        case Shape.FLAG:
            return pl.lit("boolean" in names)
        case Shape.WHOLE:
            return pl.lit(not names.isdisjoint({"number", "integer"}))
        case Shape.NUMBER if "integer" in names and "number" not in names:
            return cell.value == cell.value.floor()
        case Shape.NUMBER:
            return pl.lit("number" in names)
        case Shape.NESTED:
            raise Inexpressible


def _option(options: object, cell: Cell, questions: Questions) -> pl.Expr:
    """Compile an enum; 1.0 equals 1 and false does not equal 0."""
    if not isinstance(options, list):
        raise Inexpressible
    match cell.shape:
        case Shape.TEXT:
            texts = [option for option in options if isinstance(option, str)]
            return cell.value.is_in(pl.Series(texts, dtype=pl.String).implode())
        case Shape.FLAG:
            flags = [option for option in options if isinstance(option, bool)]
            return pl.any_horizontal([pl.lit(value=False), *(cell.value == flag for flag in flags)])
        case Shape.NUMBER | Shape.WHOLE:
            numbers = [option for option in options if _is_number(option)]
            if len(numbers) > MAX_COMPARED or not all(map(_is_exact, numbers)):
                return questions.ask({"enum": options}, cell)
            return pl.any_horizontal([pl.lit(value=False), *(cell.value == number for number in numbers)])
        case Shape.NESTED:
            raise Inexpressible


def _assertion(keyword: str, wanted: Any, cell: Cell, questions: Questions) -> pl.Expr:  # Any: JSON
    value = cell.value
    if keyword in _LIMITS and _is_exact(wanted):
        return _LIMITS[keyword](value, wanted)
    if keyword == "multipleOf" and cell.shape is Shape.WHOLE and type(wanted) is int and _is_exact(wanted):
        return value % wanted == 0
    if keyword == "minLength" and type(wanted) is int:
        return value.str.len_chars() >= wanted
    if keyword == "maxLength" and type(wanted) is int:
        return value.str.len_chars() <= wanted
    if keyword == "pattern" and isinstance(wanted, str) and pattern_fault(wanted) is None:
        return value.str.contains(wanted)
    sure = value.str.contains(_SURE[wanted]) if keyword == "format" and wanted in _SURE else None
    return questions.ask({keyword: wanted}, cell, sure)


def _is_number(option: object) -> bool:
    return isinstance(option, int | float) and not isinstance(option, bool)


def _is_exact(limit: object) -> bool:
    """Say whether a limit is the same number as an integer and as a float."""
    return _is_number(limit) and abs(limit) <= MAX_INTEGER  # type: ignore[arg-type]  # a number, by then
