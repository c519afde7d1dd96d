"""Cells of a database as JSON values under a contract, and cursors as text that reads back as the same value.

A cell that fits no JSON type is written as text, so that the row is judged and shown, never lost: NaN becomes
``"NaN"``, a number with a fraction stays one, bytes that are no geometry become hexadecimal.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import Field

from contracts.canonical import MAX_INTEGER
from contracts.errors import Invalid
from contracts.messages import Wire
from contracts.schema import Contract
from nodes.sources.geometry import geometry_of

Cell = object


class CursorUnfit(Invalid):
    """The column by which new rows are found holds something that has no order here."""

    code = "cursor-unfit"
    title_zh = "增量列的取值无法排序"
    next_zh = "改用只增不减的数字或时间列作为增量列。"
    next_en = "Read by a column of numbers or times that only grows."


class CursorText(Wire):
    """A cursor's value with its type."""

    type: Literal["int", "float", "decimal", "text", "date", "local", "moment"]
    value: Annotated[str, Field(max_length=1000)]


def write_cursor(value: Cell) -> CursorText:
    """Write a value of the column; raise CursorUnfit for one that has no order."""
    match value:
        case bool():
            pass
        case int():
            return CursorText(type="int", value=str(value))
        case float() if math.isfinite(value):
            return CursorText(type="float", value=repr(value))
        case Decimal() if value.is_finite():
            return CursorText(type="decimal", value=str(value))
        case str() if len(value) <= 1000:
            return CursorText(type="text", value=value)
        case datetime():
            return CursorText(type="local" if value.tzinfo is None else "moment", value=value.isoformat())
        case date():
            return CursorText(type="date", value=value.isoformat())
    raise CursorUnfit(f"a value of type {type(value).__name__} is no cursor")


def read_cursor(text: CursorText) -> Cell:
    """Read a value back as the type that it had."""
    match text.type:
        case "int":
            return int(text.value)
        case "float":
            return float(text.value)
        case "decimal":
            return Decimal(text.value)
        case "text":
            return text.value
        case "date":
            return date.fromisoformat(text.value)
        case "local" | "moment":
            return datetime.fromisoformat(text.value)


def before(value: Cell, lookback: int) -> Cell:
    """Give the value that is ``lookback`` behind: seconds for times, plain numbers otherwise.

    Raises CursorUnfit for text, behind which there is nothing to count.
    """
    if lookback == 0:
        return value
    match value:
        case bool():
            pass
        case int() | Decimal():
            return value - lookback
        case float():
            return value - float(lookback)
        case datetime():
            return value - timedelta(seconds=lookback)
        case date():
            return value - timedelta(days=-(-lookback // 86_400))
    raise CursorUnfit("only numbers and times can be looked back on; leave lookback at 0")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the cells of one table are written; ``zone`` is that of times without one, or None."""

    contract: Contract
    zone: timezone | None
    times: frozenset[str] = field(default=frozenset())
    truths: frozenset[str] = field(default=frozenset())

    def row(self, cells: Mapping[str, Cell]) -> bytes:
        """Write one record as a line of JSON with sorted keys; ``cells`` are named by contract fields."""
        record = {name: self.cell(name, value) for name, value in cells.items()}
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)

    def cell(self, name: str, value: Cell) -> Cell:
        """Write one cell."""
        for kinds, write in self._WRITERS:
            if isinstance(value, kinds):
                return write(self, name, value)
        return str(value)

    def _plain(self, _name: str, value: Cell) -> Cell:
        return value

    def _float(self, _name: str, value: float) -> Cell:
        return value if math.isfinite(value) else str(value)

    def _iso(self, _name: str, value: date | time) -> Cell:
        return value.isoformat()

    def _enum(self, name: str, value: Enum) -> Cell:
        return self.cell(name, value.value)

    def _tree(self, _name: str, value: dict[object, object] | list[object]) -> Cell:
        return _json(value)

    def _whole(self, name: str, value: int) -> Cell:
        # A database without truth values keeps them as 0 and 1.
        if name in self.truths and value in {0, 1}:
            return bool(value)
        return value if abs(value) <= MAX_INTEGER else str(value)

    def _decimal(self, name: str, value: Decimal) -> Cell:
        if not value.is_finite():
            return str(value)
        kind = self.contract.kind(name)
        if kind == "string":
            return format(value, "f")
        if value == value.to_integral_value() and abs(value) <= MAX_INTEGER:
            return int(value)
        return float(value) if kind != "integer" or value != value.to_integral_value() else str(value)

    def _text(self, name: str, value: str) -> Cell:
        if name in self.times:
            try:
                return self._time(name, datetime.fromisoformat(value))
            except ValueError:
                return _sound(value)
        if self.contract.kind(name) in {"object", "array"}:
            return _nested(value)
        return _sound(value)

    def _bytes(self, name: str, value: bytes | bytearray | memoryview) -> Cell:
        raw = bytes(value)
        if self.contract.kind(name) == "object":
            geometry = geometry_of(raw)
            if geometry is not None:
                return geometry
        return raw.hex()

    def _time(self, name: str, value: datetime) -> str:
        """Write a time as its field wants it: a moment with its offset, or local time without one."""
        schema = self.contract.field_schema(name) or {}
        if schema.get("format") == "date-time":
            if value.tzinfo is None and self.zone is not None:
                value = value.replace(tzinfo=self.zone)
            return value.isoformat() if value.tzinfo is None else _moment(value)
        if schema.get("format") == "date" and value.time() == time.min:
            return value.date().isoformat()
        if value.tzinfo is not None and self.zone is not None:
            value = value.astimezone(self.zone)
        local = value.replace(tzinfo=None)
        if value.tzinfo is not None and self.zone is None:
            return _moment(value)
        whole = local.second == 0 and local.microsecond == 0
        return local.isoformat(timespec="minutes") if whole else local.isoformat()

    # In this order: a truth value is a number too, and a time a day. Any: each takes what stands beside it.
    _WRITERS: ClassVar[tuple[tuple[tuple[type, ...], Callable[[Any, str, Any], Cell]], ...]] = (
        ((type(None), bool), _plain),
        ((int,), _whole),
        ((float,), _float),
        ((Decimal,), _decimal),
        ((Enum,), _enum),
        ((str,), _text),
        ((bytes, bytearray, memoryview), _bytes),
        ((datetime,), _time),
        ((date, time), _iso),
        ((dict, list), _tree),
    )


def zone_of(offset: str | None) -> timezone | None:
    """Read ``+08:00``."""
    if offset is None:
        return None
    sign = -1 if offset.startswith("-") else 1
    return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))


def _moment(value: datetime) -> str:
    spec = "microseconds" if value.microsecond else "seconds"
    if value.utcoffset() == timedelta():
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec) + "Z"
    return value.isoformat(timespec=spec)


def _nested(value: str) -> Cell:
    """Read JSON text, or the hexadecimal WKB that a geometry column reads as."""
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        geometry = geometry_of(value) if _is_hex(value) else None
        return _sound(value) if geometry is None else geometry
    return _json(read) if isinstance(read, dict | list) else _sound(value)


def _is_hex(value: str) -> bool:
    return len(value) % 2 == 0 and all(sign in "0123456789abcdefABCDEF" for sign in value)


def _json(value: dict[object, object] | list[object]) -> Cell:
    """Give a nested value, or its text where JSON cannot hold it."""
    try:
        json.dumps(value, allow_nan=False)  # which orjson would write as null
        orjson.dumps(value)
    except RecursionError:
        return "(nested too deep)"
    except (ValueError, TypeError):
        return str(value)
    return value


def _sound(value: str) -> str:
    return value.encode(errors="replace").decode()
