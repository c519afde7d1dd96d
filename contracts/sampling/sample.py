"""Draw values that a schema of the contract dialect admits, from a seeded source of chance.

A draw follows what the schema says of structure and takes the branch of each condition that its own values
lead to; the row engine then judges it, and another one is drawn where it refuses. Nothing here reads a clock.
A schema comes from a stranger: one whose smallest record would be huge gets none.
"""

import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from contracts.canonical import MAX_INTEGER
from contracts.errors import Invalid
from contracts.pattern_tree import Tree, draw, parse
from contracts.sampling.merging import merged
from contracts.schema import compile_schema

Schema = Mapping[str, Any]  # Any: a JSON Schema

MAX_TRIES = 200
MAX_SPENT = 1_000_000  # values and letters of one record
_ABSENT_SHARE = 0.3
_NULL_SHARE = 0.08
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_YEAR_SECONDS = 365 * 86_400
_WORDS = ("river", "ridge", "north", "gate", "lake", "west", "pine", "dam", "source", "hall")


class NoSample(Invalid):
    """No record that the contract admits was found."""

    code = "no-sample"
    title_zh = "找不到满足契约的记录"
    next_zh = "契约的条件可能互相矛盾;检查 if/then 与取值范围。"
    next_en = "The conditions of the contract may contradict each other; look at if/then and the limits."


def sample_record(record: Schema, given: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """Draw one record that the engine admits, with the ``given`` values where they fit; raise NoSample."""
    sampler = Sampler(random.Random(seed))  # noqa: S311 - rows to try things with, no secret
    judge = compile_schema(record)
    for _ in range(MAX_TRIES):
        row: dict[str, Any] = sampler.value(record)
        for name, value in given.items():
            kept = row | {name: value}
            row = kept if judge.is_valid(kept) or not judge.is_valid(row) else row
        if judge.is_valid(row):
            return row
    raise NoSample(f"{MAX_TRIES} draws were all refused")


class Sampler:
    """Draws values for schemas; the same chance gives the same values."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._depth = self._spent = 0

    def value(self, schema: Schema | bool) -> Any:  # Any: what the schema admits
        """Draw one value; the engine has the last word on it. Raise NoSample for one that would be huge."""
        if self._depth == 0:
            self._spent = 0
        self._depth += 1
        try:
            self._spend(1)
            return self._value(schema)
        finally:
            self._depth -= 1

    def _spend(self, count: int) -> None:
        self._spent += count
        if self._spent > MAX_SPENT:
            raise NoSample(f"a record would have more than {MAX_SPENT} values and letters")

    def _value(  # noqa: PLR0911 - one return for each kind of value
        self, schema: Schema | bool
    ) -> Any:  # Any: as above
        if isinstance(schema, bool):
            return self.rng.randint(0, 9)
        if "const" in schema:
            return schema["const"]
        kinds = schema.get("type", ["string"])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if "null" in kinds and (len(kinds) == 1 or self.rng.random() < _NULL_SHARE):
            return None
        plain = [kind for kind in kinds if kind != "null"]
        options = [option for option in schema.get("enum", ()) if option is not None]
        if options:
            return self.rng.choice(options)
        match plain[0]:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
            case "boolean":
                return self.rng.random() < 0.5
            case kind:
                return self._number(schema, whole=kind == "integer")

    def _object(self, schema: Schema) -> dict[str, Any]:
        schema = self._branches(schema)
        required = schema.get("required", ())
        made = {
            name: self.value(part)
            for name, part in schema.get("properties", {}).items()
            if name in required or self.rng.random() > _ABSENT_SHARE
        }
        if {"type", "coordinates"} <= made.keys():
            made = self._geometry(schema, made)
        return self._conditions(schema, made)

    def _branches(self, schema: Schema) -> Schema:
        for part in schema.get("allOf", ()):
            if "if" not in part:
                schema = merged(schema, part)
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                schema = merged(schema, self.rng.choice(schema[keyword]))
        return schema

    def _conditions(self, schema: Schema, made: dict[str, Any]) -> dict[str, Any]:
        """Draw anew what the conditions that these values meet say of other values."""
        for part in (schema, *schema.get("allOf", ())):
            if "if" not in part:
                continue
            branch = part.get("then" if judge_of(part["if"]).is_valid(made) else "else")
            if not isinstance(branch, Mapping) or judge_of(branch).is_valid(made):
                continue
            narrowed = merged(schema, branch)
            for name in dict.fromkeys([*branch.get("required", ()), *branch.get("properties", {})]):
                if name in made or name in branch.get("required", ()):
                    made[name] = self._strictly(narrowed.get("properties", {}).get(name, True))
        for name, needed in schema.get("dependentRequired", {}).items():
            for other in needed if name in made else ():
                if other not in made:
                    made[other] = self.value(schema["properties"][other])
        return made

    def _strictly(self, schema: Schema | bool) -> Any:  # Any: what the schema admits
        for _ in range(8):
            value = self.value(schema)
            if isinstance(schema, bool) or judge_of(schema).is_valid(value):
                return value
        return self.value(schema)

    def _geometry(self, schema: Schema, made: dict[str, Any]) -> dict[str, Any]:
        """Draw a small closed shape where an object looks like a GeoJSON geometry (RFC 7946 s3.1)."""
        x, y = round(self.rng.uniform(97, 122), 4), round(self.rng.uniform(24, 40), 4)
        ring = [[x, y], [round(x + 0.01, 4), y], [round(x + 0.01, 4), round(y + 0.01, 4)], [x, y]]
        shapes = {"Point": ring[0], "LineString": ring[:3], "Polygon": [ring], "MultiPolygon": [[ring]]}
        drawn = made | {"coordinates": shapes.get(str(made["type"]), made["coordinates"])}
        return drawn if judge_of(schema).is_valid(drawn) else made

    def _array(self, schema: Schema) -> list[Any]:
        first = [self.value(part) for part in schema.get("prefixItems", ())]
        low = schema.get("minItems", 0)
        count = self.rng.randint(low, max(low, min(schema.get("maxItems", 3), low + 3)))
        self._spend(low)
        return [*first, *(self.value(schema.get("items", True)) for _ in range(count - len(first)))]

    def _string(self, schema: Schema) -> str:
        low, high = schema.get("minLength", 0), schema.get("maxLength", 10_000)
        self._spend(low)
        if "pattern" in schema:
            tree = _tree(schema["pattern"])
            drawn = (draw(tree, self.rng) for _ in range(20))
            return next((text for text in drawn if low <= len(text) <= high), "")
        match schema.get("format"):
            case "date-time":
                return f"{self.moment():%Y-%m-%dT%H:%M:%SZ}"
            case "date":
                return f"{self.moment():%Y-%m-%d}"
            case "uuid":
                return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        text = f"{self.rng.choice(_WORDS)}-{self.rng.randint(1, 9999)}"
        while len(text) < low:
            text += self.rng.choice("abcdefghijklmnopqrstuvwxyz")
        return text[:high]

    def moment(self) -> datetime:
        """Draw a moment of the year 2026."""
        return _EPOCH + timedelta(seconds=self.rng.randrange(_YEAR_SECONDS))

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        low = _lowest(schema, whole=whole)
        high = max(low, _highest(schema, low, whole=whole))
        # what is measured lies near the foot of its range: rain, dust, flow
        share = self.rng.random() ** 3 if low >= 0 and high - low > 1000 else self.rng.random()
        if whole:
            step = schema.get("multipleOf", 1)
            at = -(-low // step) * step
            return int(at + round(share * max(0, (high - at) // step)) * step)
        value = round(low + share * (high - low), 2)
        if value <= low or value >= high:
            value = low + (high - low) / 2
        return int(value) if value == int(value) and self.rng.random() < 0.5 else value


@lru_cache(maxsize=512)
def _tree(pattern: str) -> Tree:
    return parse(pattern)


def judge_of(schema: Schema | bool) -> jsonschema_rs.Draft202012Validator:
    """Compile a part of a record schema, each once."""
    return _judge(orjson.dumps(schema))


@lru_cache(maxsize=2048)
def _judge(raw: bytes) -> jsonschema_rs.Draft202012Validator:
    schema = orjson.loads(raw)
    return compile_schema(schema if isinstance(schema, dict) else ({} if schema else {"not": {}}))


def _lowest(schema: Schema, *, whole: bool) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    if low is None:
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        return 0 if high is None or high > 0 else int(high) - 1000
    return int(low) + (
        1 if whole and "exclusiveMinimum" in schema and schema["exclusiveMinimum"] >= low else 0
    )


def _highest(schema: Schema, low: int, *, whole: bool) -> int:
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if high is None:
        return min(low + 1000, MAX_INTEGER)
    return int(high) - (
        1 if whole and "exclusiveMaximum" in schema and schema["exclusiveMaximum"] <= high else 0
    )
