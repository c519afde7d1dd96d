"""Two schemas as one that admits what both admit, as far as their keywords can be joined one by one."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]  # Any: a JSON Schema

_TIGHTER = {
    "minimum": max, "exclusiveMinimum": max, "minLength": max, "minItems": max, "minProperties": max,
    "maximum": min, "exclusiveMaximum": min, "maxLength": min, "maxItems": min, "maxProperties": min,
}  # fmt: skip


def merged(one: Schema | bool, other: Schema | bool) -> dict[str, Any]:
    """Join two schemas; a draw from the result still has to be judged by both."""
    if isinstance(one, bool) or isinstance(other, bool):
        plain = [dict(part) for part in (one, other) if not isinstance(part, bool)]
        return (
            plain[0] if plain and False not in (one, other) else {"not": {}} if False in (one, other) else {}
        )
    made = dict(one)
    for keyword, value in other.items():
        made[keyword] = _joined(keyword, made[keyword], value) if keyword in made else value
    return made


def _joined(  # noqa: PLR0911 - one return for each kind of keyword
    keyword: str, one: Any, other: Any
) -> Any:  # Any: values of one keyword
    if keyword in _TIGHTER:
        return _TIGHTER[keyword](one, other)
    match keyword:
        case "properties":
            return one | {name: merged(one.get(name, True), part) for name, part in other.items()}
        case "items":
            return merged(one, other)
        case "required":
            return list(dict.fromkeys([*one, *other]))
        case "enum":
            return [value for value in one if value in other] or other
        case "type":
            kinds = {one} if isinstance(one, str) else set(one)
            shared = [kind for kind in ([other] if isinstance(other, str) else other) if kind in kinds]
            return shared or other
        case "allOf":
            return [*one, *other]
        case _:
            return other
