"""Rows to try a contract with: seeded, in a believable order of time, and on demand broken in one rule each.

Good rows follow the series of the contract (its step, its stations), keep the key unique and stay within what
its quality rules call plausible; the row engine has admitted every one. A broken row breaks exactly one rule,
and the engine has named it. Equal contract, count, seed and share give equal rows.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from contracts.promises import DAY_SECONDS, Jump, Ordered, Plausible, Sentinel, Stuck
from contracts.sampling.breaking import Breaker
from contracts.sampling.sample import MAX_TRIES, NoSample, Sampler
from contracts.sampling.seen import Form, columns, seen
from contracts.schema import Contract
from contracts.validation import RowValidator

STATIONS = 4
_START = datetime(2026, 1, 1, tzinfo=UTC)
_FORMS = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A row, and the pointer and rule it breaks; ``broken`` is None for a good row."""

    row: dict[str, Any]  # Any: a record holds whatever its schema admits
    broken: tuple[str, str] | None


def rows(
    contract: Contract, count: int, *, seed: int = 0, broken: float = 0.0, form: Form = "ndjson"
) -> Iterator[MadeRow]:
    """Make ``count`` rows, of which about the share ``broken`` break one rule each; raise NoSample.

    ``form`` is the form of file they are for: a row is good or broken as a reader of that form sees it.
    """
    rng = random.Random(seed)  # noqa: S311 - rows to try things with, no secret
    maker = _Maker(contract, rng, form)
    breaker = Breaker(contract, rng, form)
    for index in range(count):
        row = maker.row(index)
        fault = breaker.break_one(row) if rng.random() < broken else None
        yield MadeRow(*fault) if fault is not None else MadeRow(row, None)


class _Maker:
    """Makes good rows one after the other."""

    def __init__(self, contract: Contract, rng: random.Random, form: Form) -> None:
        self._contract = contract
        self._form = form
        self._rng = rng
        self._sampler = Sampler(rng)
        self._judge = RowValidator(contract)
        self._schema = _plausible(contract)
        self._moments = _moments_of(contract)
        named = [self._named() for _ in range(STATIONS)] if self._moments else []
        self._stations = [one for place, one in enumerate(named) if one not in named[:place]]
        self._keys: set[bytes] = set()

    def row(self, index: int) -> dict[str, Any]:
        """Make one row that the engine admits and whose key is new."""
        for _ in range(MAX_TRIES):
            row: dict[str, Any] = self._sampler.value(self._schema)
            self._order(row)
            self._place(row, index)
            if self._fits(row) and self._is_new(row):
                return row
        return self._varied()

    def _fits(self, row: dict[str, Any]) -> bool:
        read = seen(self._contract, row, self._form)
        return read is not None and self._judge.is_valid(row) and self._judge.is_valid(read)

    def _is_new(self, row: Mapping[str, Any]) -> bool:
        key = orjson.dumps([row.get(name) for name in self._contract.key])
        if self._contract.key and key in self._keys:
            return False
        self._keys.add(key)
        return True

    def _named(self) -> dict[str, Any]:
        series = self._contract.series
        properties = self._schema["properties"]
        made = {name: self._sampler.value(properties[name]) for name in (series.by if series else [])}
        return {name: value for name, value in made.items() if value is not None}

    def _place(self, row: dict[str, Any], index: int) -> None:
        """Give a row its station and its time: all stations of one step, then the next step."""
        series = self._contract.series
        if self._moments is None or series is None:
            return
        form, step = self._moments
        row |= self._stations[index % len(self._stations)]
        row[series.time] = f"{_START + index // len(self._stations) * step:{form}}"

    def _order(self, row: dict[str, Any]) -> None:
        for rule in self._contract.quality:
            if isinstance(rule, Ordered):
                lesser, greater = row.get(rule.lesser), row.get(rule.greater)
                if lesser is not None and greater is not None and lesser > greater:
                    row[rule.lesser], row[rule.greater] = greater, lesser

    def _varied(self) -> dict[str, Any]:
        """Vary the example field by field, keeping what the engine admits: the way that always ends."""
        row = self._contract.example_row()
        for _ in range(MAX_TRIES):
            drawn = self._sampler.value(self._schema)
            for name in self._rng.sample(sorted(drawn), len(drawn)):
                varied = row | {name: drawn[name]}
                row = varied if self._fits(varied) else row
            if self._is_new(row):
                return row
        raise NoSample(f"no more rows with a new key were found in {MAX_TRIES} draws")


def _plausible(contract: Contract) -> dict[str, Any]:
    """Narrow the record schema to what the quality rules call ordinary, with the columns of the example."""
    properties = {name: dict(contract.field_schema(name) or {}) for name in columns(contract)}
    for rule in contract.quality:
        if isinstance(rule, Plausible) and rule.field in properties:
            part = dict(properties[rule.field])
            low, high = rule.minimum, rule.maximum
            if low is not None:
                part["minimum"] = max(part.get("minimum", float(low)), -(-float(low) // 1))
            if high is not None:
                part["maximum"] = min(part.get("maximum", float(high)), float(high) // 1)
            properties[rule.field] = part
        elif isinstance(rule, Sentinel | Stuck | Jump):
            continue  # a draw rarely meets one value, or the same value twice
    return {**contract.record, "properties": properties}


def _moments_of(contract: Contract) -> tuple[str, timedelta] | None:
    """Find how the record schema spells the time of the series; None where there is none to follow."""
    series = contract.series
    if series is None or contract.field_schema(series.time) is None:
        return None
    judge = RowValidator(contract)
    example = contract.example_row()
    for form in _FORMS:
        if judge.is_valid(example | {series.time: f"{_START:{form}}"}):
            step = series.step_seconds or (DAY_SECONDS if form == "%Y-%m-%d" else 3600)
            return form, timedelta(seconds=step)
    return None
