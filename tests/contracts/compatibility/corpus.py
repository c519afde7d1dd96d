"""Forty-two changes of a record schema and the truth about each in both directions: 84 verdicts.

The truth was reasoned out by hand from JSON Schema 2020-12, never taken from a tool. ``backward``: the new
schema admits every record of the old. ``forward``: the old admits every record of the new. Seven changes are
made to a whole contract of 19 fields with three conditions; the groups follow the rules of Confluent's
checker and add what it does not compare (``format``, conditions, requirements that depend).
"""

from copy import deepcopy
from typing import Any, NamedTuple

Schema = dict[str, Any]


class Change(NamedTuple):
    """One change and the truth about it."""

    name: str
    old: Schema
    new: Schema
    backward: bool
    forward: bool


def record(fields: Schema, *, required: tuple[str, ...] = (), closed: bool = True, **more: Any) -> Schema:
    """Build a record schema."""
    base: Schema = {"type": "object", "properties": fields, "required": list(required)}
    return {**base, "additionalProperties": False, **more} if closed else {**base, **more}


def one(schema: Schema, **more: Any) -> Schema:
    """Build a record of one required field."""
    return record({"value": schema}, required=("value",), **more)


FLAGS = ["N", "F", "M", "D"]
WHEN_NORMAL = {"properties": {"flag": {"const": "N"}}, "required": ["flag"]}
NEEDS_VALUE = {"properties": {"value": {"type": "number"}}, "required": ["value"]}
READING = {"flag": {"type": "string", "enum": FLAGS}, "value": {"type": ["number", "null"]}}


def reading(*conditions: Schema) -> Schema:
    """Build a record of a flag and a value under conditions."""
    plain = record(READING, required=("flag",))
    return {**plain, "allOf": list(conditions)} if conditions else plain


def when(condition: Schema, then: Schema) -> Schema:
    """Write a condition."""
    return {"if": condition, "then": then}


def whole() -> Schema:
    """Build the contract of 19 fields: 14 required, 9 enumerations, 3 patterns, a place, 3 conditions."""
    text = {"type": "string", "minLength": 1, "maxLength": 40}
    place = record(
        {
            "province": {"type": "string", "enum": ["33", "50", "51", "52", "53", "54", "63"]},
            "admin_code": {"type": "string", "pattern": "^[0-9]{6}$"},
            "longitude": {"type": "number", "minimum": 73, "maximum": 136},
            "latitude": {"type": "number", "minimum": 3, "maximum": 54},
            "altitude": {"type": ["number", "null"], "minimum": -200, "maximum": 9000},
        },
        required=("province", "admin_code", "longitude", "latitude"),
    )
    fields: Schema = {
        "record_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "station": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{6}$"},
        "observed_at": {"type": "string", "format": "date-time"},
        "received_at": {"type": ["string", "null"], "format": "date-time"},
        "medium": {"type": "string", "enum": ["air", "water", "soil"]},
        "factor": {"type": "string", "enum": ["pH", "COD", "NH3-N", "TP", "PM2.5", "PM10", "SO2"]},
        "value": {"type": ["number", "null"], "minimum": -1000, "maximum": 100000},
        "unit": {"type": "string", "enum": ["1", "mg/L", "ug/m3", "mg/m3"]},
        "method": {"type": "string", "enum": ["automatic", "manual", "model"]},
        "flag": {"type": "string", "enum": ["N", "F", "M", "S", "D", "C", "T", "B"]},
        "sampler": {"type": ["string", "null"], "minLength": 1, "maxLength": 40},
        "laboratory": {"type": ["string", "null"], "maxLength": 80},
        "period": {"type": "string", "enum": ["moment", "minute", "hour", "day"]},
        "edition": {"type": "string", "enum": ["2017", "2025"]},
        "decimals": {"type": "integer", "minimum": 0, "maximum": 6},
        "quality": {"type": "string", "enum": ["raw", "checked", "confirmed"]},
        "remark": {"type": ["string", "null"], "maxLength": 200},
        "batch": {**text, "type": ["string", "null"]},
        "location": place,
    }
    optional = {"received_at", "sampler", "laboratory", "remark", "batch"}
    manual = {"properties": {"method": {"const": "manual"}}, "required": ["method"]}
    acidity = {"properties": {"factor": {"const": "pH"}}, "required": ["factor"]}
    unit_of_acidity = {
        "value": {"type": ["number", "null"], "minimum": 0, "maximum": 14},
        "unit": {"const": "1"},
    }
    named = {"properties": {"sampler": {"type": "string", "minLength": 1}}, "required": ["sampler"]}
    return record(
        fields,
        required=tuple(name for name in fields if name not in optional),
        allOf=[
            when(WHEN_NORMAL, {"properties": {"value": {"type": "number"}}}),
            when(acidity, {"properties": unit_of_acidity}),
            when(manual, named),
        ],
    )


def changed(edit: str) -> Schema:
    """Make one of the seven changes to the whole contract."""
    schema = deepcopy(whole())
    fields, conditions = schema["properties"], schema["allOf"]
    match edit:
        case "an optional field more":
            fields["instrument"] = {"type": ["string", "null"], "maxLength": 40}
        case "a field required":
            schema["required"].append("batch")
        case "a condition dropped":
            del conditions[2]
        case "a consequence tightened":
            conditions[1]["then"]["properties"]["value"]["maximum"] = 12
        case "a premise widened":
            conditions[0]["if"]["properties"]["flag"] = {"enum": ["N", "S"]}
        case "a nested pattern narrowed":
            fields["location"]["properties"]["admin_code"]["pattern"] = "^(?:33|5[0-4]|63)[0-9]{4}$"
        case "a condition that says nothing new":
            unable = {"properties": {"decimals": {"minimum": 7}}, "required": ["decimals"]}
            conditions.append(when(unable, {"properties": {"value": {"type": "null"}}}))
    return schema


def _whole(edit: str, *, backward: bool, forward: bool) -> Change:
    return Change(f"whole contract: {edit}", whole(), changed(edit), backward, forward)


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
OPEN_TEXT = record({"a": TEXT}, closed=False)
ADMIN = {"type": "string", "pattern": "^[0-9]{6}$"}

CORPUS = (
    Change(
        "a title reworded",
        one({"type": "number", "title": "a"}),
        one({"type": "number", "title": "b"}),
        True,
        True,
    ),
    Change("a maximum raised", one({**NUMBER, "maximum": 10}), one({**NUMBER, "maximum": 20}), True, False),
    Change("a minimum added", one(NUMBER), one({**NUMBER, "minimum": 0}), False, True),
    Change(
        "bounds shifted",
        one({**NUMBER, "minimum": 0, "maximum": 10}),
        one({**NUMBER, "minimum": 5, "maximum": 15}),
        False,
        False,
    ),
    Change(
        "an open bound for a closed one",
        one({**NUMBER, "minimum": 0}),
        one({**NUMBER, "exclusiveMinimum": 0}),
        False,
        True,
    ),
    Change(
        "an open bound on whole numbers",
        one({"type": "integer", "minimum": 1, "maximum": 9}),
        one({"type": "integer", "exclusiveMinimum": 0, "maximum": 9}),
        True,
        True,
    ),
    Change("whole numbers to numbers", one({"type": "integer"}), one(NUMBER), True, False),
    Change(
        "multiples of 4 to multiples of 2",
        one({"type": "integer", "multipleOf": 4}),
        one({"type": "integer", "multipleOf": 2}),
        True,
        False,
    ),
    Change(
        "multiples of 4 to multiples of 6",
        one({"type": "integer", "multipleOf": 4}),
        one({"type": "integer", "multipleOf": 6}),
        False,
        False,
    ),
    Change("null admitted", one(NUMBER), one({"type": ["number", "null"]}), True, False),
    Change("a text to a number", one(TEXT), one(NUMBER), False, False),
    Change("a length shortened", one({**TEXT, "maxLength": 40}), one({**TEXT, "maxLength": 20}), False, True),
    Change("an option added", one({"enum": ["a", "b"]}), one({"enum": ["a", "b", "c"]}), True, False),
    Change("an option renamed", one({"enum": ["a", "b"]}), one({"enum": ["a", "c"]}), False, False),
    Change(
        "options to a pattern that fits them",
        one({"enum": ["A1", "B2"]}),
        one({**TEXT, "pattern": "^[A-Z][0-9]$"}),
        True,
        False,
    ),
    Change("a pattern dropped", one(ADMIN), one(TEXT), True, False),
    Change("a pattern widened", one(ADMIN), one({**TEXT, "pattern": "^[0-9]{6}(?:[0-9]{6})?$"}), True, False),
    Change(
        "a pattern rewritten", one(ADMIN), one({**TEXT, "pattern": "^[0-9][0-9]{2}(?:[0-9]{3})$"}), True, True
    ),
    Change(
        "a pattern to lengths alone", one(ADMIN), one({**TEXT, "minLength": 6, "maxLength": 6}), True, False
    ),
    Change("a format added", one(TEXT), one({**TEXT, "format": "date-time"}), False, True),
    Change(
        "a format to a loose pattern",
        one({**TEXT, "format": "date"}),
        one({**TEXT, "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
        True,
        False,
    ),
    Change(
        "an optional field added to a closed record",
        record({"a": TEXT}),
        record({"a": TEXT, "b": TEXT}),
        True,
        False,
    ),
    Change(
        "an optional field added to an open record",
        OPEN_TEXT,
        record({"a": TEXT, "b": TEXT}, closed=False),
        False,
        True,
    ),
    Change(
        "a required field added",
        record({"a": TEXT}),
        record({"a": TEXT, "b": TEXT}, required=("b",)),
        False,
        False,
    ),
    Change(
        "a field no longer required", record({"a": TEXT}, required=("a",)), record({"a": TEXT}), True, False
    ),
    Change(
        "a default does not fill a gap",
        record({"a": TEXT}),
        record({"a": {**TEXT, "default": "x"}}, required=("a",)),
        False,
        True,
    ),
    Change("a record closed", OPEN_TEXT, record({"a": TEXT}), False, True),
    Change(
        "extra fields held to a pattern",
        record({"a": TEXT}),
        record({"a": TEXT}, patternProperties={"^x_[a-z]{1,8}$": TEXT}),
        True,
        False,
    ),
    Change(
        "an item's bound raised",
        one({"type": "array", "items": {**NUMBER, "maximum": 5}, "maxItems": 4}),
        one({"type": "array", "items": {**NUMBER, "maximum": 6}, "maxItems": 4}),
        True,
        False,
    ),
    Change(
        "fewer items and any of them",
        one({"type": "array", "items": NUMBER, "maxItems": 4}),
        one({"type": "array", "items": True, "maxItems": 3}),
        False,
        False,
    ),
    Change(
        "another branch",
        one({"anyOf": [TEXT, NUMBER]}),
        one({"anyOf": [TEXT, NUMBER, {"type": "null"}]}),
        True,
        False,
    ),
    Change(
        "one of two that overlap, for any of them",
        one({"oneOf": [{**NUMBER, "maximum": 5}, {**NUMBER, "minimum": 3}]}),
        one({"anyOf": [{**NUMBER, "maximum": 5}, {**NUMBER, "minimum": 3}]}),
        True,
        False,
    ),
    Change(
        "a field that brings another",
        record({"a": TEXT, "b": TEXT}),
        record({"a": TEXT, "b": TEXT}, dependentRequired={"a": ["b"]}),
        False,
        True,
    ),
    Change("a condition added", reading(), reading(when(WHEN_NORMAL, NEEDS_VALUE)), False, True),
    Change(
        "a condition written as branches",
        reading(when(WHEN_NORMAL, NEEDS_VALUE)),
        record(READING, required=("flag",), anyOf=[{"not": WHEN_NORMAL}, NEEDS_VALUE]),
        True,
        True,
    ),
    _whole("an optional field more", backward=True, forward=False),
    _whole("a field required", backward=False, forward=True),
    _whole("a condition dropped", backward=True, forward=False),
    _whole("a consequence tightened", backward=False, forward=True),
    _whole("a premise widened", backward=False, forward=True),
    _whole("a nested pattern narrowed", backward=False, forward=True),
    _whole("a condition that says nothing new", backward=True, forward=True),
)
