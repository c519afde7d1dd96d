"""Which fields and items a value may have, and what each must be.

A name that no schema spells out still fits some patterns and misses others; one name of each such class
stands for all of its class.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from contracts.compatibility.facts import Facts
from contracts.compatibility.judge import admits
from contracts.compatibility.outcome import Found, GivesUp, Nothing, Schema, Steps
from contracts.compatibility.texts import TextDemand, find_text

MAX_PATTERNS = 4


def field_schemas(facts: Facts, name: str) -> list[Schema]:
    """List the schemas that a field's value must meet; False is among them where it may not be there."""
    schemas: list[Schema] = []
    for shape in facts.shapes:
        named = shape.get("properties", {})
        patterns = shape.get("patternProperties", {})
        fitting = [schema for pattern, schema in patterns.items() if _fits(pattern, name)]
        if name in named:
            fitting.append(named[name])
        schemas += fitting or [shape.get("additionalProperties", True)]
    return schemas


def item_schemas(facts: Facts, at: int) -> list[Schema]:
    """List the schemas that the item at a place, counted from 0, must meet."""
    schemas: list[Schema] = []
    for row in facts.rows:
        prefix = row.get("prefixItems", [])
        schemas.append(prefix[at] if at < len(prefix) else row.get("items", True))
    return schemas


def mentioned_names(schemas: Iterable[Schema]) -> frozenset[str]:
    """Collect every field name that schemas mention at any depth, also inside the values they list."""
    found: set[str] = set()
    waiting: list[tuple[Schema, bool]] = [(schema, False) for schema in schemas]
    while waiting:
        item, is_value = waiting.pop()
        if isinstance(item, list):
            waiting += [(each, is_value) for each in item]
        elif isinstance(item, Mapping):
            if is_value:
                found.update(item)
            else:
                found.update(item.get("properties", ()), item.get("required", ()))
                for name, wanted in item.get("dependentRequired", {}).items():
                    found.update((name, *wanted))
            waiting += [(each, is_value or key in {"enum", "const"}) for key, each in item.items()]
    return frozenset(found)


def candidates(facts: Facts, mentioned: frozenset[str], steps: Steps) -> tuple[list[str], bool]:
    """List names to try for a field: all that are mentioned, and one of each class of names that are not.

    The second value says whether these are all classes. A name that is mentioned or in use stands for itself
    alone, as a rule that is not opened yet may treat it apart.
    """
    shapes = [*facts.shapes, *(stranger["not"] for stranger in facts.strangers)]
    patterns = sorted({pattern for shape in shapes for pattern in shape.get("patternProperties", {})})
    known = mentioned.union(facts.required, *(shape.get("properties", {}) for shape in facts.shapes))
    found = sorted(known)
    complete = len(patterns) <= MAX_PATTERNS
    for fitted in _subsets(patterns, len(patterns) if complete else 1):
        demand = TextDemand(
            least=0 if fitted else 1,
            patterns=frozenset(fitted),
            not_patterns=frozenset(patterns) - frozenset(fitted),
            excluded=known,
        )
        outcome = find_text(demand, steps)
        if isinstance(outcome, Found):
            found.append(outcome.value)
        complete = complete and isinstance(outcome, Found | Nothing)
    return found, complete


def _subsets(patterns: list[str], largest: int) -> Iterator[tuple[str, ...]]:
    for size in range(largest + 1):
        yield from combinations(patterns, size)


def stranger_ways(
    facts: Facts, part: Schema, mentioned: frozenset[str], steps: Steps
) -> tuple[list[list[Schema]], bool]:
    """List how a record has a field, or a list an item, that breaks a rule for those not spelled out.

    The second value says whether these are all ways.
    """
    rule: Mapping[str, Schema] = part["not"]
    if "items" in rule:
        return _item_ways(facts, rule), True
    tried, complete = candidates(facts, mentioned, steps)
    broken = [(name, schema) for name in tried for schema in _rules_for(rule, name)]
    return [
        [{"required": [name], "properties": {name: {"not": schema}}}] for name, schema in broken
    ], complete


def _rules_for(rule: Mapping[str, Schema], name: str) -> list[Schema]:
    """List the schemas that a rule holds a field to, apart from those that admit all."""
    if name in rule.get("properties", {}):
        return []
    patterns = rule.get("patternProperties", {})
    fitting = [schema for pattern, schema in patterns.items() if _fits(pattern, name)]
    return [schema for schema in fitting or [rule.get("additionalProperties", True)] if schema is not True]


def _item_ways(facts: Facts, rule: Mapping[str, Schema]) -> list[list[Schema]]:
    first = len(rule.get("prefixItems", []))
    beyond = max((len(row.get("prefixItems", [])) for row in facts.rows), default=0)
    last = max(first, beyond) + len(facts.strangers)
    return [
        [{"minItems": at + 1, "prefixItems": [True] * at + [{"not": rule["items"]}]}]
        for at in range(first, last + 1)
    ]


def _fits(pattern: str, name: str) -> bool:
    """Tell whether a name fits a pattern; raise GivesUp where the row engine does not take the pattern."""
    verdict = admits([{"pattern": pattern}], name)
    if verdict is None:
        raise GivesUp
    return verdict
