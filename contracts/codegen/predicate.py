"""Conditions of a schema as Python source: one function for each schema, calling nothing but its siblings.

The functions say what JSON Schema 2020-12 says (validation vocabulary, with 5.0 an integer and True no
number); patterns run in the linear-time engine that pydantic carries. Every name and value of the contract
stands in the source as a literal.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]  # Any: a JSON Schema

PRELUDE = """

def _is(value: Any, kinds: tuple[str, ...]) -> bool:
    match value:
        case None:
            return "null" in kinds
        case bool():
            return "boolean" in kinds
        case int():
            return "integer" in kinds or "number" in kinds
        case float():
            return math.isfinite(value) and ("number" in kinds or ("integer" in kinds and value.is_integer()))
        case str():
            return "string" in kinds
        case dict():
            return "object" in kinds
        case list():
            return "array" in kinds
    return False


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _among(value: Any, options: tuple[Any, ...]) -> bool:
    return any(_same(value, option) for option in options)


def _text(pattern: str) -> Any:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, strict=True)).isinstance_python


_DATE = _text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_TIME = _text(
    r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_UUID = _text(r"^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$")


def _is_date(text: str) -> bool:
    if not _DATE(text):
        return False
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:])
    # the calendar repeats every 400 years, and the year 0000 is a leap year
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year % 400 + 400, month)[1]


def _is_date_time(text: str) -> bool:
    time = text[11:]
    if not (_is_date(text[:10]) and text[10:11] in ("T", "t") and _TIME(time)):
        return False
    if time[6:8] != "60":
        return True
    # a leap second stands at the end of a UTC day (RFC 3339 s5.7)
    minutes = int(time[:2]) * 60 + int(time[3:5])
    if time[-1] not in "Zz":
        shift = int(time[-5:-3]) * 60 + int(time[-2:])
        minutes += shift if time[-6] == "-" else -shift
    return minutes % 1440 == 1439


def _is_uuid(text: str) -> bool:
    return bool(_UUID(text))


def _broken(rule: str) -> PydanticCustomError:
    return PydanticCustomError("contract", "breaks the rule {rule} of the contract", {"rule": rule})


def _must(judge: Callable[[Any], bool], rule: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not judge(value):
            raise _broken(rule)
        return value

    return BeforeValidator(check)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Number = int | Annotated[float, Field(allow_inf_nan=False)]
"""

FORMATS = {"date-time": "_is_date_time", "date": "_is_date", "uuid": "_is_uuid"}
_COMPARED = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_LENGTHS = {
    "minLength": ("str", ">="), "maxLength": ("str", "<="),
    "minItems": ("list", ">="), "maxItems": ("list", "<="),
    "minProperties": ("dict", ">="), "maxProperties": ("dict", "<="),
}  # fmt: skip


class Predicates:
    """Collects the functions that a module needs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0
        self._patterns: dict[str, str] = {}

    def function(self, schema: Schema | bool) -> str:
        """Write a function that tells whether a value fits a schema, and give its name."""
        body = [repr(schema)] if isinstance(schema, bool) else list(self._clauses(schema)) or ["True"]
        self._count += 1
        name = f"_fits_{self._count}"
        joined = "\n        and ".join(body)
        self.lines += ["", "", f"def {name}(v: Any) -> bool:", "    return (", f"        {joined}", "    )"]
        return name

    def pattern(self, pattern: str) -> str:
        """Write a compiled pattern once, and give its name."""
        if pattern not in self._patterns:
            name = f"_PATTERN_{len(self._patterns) + 1}"
            self._patterns[pattern] = name
            self.lines += ["", "", f"{name} = _text({pattern!a})"]
        return self._patterns[pattern]

    def _clauses(self, schema: Schema) -> Iterator[str]:
        if "type" in schema:
            kinds = schema["type"]
            yield f"_is(v, {tuple([kinds] if isinstance(kinds, str) else kinds)!a})"
        if "const" in schema:
            yield f"_same(v, {schema['const']!a})"
        if "enum" in schema:
            yield f"_among(v, {tuple(schema['enum'])!a})"
        for keyword, sign in _COMPARED.items():
            if keyword in schema:
                yield f"(not _number(v) or v {sign} {schema[keyword]!a})"
        if "multipleOf" in schema:
            yield f"(not _number(v) or v % {schema['multipleOf']!a} == 0)"
        for keyword, (kind, sign) in _LENGTHS.items():
            if keyword in schema:
                yield f"(not isinstance(v, {kind}) or len(v) {sign} {schema[keyword]!a})"
        if "pattern" in schema:
            yield f"(not isinstance(v, str) or {self.pattern(schema['pattern'])}(v))"
        if schema.get("format") in FORMATS:
            yield f"(not isinstance(v, str) or {FORMATS[schema['format']]}(v))"
        yield from self._object_clauses(schema)
        yield from self._array_clauses(schema)
        yield from self._joined_clauses(schema)

    def _object_clauses(self, schema: Schema) -> Iterator[str]:
        for name in schema.get("required", ()):
            yield f"(not isinstance(v, dict) or {name!a} in v)"
        for name, part in schema.get("properties", {}).items():
            judge = self.function(part)
            yield f"(not isinstance(v, dict) or {name!a} not in v or {judge}(v[{name!a}]))"
        for name, needed in schema.get("dependentRequired", {}).items():
            yield f"(not isinstance(v, dict) or {name!a} not in v or {set(needed) or {name}!a} <= v.keys())"
        judges = {
            p: (self.pattern(p), self.function(s)) for p, s in schema.get("patternProperties", {}).items()
        }
        for admits, judge in judges.values():
            yield f"(not isinstance(v, dict) or all({judge}(v[n]) for n in v if {admits}(n)))"
        if schema.get("additionalProperties") is False:
            known = ascii(tuple(schema.get("properties", {})))
            others = "".join(f" or {admits}(n)" for admits, _ in judges.values())
            yield f"(not isinstance(v, dict) or all(n in {known}{others} for n in v))"

    def _array_clauses(self, schema: Schema) -> Iterator[str]:
        first = schema.get("prefixItems", ())
        for place, part in enumerate(first):
            yield f"(not isinstance(v, list) or len(v) <= {place} or {self.function(part)}(v[{place}]))"
        if "items" in schema:
            yield f"(not isinstance(v, list) or all(map({self.function(schema['items'])}, v[{len(first)}:])))"

    def _joined_clauses(self, schema: Schema) -> Iterator[str]:
        for part in schema.get("allOf", ()):
            yield f"{self.function(part)}(v)"
        if "anyOf" in schema:
            yield "(" + " or ".join(f"{self.function(part)}(v)" for part in schema["anyOf"]) + ")"
        if "oneOf" in schema:
            judges = ", ".join(f"{self.function(part)}(v)" for part in schema["oneOf"])
            yield f"sum(({judges},)) == 1"
        if "not" in schema:
            yield f"not {self.function(schema['not'])}(v)"
        if "if" in schema:
            then, other = self.function(schema.get("then", True)), self.function(schema.get("else", True))
            yield f"({then}(v) if {self.function(schema['if'])}(v) else {other}(v))"
