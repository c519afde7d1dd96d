"""A field and its JSON Schema as an ODCS property (ODCS 3.1.0, Schema), as far as ODCS has words for it.

What has no word there (conditions, tuples, null beside required) is not approximated: it stands in the record
schema alone, which the document carries whole.
"""

from collections.abc import Mapping
from typing import Any, Literal

from contracts.bilingual import join
from contracts.canonical import MAX_INTEGER
from contracts.odcs.words import CLASSES
from contracts.pattern_tree import parse, repeats
from contracts.schema import Contract, RecordField

Edition = Literal["3.1.0", "3.2.0"]
Schema = Mapping[str, Any]  # Any: a JSON Schema
Entry = dict[str, Any]  # Any: an ODCS element

VENDOR = "headwaters"
OPTIONS: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "date": (),
    "timestamp": (),
    "integer": ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "number": ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "boolean": (),
    "object": ("minProperties", "maxProperties"),
    "array": ("minItems", "maxItems"),
}
_FORMATS = {"date-time": "timestamp", "date": "date"}
_RE2_REPEATS = 1000
_TEXT_RULES = {"pattern", "minLength", "maxLength", "enum", "const"}


def custom(edition: Edition, name: str, value: object) -> Entry:
    """Write one custom property; from 3.2 on it says whose it is."""
    entry: Entry = {"property": name, "value": value}
    return entry if edition == "3.1.0" else entry | {"vendor": VENDOR}


def field_property(contract: Contract, field: RecordField, key: list[str], edition: Edition) -> Entry:
    """Write a field of the contract as a property; ``key`` is the primary key as ODCS has it."""
    schema = contract.field_schema(field.name) or {}
    required = field.name in contract.record.get("required", ())  # type: ignore[operator]  # the dialect's list
    entry: Entry = {"name": field.name, "businessName": join(field.title)}
    if field.note is not None:
        entry["description"] = join(field.note)
    if field.name in key:
        entry |= {"primaryKey": True, "primaryKeyPosition": key.index(field.name) + 1}
    entry |= _shape(schema, edition, required=required)
    entry["classification"] = CLASSES[field.classification]
    example = contract.example_row().get(field.name)
    if example is not None:
        entry["examples"] = [example]
    if field.unit is not None:
        entry["customProperties"] = [custom(edition, "unit", field.unit)]
    return entry


def kinds(schema: Schema) -> list[str]:
    """List the types that a schema names."""
    named = schema.get("type", [])
    return [named] if isinstance(named, str) else list(named)


def primary_key(contract: Contract) -> list[str]:
    """Give the key where ODCS can hold it: a primary key there is never null."""
    required = contract.record.get("required", ())
    plain = (
        isinstance(required, list)
        and name in required
        and "null" not in kinds(contract.field_schema(name) or {})
        for name in contract.key
    )
    return contract.key if all(plain) else []


def _shape(schema: Schema, edition: Edition, *, required: bool) -> Entry:
    named = kinds(schema)
    plain = [kind for kind in named if kind != "null"]
    entry: Entry = {}
    if len(plain) == 1:
        kind = _logical(plain[0], schema)
        entry["logicalType"] = kind
        options = {name: schema[name] for name in OPTIONS[kind] if name in schema}
        if "pattern" in options and not _widely_read(options["pattern"]):
            del options["pattern"]
        if kind == "timestamp":
            options["timezone"] = True
        if kind == "integer" and not _within_i32(schema):
            options["format"] = "i64"
            entry["physicalType"] = "bigint"
        if kind == "object" and schema.get("required"):
            options["required"] = list(schema["required"])
        if options:
            entry["logicalTypeOptions"] = options
    if required and "null" not in named:
        entry["required"] = True
    return entry | _options(schema, edition) | _parts(schema, plain, edition)


def _widely_read(pattern: str) -> bool:
    """Tell whether RE2, which many tools run, takes the pattern: repeats in repeats stay below 1000."""
    return repeats(parse(pattern)) <= _RE2_REPEATS


def _within_i32(schema: Schema) -> bool:
    """Tell whether the limits fit the integer that ODCS means when it says nothing (i32)."""
    low, high = schema.get("minimum", -MAX_INTEGER), schema.get("maximum", MAX_INTEGER)
    return bool(low >= -(2**31) and high < 2**31)


def _logical(kind: str, schema: Schema) -> str:
    if kind == "string" and not _TEXT_RULES & schema.keys():
        return _FORMATS.get(str(schema.get("format")), kind)
    return kind


def _options(schema: Schema, edition: Edition) -> Entry:
    listed = [schema["const"]] if "const" in schema else schema.get("enum", [])
    values = [value for value in listed if value is not None]
    if not values or any(isinstance(value, dict | list) for value in values):
        return {}
    if edition != "3.1.0":
        return {"enum": [{"value": value} for value in values]}
    valid = {
        "type": "library",
        "metric": "invalidValues",
        "arguments": {"validValues": values},
        "mustBe": 0,
        "dimension": "conformity",
        "severity": "error",
    }
    return {"quality": [valid]}


def _parts(schema: Schema, plain: list[str], edition: Edition) -> Entry:
    required = schema.get("required", ())
    match plain:
        case ["object"] if schema.get("properties"):
            return {
                "properties": [
                    {"name": name} | _shape(part, edition, required=name in required)
                    for name, part in schema["properties"].items()
                    if isinstance(part, Mapping)
                ]
            }
        case ["array"] if isinstance(schema.get("items"), Mapping) and "prefixItems" not in schema:
            return {"items": _shape(schema["items"], edition, required=False)}
        case _:
            return {}
