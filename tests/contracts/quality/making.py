"""Contracts with quality rules, and rows under them, for the tests of quality."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from contracts.quality.engine import examine
from contracts.quality.finding import Finding
from contracts.quality.report import Report
from contracts.quality.rows import PIECE_ROWS
from contracts.schema import Contract, parse_contract

HOURLY = {"time": "at", "by": ["station"], "step_seconds": 3600, "zone": "+08:00"}
_FIELDS = {
    "station": {"type": ["string", "null"], "maxLength": 80},
    "at": {"type": ["string", "null"], "maxLength": 40},
    "x": {"type": ["number", "null"]},
    "y": {"type": ["number", "null"]},
    "code": {"type": ["string", "null"], "maxLength": 20},
}
_DTYPES = {"station": pl.String, "at": pl.String, "x": pl.Float64, "y": pl.Float64, "code": pl.String}


class FrameRows:
    """Rows that are in memory already."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @property
    def count(self) -> int:
        """Count the rows."""
        return len(self._frame)

    @property
    def columns(self) -> Sequence[str]:
        """Name the columns that are there."""
        return self._frame.columns

    def read(self, names: Sequence[str]) -> pl.DataFrame:
        """Read some columns of all rows."""
        return self._frame.select(names)

    def pieces(self, name: str) -> Iterator[pl.Series]:
        """Read one column piece by piece."""
        for start in range(0, self.count, PIECE_ROWS):
            yield self._frame[name].slice(start, PIECE_ROWS)


def rule(kind: str, **facts: Any) -> dict[str, Any]:
    """Write a rule of a kind as JSON."""
    return {"id": kind, "title": {"zh": "规则", "en": "rule"}, "kind": kind, **facts}


def contract(*rules: dict[str, Any], series: dict[str, Any] | None = HOURLY, **more: Any) -> Contract:
    """Make a contract of the fields station, at, x, y and code."""
    title = {"zh": "试验", "en": "trial"}
    fields = [
        {"name": name, "title": title, "unit": None, "classification": 1, "note": None} for name in _FIELDS
    ]
    document = {
        "contract": 1,
        "id": "trial",
        "version": "1.0.0",
        "title": title,
        "description": title,
        "theme": "trial",
        "classification": 1,
        "update_frequency": "hourly",
        "editions": [],
        "fields": fields,
        "record": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": _FIELDS,
            "required": [],
            "additionalProperties": False,
        },
        "example": "{}",
        "quality": list(rules),
        **more,
    }
    if series is not None:
        document["series"] = series
    return parse_contract(json.dumps(document).encode())


def frame(**columns: list[Any]) -> pl.DataFrame:
    """Make rows; a column that is not given is null."""
    count = len(next(iter(columns.values())))
    return pl.DataFrame(
        {name: columns.get(name, [None] * count) for name in _FIELDS}, schema=_DTYPES, strict=False
    )


def hours(values: list[float | None], station: str = "a", day: int = 1) -> pl.DataFrame:
    """Make hourly rows of one station from midnight of a day in June 2026, with ``x`` as the value."""
    times = [f"2026-06-{day + n // 24:02d}T{n % 24:02d}:00" for n in range(len(values))]
    return frame(station=[station] * len(values), at=times, x=values)


def look(rows: pl.DataFrame, *rules: dict[str, Any], at: Any = None, **more: Any) -> Report:
    """Examine rows by some rules."""
    return examine(contract(*rules, **more), FrameRows(rows), at)


def found(rows: pl.DataFrame, *rules: dict[str, Any], **more: Any) -> list[Finding]:
    """Examine rows and list what was found."""
    return list(look(rows, *rules, **more).findings())
