"""A record under a schema: which members a batch has is known, so presence is decided when it is compiled.

A column stands in each row of its batch, null or not; a member of a column of structs stands in each struct.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from contracts.canonical import MAX_INTEGER
from contracts.columns.cells import (
    KNOWN,
    Cell,
    Inexpressible,
    Questions,
    Schema,
    Shape,
    all_of,
    cell_verdict,
    combined,
    with_null,
)
from contracts.schema import compile_schema


@dataclass(frozen=True, slots=True)
class Members:
    """A record with its members by name: the columns of a frame, or a column of structs."""

    value: pl.Expr | None  # None: the row itself, which is never null
    by_name: "Mapping[str, Cell | Members]"


def record_verdict(schema: object, members: Members, questions: Questions) -> pl.Expr:
    """Compile a schema to the verdict on a record that has exactly these members."""
    if isinstance(schema, bool):
        return pl.lit(schema)
    if not isinstance(schema, Mapping) or not schema.keys() <= KNOWN or schema.keys() & {"enum", "const"}:
        raise Inexpressible
    if not _is_present(schema, members):
        return pl.lit(value=False)
    parts = [
        _member_verdict(part, members.by_name[name], questions)
        for name in members.by_name
        for part in _schemas_of(schema, name)
    ]
    return all_of([*parts, *combined(schema, lambda part: record_verdict(part, members, questions))])


def plain(members: Members) -> list[pl.Expr]:
    """List what tells a struct that JSON can hold as it is: finite numbers, whole ones within 2^53."""
    rules: list[pl.Expr] = []
    for member in members.by_name.values():
        match member:
            case Members():
                rules += plain(member)
            case Cell(value=value, shape=Shape.NUMBER):
                rules.append(value.is_null() | value.is_finite())
            case Cell(value=value, shape=Shape.WHOLE):
                rules.append(value.is_null() | value.is_between(-MAX_INTEGER, MAX_INTEGER))
            case _:
                pass
    return rules


def _member_verdict(schema: object, member: Cell | Members, questions: Questions) -> pl.Expr:
    if isinstance(member, Cell):
        return cell_verdict(schema, member, questions)
    held = record_verdict(schema, member, questions)
    if isinstance(schema, Mapping) and member.value is not None:
        return with_null(schema, member.value, held)
    return held


def _is_present(schema: Schema, members: Members) -> bool:
    """Decide what only depends on which members there are (JSON Schema 2020-12, Validation s6.5)."""
    names = set(members.by_name)
    kinds = schema.get("type", "object")
    required = set(schema.get("required", ()))
    for trigger, others in schema.get("dependentRequired", {}).items():
        required |= set(others) if trigger in names else set()
    closed = schema.get("additionalProperties", True) is not False
    return (
        ("object" in kinds if isinstance(kinds, list) else kinds == "object")
        and required <= names
        and schema.get("minProperties", 0) <= len(names) <= schema.get("maxProperties", len(names))
        and (closed or all(_named(schema, name) for name in names))
    )


def _schemas_of(schema: Schema, name: str) -> list[Any]:  # Any: JSON Schemas
    found = _named(schema, name)
    extra = schema.get("additionalProperties", True)
    return found if found or isinstance(extra, bool) else [extra]


def _named(schema: Schema, name: str) -> list[Any]:  # Any: JSON Schemas
    found = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    return found + [
        part
        for pattern, part in schema.get("patternProperties", {}).items()
        if compile_schema({"type": "string", "pattern": pattern}).is_valid(name)
    ]
