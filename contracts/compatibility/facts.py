"""What the parts of a conjunction say of one value, gathered by kind of value.

Only atoms are gathered; a part with alternatives waits for the search to choose. A keyword that is not read
here is left out: that can only admit more, so a proof that nothing fits stays a proof, and what is found is
judged by the row engine anyway.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor
from typing import Any

from contracts.compatibility.numbers import NumberDemand
from contracts.compatibility.outcome import Schema
from contracts.compatibility.parts import ROW, SHAPE, Parts, alternatives
from contracts.compatibility.texts import TextDemand

KINDS = ("object", "string", "integer", "broken", "array", "boolean", "null")
_READS_AS = {"number": ("integer", "broken")}


@dataclass(slots=True)
class Facts:
    """What is known of a value; a limit of None is no limit. ``broken`` is a number that is not whole."""

    kinds: set[str] = field(default_factory=lambda: set(KINDS))
    options: list[list[Any]] = field(default_factory=list)
    excluded: list[Any] = field(default_factory=list)
    numbers: dict[str, list[Fraction]] = field(default_factory=dict)
    texts: dict[str, set[str]] = field(default_factory=dict)
    limits: dict[str, list[int]] = field(default_factory=dict)
    shapes: list[Schema] = field(default_factory=list)
    required: set[str] = field(default_factory=set)
    rows: list[Schema] = field(default_factory=list)
    strangers: list[Schema] = field(
        default_factory=list
    )  # records with a field outside, or rows with an item
    choices: list[Schema] = field(default_factory=list)

    def least(self, keyword: str) -> int:
        """Give the highest of the lower limits, or 0."""
        return max(self.limits.get(keyword, []), default=0)

    def most(self, keyword: str) -> int | None:
        """Give the lowest of the upper limits."""
        return min(self.limits.get(keyword, []), default=None)

    def number_demand(self) -> NumberDemand:
        """Put what is known of a number together."""
        lows = [(n, False) for n in self.numbers.get("minimum", [])]
        lows += [(n, True) for n in self.numbers.get("exclusiveMinimum", [])]
        highs = [(n, False) for n in self.numbers.get("maximum", [])]
        highs += [(n, True) for n in self.numbers.get("exclusiveMaximum", [])]
        least, least_open = max(lows, default=(None, False))
        most, most_open = min(highs, key=lambda bound: (bound[0], not bound[1]), default=(None, False))
        return NumberDemand(
            least=least,
            least_open=least_open,
            most=most,
            most_open=most_open,
            multiples=tuple(self.numbers.get("multipleOf", [])),
            not_multiples=tuple(self.numbers.get("not multipleOf", [])),
            excluded=frozenset(exact(v) for v in self.excluded if is_number(v)),
        )

    def text_demand(self) -> TextDemand:
        """Put what is known of a text together."""
        return TextDemand(
            least=self.least("minLength"),
            most=self.most("maxLength"),
            patterns=frozenset(self.texts.get("pattern", ())),
            not_patterns=frozenset(self.texts.get("not pattern", ())),
            formats=frozenset(self.texts.get("format", ())),
            not_formats=frozenset(self.texts.get("not format", ())),
            excluded=frozenset(v for v in self.excluded if isinstance(v, str)),
        )


def gather(parts: Parts) -> Facts:
    """Gather the atoms of a conjunction; the parts that have alternatives are listed as choices."""
    facts = Facts()
    for part in parts.values():
        if part is False:
            facts.kinds.clear()
        elif alternatives(part) is not None:
            facts.choices.append(part)
        elif part.keys() == {"not"}:
            _gather_opposite(facts, part["not"], part)
        else:
            _gather(facts, part)
    return facts


def is_number(value: object) -> bool:
    """Tell whether a JSON value is a number: Python counts booleans among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def exact(number: float) -> Fraction:
    """Read a JSON number as it is written, so that 0.1 is a tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _gather(facts: Facts, part: Mapping[str, Any]) -> None:  # Any: a JSON Schema
    keyword, value = next(iter(part.items()))
    match keyword:
        case "type":
            facts.kinds &= _kinds_of(value)
        case "enum":
            facts.options.append(value)
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf":
            facts.numbers.setdefault(keyword, []).append(exact(value))
        case "pattern" | "format":
            facts.texts.setdefault(keyword, set()).add(value)
        case "minLength" | "minItems" | "minProperties":
            facts.limits.setdefault(keyword, []).append(ceil(value))
        case "maxLength" | "maxItems" | "maxProperties":
            facts.limits.setdefault(keyword, []).append(floor(value))
        case "required":
            facts.required.update(value)
        case _ if keyword in SHAPE:
            facts.shapes.append(part)
        case _ if keyword in ROW:
            facts.rows.append(part)
        case _:
            pass  # left out, see above


def _gather_opposite(facts: Facts, inner: Mapping[str, Any], part: Schema) -> None:  # Any: a JSON Schema
    keyword, value = next(iter(inner.items()))
    match keyword:
        case "type":
            facts.kinds -= _kinds_of(value)
        case "enum":
            facts.excluded.extend(value)
        case "multipleOf":
            facts.numbers.setdefault("not multipleOf", []).append(exact(value))
        case "pattern" | "format":
            facts.texts.setdefault(f"not {keyword}", set()).add(value)
        case _ if keyword in SHAPE or keyword in ROW:
            facts.strangers.append(part)
        case _:
            pass  # left out, see above


def _kinds_of(value: str | Iterable[str]) -> set[str]:
    listed = [value] if isinstance(value, str) else value
    return {kind for name in listed for kind in _READS_AS.get(name, (name,))}
