"""Take a schema apart into parts that each say one thing, and say what the opposite of a part is.

A conjunction is a set of parts that must all hold, kept under their one spelling, so that a part and its
opposite meet. The opposite of a part is one of a few schemas (``alternatives``), or an atom that the search
reads itself. Parts stay plain JSON Schema (2020-12), so the row engine can judge any of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import orjson

from contracts.compatibility.outcome import Schema

Parts: TypeAlias = dict[bytes, Schema]

WORDS = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "default", "deprecated"})
SHAPE = ("properties", "patternProperties", "additionalProperties")
ROW = ("prefixItems", "items")
CONDITION = ("if", "then", "else")
_GROUPS = {keyword: group for group in (SHAPE, ROW, CONDITION) for keyword in group}
_ATOMS = frozenset({"enum", "multipleOf", "pattern", "format", "type"})
_LIMITS = {
    "minimum": ("number", "exclusiveMaximum", 0),
    "maximum": ("number", "exclusiveMinimum", 0),
    "exclusiveMinimum": ("number", "maximum", 0),
    "exclusiveMaximum": ("number", "minimum", 0),
    "minLength": ("string", "maxLength", -1),
    "maxLength": ("string", "minLength", 1),
    "minItems": ("array", "maxItems", -1),
    "maxItems": ("array", "minItems", 1),
    "minProperties": ("object", "maxProperties", -1),
    "maxProperties": ("object", "minProperties", 1),
}


def spelling(schema: Schema) -> bytes:
    """Write a schema in its one spelling."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)


def conjunction(schemas: Iterable[Schema]) -> Parts:
    """Take schemas that must all hold apart."""
    parts: Parts = {}
    for schema in schemas:
        for part in _split(schema):
            parts[spelling(part)] = part
    return parts


def _split(schema: Schema) -> Iterator[Schema]:
    if schema is True:
        return
    if not isinstance(schema, Mapping):
        yield False
        return
    taken: set[tuple[str, ...]] = set()
    for keyword, value in schema.items():
        group = _GROUPS.get(keyword)
        if keyword in WORDS or (group in taken and group is not None):
            continue
        if group is not None:
            taken.add(group)
            yield from _grouped({name: schema[name] for name in group if name in schema})
        elif keyword == "allOf":
            for each in value:
                yield from _split(each)
        elif keyword == "const":
            yield {"enum": [value]}
        elif keyword == "required":
            yield from ({"required": [name]} for name in value)
        elif keyword == "dependentRequired":
            yield from ({"dependentRequired": {name: wanted}} for name, wanted in value.items())
        elif keyword == "not":
            yield from _opposite(value)
        else:
            yield {keyword: value}


def _grouped(part: dict[str, Schema]) -> Iterator[Schema]:
    """Leave out groups that say nothing: a condition without consequence, a shape that admits all."""
    if "if" in part or not part.keys() <= set(CONDITION):
        yield part


def _opposite(schema: Schema) -> Iterator[Schema]:
    parts = list(_split(schema))
    if not parts:
        yield False
        return
    if len(parts) > 1:
        yield {"not": {"allOf": parts}}
        return
    part = parts[0]
    choices = [] if part is False else opposites(part)
    if part is False:
        return
    if choices is None:
        yield from _own_kind(part)
        yield {"not": part}
    elif len(choices) == 1:
        for each in choices[0]:
            yield from _split(each)
    else:
        yield {"not": part}


def _own_kind(part: Schema) -> Iterator[Schema]:
    """Say which kind of value breaks an atom: only a text breaks a pattern."""
    keyword = next(iter(part))
    if keyword in {"pattern", "format"}:
        yield {"type": "string"}
    elif keyword == "multipleOf":
        yield {"type": "number"}
    elif keyword in SHAPE:
        yield {"type": "object"}
    elif keyword in ROW:
        yield {"type": "array"}


def alternatives(  # noqa: PLR0911 - one return for each kind of part
    part: Schema,
) -> list[list[Schema]] | None:
    """List the ways in which a part may hold, each a conjunction; None for an atom or a stranger."""
    if not isinstance(part, Mapping):
        return None
    match next(iter(part)):
        case "anyOf":
            return [[each] for each in part["anyOf"]]
        case "oneOf":
            return [
                [each, *({"not": other} for other in part["oneOf"][:number] + part["oneOf"][number + 1 :])]
                for number, each in enumerate(part["oneOf"])
            ]
        case "if" | "then" | "else":
            return [[part["if"], part.get("then", True)], [{"not": part["if"]}, part.get("else", True)]]
        case "dependentRequired":
            ((name, wanted),) = part["dependentRequired"].items()
            return [[{"properties": {name: False}}], [{"required": wanted}]]
        case "not":
            inner = part["not"]
            if isinstance(inner, Mapping) and inner.keys() == {"allOf"}:
                return [[{"not": each}] for each in inner["allOf"]]
            return opposites(inner)
        case _:
            return None


def opposites(part: Schema) -> list[list[Schema]] | None:  # noqa: PLR0911 - one return for each kind of part
    """List the ways in which a part may be broken; None where its opposite is an atom or a stranger."""
    keyword = next(iter(part))
    value = part[keyword]
    if keyword in _ATOMS:
        return None
    if keyword in SHAPE:
        return _broken_shape(part)
    if keyword in ROW:
        return _broken_row(part)
    if keyword in CONDITION:
        then, otherwise = part.get("then", True), part.get("else", True)
        return [[part["if"], {"not": then}], [{"not": part["if"]}, {"not": otherwise}]]
    if keyword in _LIMITS:
        kind, opposite, shift = _LIMITS[keyword]
        impossible = shift < 0 and value <= 0
        return [[False if impossible else {"type": kind, opposite: value + shift}]]
    match keyword:
        case "required":
            return [[{"type": "object", "properties": {name: False}}] for name in value]
        case "dependentRequired":
            ((name, wanted),) = value.items()
            return [
                [{"type": "object", "required": [name], "properties": {other: False}}] for other in wanted
            ]
        case "anyOf":
            return [[{"not": each} for each in value]]
        case "oneOf":
            pairs = [[one, other] for at, one in enumerate(value) for other in value[at + 1 :]]
            return [[{"not": each} for each in value], *pairs]
        case "not":
            return [[value]]
        case _:
            return None


def _broken_shape(part: Schema) -> list[list[Schema]] | None:
    named, patterns = part.get("properties", {}), part.get("patternProperties", {})
    extra = part.get("additionalProperties", True)
    ways: list[list[Schema]] = [
        [{"type": "object", "required": [name], "properties": {name: {"not": schema}}}]
        for name, schema in named.items()
        if schema is not True
    ]
    strange: list[Schema] = [
        {"patternProperties": {pattern: schema}} for pattern, schema in patterns.items() if schema is not True
    ]
    if extra is not True:
        known = {"properties": dict.fromkeys(named, True), "patternProperties": dict.fromkeys(patterns, True)}
        strange.append({**known, "additionalProperties": extra})
    if len(strange) == 1 and not ways and spelling(strange[0]) == spelling(part):
        return None
    return ways + [[{"type": "object", "not": each}] for each in strange]


def _broken_row(part: Schema) -> list[list[Schema]] | None:
    prefix, rest = part.get("prefixItems", []), part.get("items", True)
    ways: list[list[Schema]] = [
        [{"type": "array", "minItems": at + 1, "prefixItems": [True] * at + [{"not": schema}]}]
        for at, schema in enumerate(prefix)
        if schema is not True
    ]
    if rest is True:
        return ways
    atom = {"prefixItems": [True] * len(prefix), "items": rest} if prefix else {"items": rest}
    if not ways and spelling(atom) == spelling(part):
        return None
    return [*ways, [{"type": "array", "not": atom}]]
