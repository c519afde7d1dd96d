"""One ODCS property as a JSON Schema of the contract dialect, with what it cannot say listed as a loss."""

import re
from dataclasses import dataclass, field
from typing import Any

from contracts.canonical import MAX_INTEGER
from contracts.odcs.faults import OdcsRefused
from contracts.odcs.shape import OPTIONS, Entry
from contracts.pattern import pattern_fault

_WORDS: tuple[tuple[str, str], ...] = (
    (r"bool", "boolean"),
    (r"(?:small|big|tiny|medium)?int|serial|long", "integer"),
    (r"double|float|real|numeric|decimal|number", "number"),
    (r"timestamp|datetime", "timestamp"),
    (r"date", "date"),
    (r"time", "time"),
    (r"(?:n?var)?char|text|string|uuid|clob", "string"),
    (r"struct|record|object", "object"),
    (r"array|list", "array"),
)
_WIDTHS = {f"{sign}{bits}": (sign, bits) for sign in "iu" for bits in (8, 16, 32)}
_DIALECT_FORMATS = frozenset({"date-time", "date", "uuid"})
_TIME = "^(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
_LETTERS = {
    "yyyy": "[0-9]{4}",
    "MM": "(?:0[1-9]|1[0-2])",
    "dd": "(?:0[1-9]|[12][0-9]|3[01])",
    "HH": "(?:[01][0-9]|2[0-3])",
    "mm": "[0-5][0-9]",
    "ss": "[0-5][0-9]",
    "SSS": "[0-9]{3}",
}
_STRFTIME = {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss"}
_SHORTHANDS = {r"\d": "0-9", r"\w": "A-Za-z0-9_"}
MAX_ITEMS = 10_000


@dataclass(slots=True)
class Shape:
    """A property as a schema; ``checks`` are the quality checks beside it that are not about its values."""

    name: str
    schema: Entry = field(default_factory=dict)
    required: bool = False
    unique: bool = False
    checks: list[Entry] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lose(self, place: str, what: str) -> None:
        """Write down a rule about records that cannot be kept."""
        self.losses.append(f"{place}: {what}"[:200])


def shape_of(entry: Entry, place: str) -> Shape:
    """Translate a property and what it holds; raise OdcsRefused for one whose type nobody can tell."""
    shape = Shape(str(entry.get("name", "")))
    shape.required = bool(entry.get("required") or entry.get("primaryKey"))
    shape.unique = bool(entry.get("unique"))
    kind = _kind(entry, place)
    options = dict(entry.get("logicalTypeOptions") or {})
    schema = _typed(kind, entry, options, shape, place)
    _values(schema, entry, shape)
    if not shape.required:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    for name in (
        options.keys() - set(OPTIONS.get(kind, ())) - {"timezone", "defaultTimezone", "required", "format"}
    ):
        shape.lose(place, f"the option {str(name)[:40]} has no word here")
    shape.schema = schema
    return shape


def _kind(entry: Entry, place: str) -> str:
    logical, physical = entry.get("logicalType"), str(entry.get("physicalType") or "")
    if logical is not None:
        return str(logical)
    for words, kind in _WORDS:
        if re.match(words, physical, re.IGNORECASE):
            return kind
    raise OdcsRefused(f"{place}: neither logicalType nor physicalType says what it holds")


def _typed(kind: str, entry: Entry, options: Entry, shape: Shape, place: str) -> Entry:
    match kind:
        case "string":
            return _string(options, shape, place)
        case "timestamp" | "date" | "time":
            return _moment(kind, options, shape, place)
        case "integer" | "number":
            return _number(kind, options, shape, place)
        case "boolean":
            return {"type": "boolean"}
        case "object":
            return _object(entry, options, shape, place)
        case "array":
            return _array(entry, options, shape, place)
        case _:
            raise OdcsRefused(f"{place}: the logicalType {kind[:40]!r} has no counterpart in a contract")


def _string(options: Entry, shape: Shape, place: str) -> Entry:
    schema: Entry = {"type": "string"}
    schema |= {name: options[name] for name in ("minLength", "maxLength") if name in options}
    if "pattern" in options:
        pattern = _portable(str(options["pattern"]))
        fault = pattern_fault(pattern)
        if fault is None:
            schema["pattern"] = pattern
        else:
            shape.lose(place, f"the pattern {fault}")
    wanted = options.get("format")
    if wanted in _DIALECT_FORMATS:
        schema["format"] = wanted
    elif wanted is not None:
        shape.lose(place, f"the format {str(wanted)[:40]!r} is not judged here")
    return schema


def _portable(pattern: str) -> str:
    r"""Write ``\d`` and ``\w`` of ECMA-262 as the classes that they are."""
    made, inside, at = "", False, 0
    while at < len(pattern):
        sign = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        if sign in _SHORTHANDS:
            made += _SHORTHANDS[sign] if inside else f"[{_SHORTHANDS[sign]}]"
        else:
            made += sign
        inside = sign == "[" or (inside and sign != "]")
        at += len(sign)
    return made


def _moment(kind: str, options: Entry, shape: Shape, place: str) -> Entry:
    for name in options.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
        shape.lose(place, f"the {name} of a {kind} is not judged here")
        del options[name]
    form = options.get("format")
    if form is None:
        return (
            {"type": "string", "pattern": _TIME}
            if kind == "time"
            else {"type": "string", "format": _FORMAT_OF[kind]}
        )
    pattern = _form_pattern(str(form))
    if pattern is None:
        shape.lose(place, f"the form {str(form)[:40]!r} is not read here")
        return {"type": "string"}
    return {"type": "string", "pattern": pattern}


_FORMAT_OF = {"timestamp": "date-time", "date": "date"}


def _form_pattern(form: str) -> str | None:
    """Write a date form (``yyyy-MM-dd HH:mm``, ``%Y-%m-%d``) as a pattern; None for letters not known."""
    for code, letters in _STRFTIME.items():
        form = form.replace(code, letters)
    made = ""
    for part in re.findall(r"yyyy|MM|dd|HH|mm|ss|SSS|'[^'A-Z\\]*'|'[A-Z]'|.", form):
        if part in _LETTERS:
            made += _LETTERS[part]
        elif part.startswith("'") and len(part) > 1:
            made += part.strip("'")
        elif part in "-/:., T":
            made += "\\." if part == "." else part
        else:
            return None
    return f"^{made}$"


def _number(kind: str, options: Entry, shape: Shape, place: str) -> Entry:
    schema: Entry = {"type": kind}
    for name in OPTIONS[kind]:
        limit = options.get(name)
        whole = isinstance(limit, int | float) and not isinstance(limit, bool) and limit == int(limit)
        if limit is None or (kind == "number" and name == "multipleOf"):
            continue
        if whole and abs(limit) <= MAX_INTEGER:
            schema[name] = int(limit)
        else:
            shape.lose(place, f"the {name} {limit!s:.40} is no whole number below 2^53")
    if kind == "number" and "multipleOf" in options:
        shape.lose(place, "multipleOf is judged on whole numbers only")
    if kind == "integer":
        low, high = _width(options.get("format"))
        schema.setdefault("minimum", low)
        schema.setdefault("maximum", high)
    return schema


def _width(form: Any) -> tuple[int, int]:  # Any: not judged yet
    sign, bits = _WIDTHS.get(str(form), ("u" if str(form).startswith("u") else "i", 0))
    if not bits:
        return (0 if sign == "u" else -MAX_INTEGER), MAX_INTEGER
    return (0, 2**bits - 1) if sign == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _object(entry: Entry, options: Entry, shape: Shape, place: str) -> Entry:
    schema: Entry = {"type": "object"}
    inner = [shape_of(part, f"{place}/{part['name']}") for part in entry.get("properties") or []]
    for part in inner:
        shape.losses += part.losses
        shape.notes += part.notes
    listed = set(options.get("required") or ())
    schema["properties"] = {part.name: part.schema for part in inner}
    schema["required"] = [part.name for part in inner if part.required or part.name in listed]
    schema["additionalProperties"] = not inner
    return schema | {name: options[name] for name in OPTIONS["object"] if name in options}


def _array(entry: Entry, options: Entry, shape: Shape, place: str) -> Entry:
    items: Entry | bool = True
    if entry.get("items"):
        inner = shape_of(entry["items"] | {"required": True}, f"{place}/items")
        shape.losses += inner.losses
        shape.notes += inner.notes
        items = inner.schema
    if options.pop("uniqueItems", False):
        shape.lose(place, "uniqueItems is not judged here")
    if "maxItems" not in options:
        shape.notes.append(f"{place}: an array has at most {MAX_ITEMS} items here")
    schema: Entry = {"type": "array", "items": items, "maxItems": options.get("maxItems", MAX_ITEMS)}
    return schema | ({"minItems": options["minItems"]} if "minItems" in options else {})


def _values(schema: Entry, entry: Entry, shape: Shape) -> None:
    """Take the listed values, of the ``enum`` of 3.2 or of the library check of 3.1."""
    values = [option["value"] for option in entry.get("enum") or []]
    for check in entry.get("quality") or []:
        valid = (check.get("arguments") or {}).get("validValues")
        if check.get("metric") == "invalidValues" and valid and check.get("mustBe") == 0:
            values = valid
        else:
            shape.checks.append(check)
    if values:
        schema["enum"] = list(values)
