"""Where a contract would take an integer beyond 2^53 - 1, which JSON parsers read apart (RFC 7493 s2.2).

A number with limits inside that range is judged by its limits. What is left is asked of each record, and most
contracts leave nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.canonical import MAX_INTEGER
from contracts.schema import Contract

Schema = Mapping[str, Any]  # Any: a JSON Schema


class OpenNumbers:
    """The fields of one contract in which a large number would be valid."""

    def __init__(self, contract: Contract) -> None:
        names = contract.declared()
        properties = contract.record.get("properties", {})
        found = [name for name in names if _is_open(_schema(contract, name))]
        self._names = tuple(found)
        self._everywhere = any(name not in properties for name in found)  # type: ignore[operator]  # a pattern

    @property
    def any(self) -> bool:
        """Say whether there is such a field."""
        return bool(self._names)

    def large(self, record: Mapping[str, Any]) -> Iterator[str]:  # Any: a record holds whatever JSON does
        """Name the fields that hold a number beyond 2^53 - 1 and may."""
        for name in record if self._everywhere else self._names:
            if holds_large(record.get(name)):
                yield name

    def holds_large(self, record: Mapping[str, Any]) -> bool:
        """Say whether there is such a field in this record."""
        return any(True for _ in self.large(record))


def is_large_integer(value: object) -> bool:
    """Say whether an integer beyond 2^53 - 1 is the value or stands in it."""
    if isinstance(value, dict):
        return any(map(is_large_integer, value.values()))
    if isinstance(value, list):
        return any(map(is_large_integer, value))
    return isinstance(value, int) and abs(value) > MAX_INTEGER


def holds_large(value: object) -> bool:
    """Say whether a number beyond 2^53 - 1 is the value or stands in it."""
    if isinstance(value, int | float):
        return not -MAX_INTEGER <= value <= MAX_INTEGER
    if isinstance(value, dict):
        return any(map(holds_large, value.values()))
    return any(map(holds_large, value)) if isinstance(value, list) else False


def _schema(contract: Contract, name: str) -> object:
    for keyword in ("properties", "patternProperties"):
        part = contract.record.get(keyword)
        if isinstance(part, dict) and name in part:
            return part[name]
    return True


def _is_open(schema: object) -> bool:
    if not isinstance(schema, Mapping):
        return schema is not False
    kinds = schema.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds or {"number", "object", "array"})
    return (
        (not kinds.isdisjoint({"number", "integer"}) and not _is_bounded(schema))
        or ("object" in kinds and _takes_open_members(schema))
        or ("array" in kinds and _takes_open_items(schema))
    )


def _is_bounded(schema: Schema) -> bool:
    options = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(options, list):
        return not any(map(holds_large, options))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return low is not None and high is not None and low >= -MAX_INTEGER and high <= MAX_INTEGER


def _takes_open_members(schema: Schema) -> bool:
    members = [*schema.get("properties", {}).values(), *schema.get("patternProperties", {}).values()]
    return schema.get("additionalProperties", True) is not False or any(map(_is_open, members))


def _takes_open_items(schema: Schema) -> bool:
    return any(map(_is_open, [schema.get("items", True), *schema.get("prefixItems", [])]))
