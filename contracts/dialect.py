"""The part of JSON Schema 2020-12 that a contract may use, and the reasons for refusing the rest.

A partner's contract is untrusted input. The dialect admits keywords on which independent engines agree, keeps
every size bounded, resolves no reference, and demands that each record is closed (``additionalProperties``
false) and each field has one type, so that a record has one meaning and one column layout.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.canonical import MAX_INTEGER
from contracts.pattern import pattern_fault

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FORMATS = frozenset({"date-time", "date", "uuid"})
TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array"})
MAX_SCHEMA_DEPTH = 12
MAX_NODES = 4000
MAX_FIELDS = 400
MAX_OPTIONS = 2000

_SCALARS = frozenset(
    {"$schema", "title", "description", "$comment", "type", "required", "additionalProperties"}
    | {"minProperties", "maxProperties", "dependentRequired", "enum", "const", "multipleOf"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
    | {"minLength", "maxLength", "pattern", "format"}
)
_SCHEMA_MAPS = frozenset({"properties", "patternProperties"})
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset({"items", "not", "if", "then", "else"})
_CONDITIONS = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
KEYWORDS = _SCALARS | _SCHEMA_MAPS | _SCHEMA_LISTS | _SCHEMAS


@dataclass(frozen=True, slots=True)
class Reason:
    """One place where a schema leaves the dialect; ``pointer`` is a JSON Pointer into the schema."""

    pointer: str
    zh: str
    en: str

    def __str__(self) -> str:
        """Write the reason on one line."""
        return f"{self.pointer or '/'}: {self.en}"


@dataclass(frozen=True, slots=True)
class _Place:
    pointer: str
    depth: int
    structural: bool  # says how a record is built, rather than a condition on it

    def below(self, *tokens: object, structural: bool) -> "_Place":
        path = "".join("/" + pointer_token(str(token)) for token in tokens)
        return _Place(self.pointer + path, self.depth + 1, self.structural and structural)

    def reason(self, zh: str, en: str) -> Reason:
        return Reason(self.pointer, zh, en)


def pointer_token(text: str) -> str:
    """Escape one reference token (RFC 6901 s3)."""
    return text.replace("~", "~0").replace("/", "~1")


def pointer_text(token: str) -> str:
    """Read one reference token (RFC 6901 s4)."""
    return token.replace("~1", "/").replace("~0", "~")


def lint(record: Mapping[str, object]) -> list[Reason]:
    """List every way in which a record schema leaves the dialect; an empty list admits it."""
    reasons: list[Reason] = []
    for nodes, (place, schema) in enumerate(_walk(_Place("", 0, structural=True), record)):
        if nodes > MAX_NODES:
            reasons.append(place.reason("模式过大", f"the schema has more than {MAX_NODES} parts"))
            break
        reasons.extend(_judge(place, schema))
    reasons.extend(_judge_root(record))
    return reasons


def _walk(place: _Place, schema: object) -> Iterator[tuple[_Place, object]]:
    yield place, schema
    if not isinstance(schema, Mapping) or place.depth >= MAX_SCHEMA_DEPTH:
        return
    for keyword, value in schema.items():
        structural = keyword not in _CONDITIONS
        if keyword in _SCHEMA_MAPS and isinstance(value, Mapping):
            for name, child in value.items():
                yield from _walk(place.below(keyword, name, structural=structural), child)
        elif keyword in _SCHEMA_LISTS and isinstance(value, list):
            for index, child in enumerate(value):
                yield from _walk(place.below(keyword, index, structural=structural), child)
        elif keyword in _SCHEMAS:
            yield from _walk(place.below(keyword, structural=structural), value)


def _judge(place: _Place, schema: object) -> Iterator[Reason]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield place.reason("此处应为模式对象", "a schema object belongs here")
        return
    if place.depth >= MAX_SCHEMA_DEPTH:
        yield place.reason("嵌套过深", f"nested deeper than {MAX_SCHEMA_DEPTH}")
    for keyword in map(str, schema):
        if keyword not in KEYWORDS:
            yield place.reason(f"不接受关键字 {keyword}", f"the keyword {keyword[:40]!r} is not admitted")
    yield from _judge_numbers(place, schema)
    yield from _judge_text(place, schema)
    yield from _judge_shape(place, schema)


def _judge_numbers(place: _Place, schema: Mapping[str, object]) -> Iterator[Reason]:
    if any(_holds_float(value) for keyword, value in schema.items() if keyword in _SCALARS):
        yield place.reason("数值须为整数", "a number in a contract is a whole number below 2^53")
    multiple = schema.get("multipleOf")
    if multiple is not None and (not isinstance(multiple, int) or "integer" not in _types(schema)):
        yield place.reason("multipleOf 只用于整数", "multipleOf takes a whole number, on an integer field")
    options = schema.get("enum")
    if isinstance(options, list) and len(options) > MAX_OPTIONS:
        yield place.reason("枚举值过多", f"more than {MAX_OPTIONS} options")


def _holds_float(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_holds_float, value))
    if isinstance(value, Mapping):
        return any(map(_holds_float, value.values()))
    return isinstance(value, float) or (isinstance(value, int) and abs(value) > MAX_INTEGER)


def _judge_text(place: _Place, schema: Mapping[str, object]) -> Iterator[Reason]:
    patterns = [schema.get("pattern"), *_keys(schema.get("patternProperties"))]
    for pattern in patterns:
        fault = pattern_fault(pattern) if isinstance(pattern, str) else None
        if fault is not None:
            yield place.reason("正则表达式不在允许范围内", f"the pattern {fault}")
    wanted = schema.get("format")
    if wanted is not None and wanted not in FORMATS:
        yield place.reason("format 仅限 date-time、date、uuid", "format is one of date-time, date, uuid")
    if schema.get("$schema", DRAFT) != DRAFT:
        yield place.reason("仅支持 2020-12 版", "the only dialect is JSON Schema 2020-12")


def _judge_shape(place: _Place, schema: Mapping[str, object]) -> Iterator[Reason]:
    names = _keys(schema.get("properties"))
    if not all(isinstance(name, str) and name.isascii() and name.isprintable() for name in names):
        yield place.reason("字段名须为可见 ASCII 字符", "field names are printable ASCII")
    extra = schema.get("additionalProperties")
    if extra is not None and not isinstance(extra, bool):
        yield place.reason("additionalProperties 须为 true 或 false", "additionalProperties is true or false")
    if not place.structural:
        return
    if "object" in _types(schema) and extra is None:
        yield place.reason("须写明 additionalProperties", "additionalProperties must be written out")
    if "array" in _types(schema) and not {"items", "maxItems"} <= schema.keys():
        yield place.reason("数组须写明 items 与 maxItems", "an array needs items and maxItems")


def _judge_root(record: Mapping[str, object]) -> Iterator[Reason]:
    root = _Place("", 0, structural=True)
    if record.get("type") != "object" or record.get("additionalProperties") is not False:
        yield root.reason("记录须为封闭对象", "a record is an object with additionalProperties false")
    fields = {
        (keyword, name): schema
        for keyword in ("properties", "patternProperties")
        for name, schema in _items(record.get(keyword))
    }
    if not 0 < len(fields) <= MAX_FIELDS:
        yield root.reason("字段数不合要求", f"a record has 1 to {MAX_FIELDS} fields")
    required = record.get("required")
    required = required if isinstance(required, list) else []
    for (keyword, name), schema in fields.items():
        place = root.below(keyword, name, structural=True)
        yield from _judge_field(place, schema, optional=name not in required)


def _judge_field(place: _Place, schema: object, *, optional: bool) -> Iterator[Reason]:
    if not isinstance(schema, Mapping):
        yield place.reason("字段须有模式", "a field needs a schema object")
        return
    kinds = _types(schema)
    if len(kinds - {"null"}) != 1 or not kinds - {"null"} <= TYPES:
        yield place.reason("字段须有唯一类型(可另加 null)", "a field has one type, and may add null")
    if optional and "null" not in kinds:
        yield place.reason("可缺省字段须允许 null", "an optional field admits null")
    if "integer" in kinds and not {"minimum", "maximum"} <= schema.keys():
        yield place.reason("整数字段须有上下限", "an integer field needs minimum and maximum")


def _types(schema: Mapping[str, object]) -> frozenset[str]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return frozenset({kind})
    return frozenset(str(item) for item in kind) if isinstance(kind, list) else frozenset()


def _keys(value: object) -> list[object]:
    return list(value) if isinstance(value, Mapping) else []


def _items(value: object) -> list[tuple[str, object]]:
    return [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []
