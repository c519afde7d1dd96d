"""A contract as pydantic models: Python source that stands alone and gives the verdict of the row engine.

Types, limits, patterns and listed values become constraints of fields; conditions and what else a field
cannot say become functions that judge the record before its fields are read. The source needs pydantic 2
and nothing of Headwaters.
"""

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from contracts.bilingual import join
from contracts.codegen.predicate import PRELUDE, Predicates
from contracts.schema import Contract, RecordField

Schema = Mapping[str, Any]  # Any: a JSON Schema

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_USED = frozenset({"str", "int", "float", "bool", "list", "dict", "math", "calendar", "annotations"})
_IMPORTS = """from __future__ import annotations

import calendar
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema
"""
_KEPT = {
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length", "maxLength": "max_length", "pattern": "pattern",
    "minItems": "min_length", "maxItems": "max_length",
}  # fmt: skip
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_NATIVE: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "integer": _NUMBERS,
    "number": _NUMBERS[:4],
    "boolean": (),
    "array": ("minItems", "maxItems"),
}
_SILENT = frozenset({"type", "title", "description", "$comment", "$schema", "additionalProperties"})
_BASES = {"string": "str", "integer": "int", "number": "Number", "boolean": "bool"}
_CONDITIONS = (
    "anyOf",
    "oneOf",
    "not",
    "dependentRequired",
    "minProperties",
    "maxProperties",
    "enum",
    "const",
)


def pydantic_source(contract: Contract) -> str:
    """Write the module; its class is named after the contract, as ``AmbientAirHourly``."""
    writer = _Writer()
    notes = {field.name: field for field in contract.fields}
    about = f"One record of {contract.id} {contract.version}: {join(contract.title)}"
    writer.model(class_name(contract.id), contract.record, notes, about)
    head = _docstring(
        f"Records of the contract {contract.id} {contract.version}, for pydantic 2; made from the contract."
    )
    facts = "\n".join(
        f"{name} = {value!a}"
        for name, value in (
            ("CONTRACT", contract.id),
            ("VERSION", contract.version),
            ("DIGEST", contract.digest),
        )
    )
    parts = [head, "", _IMPORTS, facts, PRELUDE.rstrip(), *writer.predicates.lines, *writer.models]
    return "\n".join(parts) + "\n"


def class_name(contract_id: str) -> str:
    """Name the class of a contract's records."""
    made = "".join(part.capitalize() for part in contract_id.split("-"))
    return made if made[0].isalpha() else f"Contract{made}"


class _Writer:
    def __init__(self) -> None:
        self.predicates = Predicates()
        self.models: list[str] = []

    def model(self, name: str, schema: Schema, notes: Mapping[str, RecordField], about: str) -> None:
        """Write a class for an object schema, after the classes it needs."""
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        body = []
        for place, (field, part) in enumerate(properties.items()):
            kind = self._annotation(part, f"{name}Part{place}")
            told = ["..." if field in required else "None"]
            attribute = _attribute(field, place, properties)
            if attribute != field:
                told.append(f"alias={field!a}")
            told += _words(notes.get(field))
            body.append(f"    {attribute}: {kind} = Field({', '.join(told)})")
        closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
        extra = "forbid" if closed else "allow"
        config = f"    model_config = ConfigDict(extra={extra!r}, strict=True, frozen=True)"
        rules = [f"            ({judge}, {place!a})," for judge, place in self._conditions(schema)]
        self.models += ["", "", f"class {name}(BaseModel):", f"    {_docstring(about)}", "", config]
        self.models += ["", *body] if body else []
        if rules:
            self.models += ["", *_CHECK_START, *rules, *_CHECK_END]

    def _conditions(self, schema: Schema) -> Iterable[tuple[str, str]]:
        """Give a function, and its place in the schema, for each rule about the record as a whole."""
        for place, part in enumerate(schema.get("allOf", ())):
            yield self.predicates.function(part), f"/allOf/{place}"
        if "if" in schema:
            branches = {key: schema[key] for key in ("if", "then", "else") if key in schema}
            yield self.predicates.function(branches), "/if"
        for rule in _CONDITIONS:
            if rule in schema:
                yield self.predicates.function({rule: schema[rule]}), f"/{rule}"
        strangers = [name for name in schema.get("required", ()) if name not in schema.get("properties", {})]
        if strangers:
            yield self.predicates.function({"required": strangers}), "/required"
        if "patternProperties" in schema:
            keywords = ("properties", "patternProperties", "additionalProperties")
            names = {key: schema[key] for key in keywords if key in schema}
            yield self.predicates.function(names), "/patternProperties"

    def _annotation(self, schema: Schema | bool, name: str) -> str:
        """Write the type of a value with its constraints; a function around it says the rest."""
        if isinstance(schema, bool):
            return "Any" if schema else f"Annotated[Any, _must({self.predicates.function(schema)}, 'false')]"
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        plain = [kind for kind in kinds if kind != "null"]
        if len(plain) != 1:
            return f"Annotated[Any, _must({self.predicates.function(schema)}, '/type')]"
        kind, held = self._constrained(plain[0], schema, name)
        if "null" in kinds:
            kind = f"{kind} | None"
        if "enum" in held and ("null" in kinds) != (None in schema["enum"]):
            held -= {"enum"}
        rest = {key: value for key, value in schema.items() if key not in held and key not in _SILENT}
        if not rest or rest.keys() <= {"then", "else"}:
            return kind
        rule = "/" + next(iter(rest))
        return f"Annotated[{kind}, _must({self.predicates.function(rest)}, {rule!a})]"

    def _constrained(self, kind: str, schema: Schema, name: str) -> tuple[str, frozenset[str]]:
        """Write a type with what pydantic can hold of its rules, and name the keywords it holds."""
        if kind == "object":
            self.model(name, schema, {}, "A part of a record.")
            return name, frozenset(schema)
        held = {key for key in _NATIVE[kind] if key in schema}
        base = _BASES.get(kind, "list[Any]")
        if kind == "array" and "prefixItems" not in schema:
            base = f"list[{self._annotation(schema.get('items', True), name)}]"
            held.add("items")
        options = schema.get("enum", ())
        if (
            kind == "string"
            and all(isinstance(option, str) or option is None for option in options)
            and options
        ):
            texts = ", ".join(ascii(option) for option in options if option is not None)
            if texts and not held:
                base = f"Literal[{texts}]"
                held.add("enum")
        limits = [f"{_KEPT[key]}={schema[key]!a}" for key in sorted(held & _KEPT.keys())]
        told = ["BeforeValidator(_whole)"] if kind == "integer" else []
        told += [f"Field({', '.join(limits)})"] if limits else []
        return (f"Annotated[{base}, {', '.join(told)}]" if told else base), frozenset(held)


_CHECK_START = (
    '    @model_validator(mode="before")',
    "    @classmethod",
    "    def _conditions(cls, row: Any) -> Any:",
    '        """Judge the record as a whole, before its fields are read."""',
    "        rules: tuple[tuple[Callable[[Any], bool], str], ...] = (",
)
_CHECK_END = (
    "        )",
    "        for judge, rule in rules:",
    "            if not judge(row):",
    "                raise _broken(rule)",
    "        return row",
)


def _attribute(field: str, place: int, taken: Iterable[str]) -> str:
    """Name the attribute of a field: by itself where Python and pydantic let it."""
    plain = _IDENTIFIER.fullmatch(field) and not keyword.iskeyword(field) and not field.startswith("model_")
    if plain and not hasattr(BaseModel, field) and field not in _USED:
        return field
    made = f"field_{place}"
    while made in taken:
        made += "_"
    return made


def _words(note: RecordField | None) -> list[str]:
    if note is None:
        return []
    unit = f" [{note.unit}]" if note.unit is not None else ""
    told = [f"title={join(note.title) + unit!r}"]
    return [*told, f"description={join(note.note)!r}"] if note.note is not None else told


def _docstring(words: str) -> str:
    """Write words as a docstring that nothing in them can end."""
    plain = "".join(sign for sign in " ".join(words.split()) if sign.isprintable())
    plain = plain.replace("\\", "/").replace('"', "'")
    return f'"""{plain}"""'
