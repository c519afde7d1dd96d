"""Break exactly one rule of a good row, and have the row engine confirm which.

Every rule of the record schema is a way to break: a type, a limit, a listed value, a pattern, a format, a
missing or a strange field, and each branch of each condition.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import cycle
from typing import Any

from contracts.sampling.sample import Sampler
from contracts.sampling.seen import Form, seen
from contracts.schema import Contract
from contracts.validation import RowValidator

Row = dict[str, Any]  # Any: a record holds whatever its schema admits
Way = Callable[[Row], Row | None]

STRANGER = "no_such_field"
_TRIES = 12
_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (12, True),
    "number": ("12", True),
    "integer": ("12", 1.5),
    "boolean": ("true", 1),
    "object": ("x", [1]),
    "array": ("x", {"x": 1}),
}
_BAD_FORMATS = {
    "date-time": ("2026-02-30T00:00:00Z", "2026-01-01 00:00:00", "2026-01-01T00:00:00+0800"),
    "date": ("2026-02-30", "2026/01/01", "20260101"),
    "uuid": ("5b7a7e0e", "5b7a7e0ebd1f4f9e8f3b6a4f2f5f2b1c"),
}


class Breaker:
    """Breaks rows of one contract, each time by a way that chance picks."""

    def __init__(self, contract: Contract, rng: random.Random, form: Form = "ndjson") -> None:
        self._contract = contract
        self._form = form
        self._judge = RowValidator(contract)
        self._rng = rng
        self._ways = list(_ways(contract, Sampler(rng)))

    def break_one(self, row: Row) -> tuple[Row, tuple[str, str]] | None:
        """Give a copy that breaks one rule, with its pointer and name; None where no way was found."""
        for way in self._rng.sample(self._ways, len(self._ways)):
            found = self._try(way, row)
            if found is not None:
                return found
        return None

    def break_each(self, *rows: Row) -> Iterator[tuple[Row, tuple[str, str]]]:
        """Break rows in every way there is, one way after the other, over and over the rows."""
        for way, row in zip(self._ways, cycle(rows), strict=False):
            found = self._try(way, row)
            if found is not None:
                yield found

    def _try(self, way: Way, row: Row) -> tuple[Row, tuple[str, str]] | None:
        for _ in range(_TRIES):
            broken = way(row)
            read = None if broken is None else seen(self._contract, broken, self._form)
            if broken is None or read is None:
                return None
            faults = self._judge.violations(read)
            if len(faults) == 1:
                return broken, (faults[0].pointer, faults[0].rule)
        return None


def _ways(contract: Contract, sampler: Sampler) -> Iterator[Way]:
    properties = contract.record.get("properties", {})
    for name, schema in properties.items() if isinstance(properties, dict) else ():
        if isinstance(schema, Mapping):
            for value in _wrong_values(schema):
                yield partial(_with, name, value)
        yield partial(_without, name)
    yield partial(_with, STRANGER, 1)
    for part in _conditions(contract.record):
        for keyword in ("then", "else"):
            branch = part.get(keyword)
            if isinstance(branch, Mapping):
                for name in {*branch.get("properties", {}), *branch.get("required", ())}:
                    yield partial(_redrawn, part, keyword, name, contract.record, sampler)


def _conditions(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = [record, *record.get("allOf", ())]
    return [part for part in listed if isinstance(part, Mapping) and isinstance(part.get("if"), Mapping)]


def _wrong_values(schema: Mapping[str, Any]) -> Iterator[Any]:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for kind in kinds:
        yield from _WRONG.get(kind, ())
    if "null" not in kinds:
        yield None
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    yield from (schema[limit] for limit in ("exclusiveMinimum", "exclusiveMaximum") if limit in schema)
    if "enum" in schema or "const" in schema:
        yield from ("no such option", 987654321)
    yield from _wrong_texts(schema)
    if "multipleOf" in schema and schema["multipleOf"] > 1:
        yield (
            schema.get("minimum", 0) // schema["multipleOf"] * schema["multipleOf"] + schema["multipleOf"] + 1
        )


def _wrong_texts(schema: Mapping[str, Any]) -> Iterator[str]:
    if "pattern" in schema:
        yield from ("?", "", "断面")
    if 0 < schema.get("minLength", 0) <= 100_000:
        yield "x" * (schema["minLength"] - 1)
    if schema.get("maxLength", 100_000) < 100_000:
        yield "x" * (schema["maxLength"] + 1)
    yield from _BAD_FORMATS.get(str(schema.get("format")), ())


def _with(name: str, value: Any, row: Row) -> Row:
    return row | {name: value}


def _without(name: str, row: Row) -> Row | None:
    return {key: value for key, value in row.items() if key != name} if name in row else None


def _redrawn(  # noqa: PLR0917 - a partial gives the first five
    part: Mapping[str, Any], keyword: str, name: str, record: Mapping[str, Any], sampler: Sampler, row: Row
) -> Row | None:
    """Meet a condition (or not), then draw the field it speaks of as if the condition were not there."""
    broken = dict(row)
    for other, schema in part["if"].get("properties", {}).items():
        whole = record["properties"].get(other, True)
        broken[other] = sampler.value(schema if keyword == "then" else whole)
    chance = sampler.rng.random()
    if chance < 0.3:
        broken.pop(name, None)
    elif chance < 0.5:
        broken[name] = None
    else:
        broken[name] = sampler.value(record["properties"].get(name, True))
    return broken
