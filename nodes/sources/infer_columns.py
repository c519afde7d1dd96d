"""What a column of data looks like: its kinds of value, their limits, and the schema that admits them.

The schema is a proposal. Limits are the next round numbers beyond what was seen, values are listed only where
few of them return often, and nothing of a row is kept but short values that return.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from contracts.canonical import MAX_INTEGER
from nodes.sources.cells import NUMBER

MAX_OPTIONS = 12
MIN_RETURNS = 5
MAX_OPTION_CHARS = 40
MAX_TEXT = 10_000

_DAY = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])"
    "|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
FORMATS = {
    "date-time": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:]{8}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "uuid": r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",
}
LOCAL_TIMES = tuple(f"^{_DAY}{sign}{_CLOCK}{seconds}$" for sign in "T " for seconds in ("", ":[0-5][0-9]"))
_CODES = ("^[0-9]{6}$", "^[0-9]{9}$", "^[0-9]{12}$", "^[0-9A-Z]{18}$")
_FORMS = (*FORMATS.values(), *LOCAL_TIMES, *_CODES)
_CODE_NAME = re.compile(r"code|_id$|^id$|^mn$", re.IGNORECASE)
_TRUTHS = frozenset({"true", "false"})


_GEOMETRY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "maxLength": 20},
        "coordinates": {"type": "array", "items": True, "maxItems": 100_000},
    },
    "required": ["type", "coordinates"],
    "additionalProperties": False,
}


@dataclass(slots=True)
class Numbers:
    """Numbers that were seen."""

    count: int = 0
    low: float = 0
    high: float = 0
    whole: bool = True

    def take(self, values: pl.Series) -> None:
        """Add numbers without null."""
        if not len(values):
            return
        low, high = values.min(), values.max()
        self.low = low if self.count == 0 else min(self.low, low)  # type: ignore[assignment,type-var]  # numbers
        self.high = high if self.count == 0 else max(self.high, high)  # type: ignore[assignment,type-var]  # numbers
        self.whole = self.whole and (values.dtype.is_integer() or bool((values.floor() == values).all()))
        self.count += len(values)

    def schema(self) -> dict[str, Any]:
        """Propose a type and limits."""
        whole = self.whole and max(abs(self.low), abs(self.high)) <= MAX_INTEGER
        low = 0 if self.low >= 0 else -_round(-self.low)
        return {
            "type": "integer" if whole else "number",
            "minimum": low,
            "maximum": _round(max(self.high, 1)),
        }


@dataclass(slots=True)
class Texts:
    """Texts that were seen, and whether all of them are numbers, truth values or of one form."""

    count: int = 0
    shortest: int = MAX_TEXT
    longest: int = 0
    options: dict[str, int] | None = field(default_factory=dict)
    forms: list[str] = field(default_factory=lambda: list(_FORMS))
    numbers: Numbers = field(default_factory=Numbers)

    def take(self, values: pl.Series, *, cells: bool) -> None:
        """Add texts without null; ``cells`` of a CSV file may be numbers."""
        if not len(values):
            return
        lengths = values.str.len_chars()
        self.count += len(values)
        self.shortest = min(self.shortest, int(lengths.min()))  # type: ignore[arg-type]  # a length
        self.longest = max(self.longest, int(lengths.max()))  # type: ignore[arg-type]  # a length
        self.forms = [form for form in self.forms if values.str.contains(form).all()]
        if self.options is not None:
            for text, count in values.rename("text").value_counts().iter_rows():
                self.options[text] = self.options.get(text, 0) + count
            self.options = None if len(self.options) > MAX_OPTIONS else self.options
        if cells:
            self.numbers.take(values.filter(values.str.contains(NUMBER)).cast(pl.Float64))

    def schema(self, name: str, *, cells: bool) -> dict[str, Any]:
        """Propose a type, a form or listed values."""
        coded = bool(_CODE_NAME.search(name)) and any(form in self.forms for form in _CODES)
        if cells and self.count and self.numbers.count == self.count and not coded:
            return self.numbers.schema()
        if cells and self.options and self.options.keys() <= _TRUTHS:
            return {"type": "boolean"}
        if self.count and self.forms:
            form = self.forms[0]
            named = next((name for name, pattern in FORMATS.items() if pattern == form), None)
            return {"type": "string"} | ({"pattern": form} if named is None else {"format": named})
        options = self.options or {}
        if options and min(options.values()) >= MIN_RETURNS and self.longest <= MAX_OPTION_CHARS:
            return {"type": "string", "enum": sorted(options)}
        return {"type": "string", "maxLength": max(20, _round(self.longest))} | (
            {"minLength": 1} if self.shortest else {}
        )


@dataclass(slots=True)
class Column:
    """Everything that was seen under one name; ``rows`` counts the records it could have stood in."""

    present: int = 0
    empty: int = 0
    texts: Texts = field(default_factory=Texts)
    numbers: Numbers = field(default_factory=Numbers)
    truths: int = 0
    members: dict[str, "Column"] = field(default_factory=dict)
    objects: int = 0
    items: "Column | None" = None
    arrays: int = 0
    most_items: int = 0

    def take_values(self, values: list[Any]) -> None:
        """Add JSON values."""
        self.present += len(values)
        kinds: dict[type, list[Any]] = {}
        for value in values:
            kinds.setdefault(type(value), []).append(value)
        self.empty += len(kinds.get(type(None), []))
        self.truths += len(kinds.get(bool, []))
        self.texts.take(pl.Series(kinds.get(str, []), dtype=pl.String), cells=False)
        whole = [value for value in kinds.get(int, []) if abs(value) <= MAX_INTEGER]
        self.numbers.take(pl.Series(whole, dtype=pl.Int64))
        large = [float(value) for value in kinds.get(int, []) if abs(value) > MAX_INTEGER]
        self.numbers.take(pl.Series([*kinds.get(float, []), *large], dtype=pl.Float64))
        self._take_objects(kinds.get(dict, []))
        self._take_arrays(kinds.get(list, []))

    def take_series(self, values: pl.Series, *, cells: bool) -> None:
        """Add a column of scalars; nested and binary ones come as values."""
        self.present += len(values)
        self.empty += values.null_count()
        held = values.drop_nulls()
        if values.dtype == pl.Boolean:
            self.truths += len(held)
        elif values.dtype.is_numeric():
            self.numbers.take(held)
        else:
            self.texts.take(held.cast(pl.String), cells=cells)

    @property
    def mixed(self) -> bool:
        """Tell whether values of several kinds were seen."""
        return sum(count > 0 for count in self._counts().values()) > 1

    def schema(self, name: str, *, cells: bool = False) -> dict[str, Any]:
        """Propose a schema for the kind of value that was seen most."""
        counts = self._counts()
        match max(counts, key=lambda kind: counts[kind]):
            case "number":
                return self.numbers.schema()
            case "boolean":
                return {"type": "boolean"}
            case "object":
                return self._object()
            case "array":
                return self._array(name)
            case _:
                return self.texts.schema(name, cells=cells)

    def _counts(self) -> dict[str, int]:
        return {
            "string": self.texts.count,
            "number": self.numbers.count,
            "boolean": self.truths,
            "object": self.objects,
            "array": self.arrays,
        }

    def _array(self, name: str) -> dict[str, Any]:
        items: Any = True
        if self.items is not None and self.items.present and not self.items.mixed:
            items = self.items.schema(name)
            if self.items.empty:
                items = nullable(items)
        return {"type": "array", "items": items, "maxItems": _round(max(self.most_items, 10))}

    def _object(self) -> dict[str, Any]:
        if {"type", "coordinates"} == self.members.keys():
            return _GEOMETRY
        names_fit = all(name.isascii() for name in self.members)
        if not names_fit or any(column.mixed for column in self.members.values()):
            return {"type": "object", "additionalProperties": True}
        parts = {name: column.schema(name) for name, column in self.members.items()}
        parts = {name: nullable(part) if self.members[name].empty else part for name, part in parts.items()}
        required = [name for name, column in self.members.items() if column.present == self.objects]
        return {"type": "object", "properties": parts, "required": required, "additionalProperties": False}

    def _take_objects(self, values: list[dict[str, Any]]) -> None:
        self.objects += len(values)
        columns: dict[str, list[Any]] = {}
        for value in values:
            for name, member in value.items():
                columns.setdefault(name, []).append(member)
        for name, members in columns.items():
            self.members.setdefault(name, Column()).take_values(members)

    def _take_arrays(self, values: list[list[Any]]) -> None:
        self.arrays += len(values)
        self.most_items = max([self.most_items, *map(len, values)])
        flat = [item for value in values for item in value]
        if flat:
            self.items = self.items or Column()
            self.items.take_values(flat)


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Admit null beside what a proposed schema admits."""
    made = schema | {"type": [schema["type"], "null"]}
    return made | {"enum": [*schema["enum"], None]} if "enum" in schema else made


def _round(value: float) -> int:
    """Give the first of 1, 2, 5, 10, 20, 50, … that is not below a value."""
    scale = 1
    while scale * 10 <= value:
        scale *= 10
    return min(
        next((step * scale for step in (1, 2, 5, 10) if step * scale >= value), scale * 10), MAX_INTEGER
    )
