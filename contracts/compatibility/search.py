"""Search a JSON value that every one of some schemas admits, or prove that there is none.

Atoms are gathered and a value is built from them; a choice (``anyOf``, a condition, the opposite of several
parts) is opened only when the value breaks it, the one with the fewest ways first. A branch is closed when
its atoms contradict each other. The row engine judges every value, so ``Found`` is never a guess; ``Nothing``
rests on the rules here alone, which is why ``containment`` hears a second prover before it believes it.
"""

from dataclasses import dataclass
from typing import Any

from contracts.compatibility.facts import KINDS, Facts, gather
from contracts.compatibility.judge import admits
from contracts.compatibility.members import (
    candidates,
    field_schemas,
    item_schemas,
    mentioned_names,
    stranger_ways,
)
from contracts.compatibility.numbers import find_broken, find_whole
from contracts.compatibility.outcome import (
    NOTHING,
    UNKNOWN,
    Found,
    GivesUp,
    Outcome,
    Schema,
    Steps,
)
from contracts.compatibility.parts import Parts, alternatives, conjunction, spelling
from contracts.compatibility.texts import find_text

MAX_DEPTH = 60
MAX_ITEMS = 1000
MAX_STEPS = 200_000


def find(schemas: list[Schema], *, steps: int = MAX_STEPS) -> Outcome:
    """Find a value that all schemas admit; Unknown where it cannot read them or would take too long."""
    search = _Search(Steps(steps), mentioned_names(schemas))
    try:
        outcome = search.find(conjunction(schemas))
    except (GivesUp, RecursionError, ArithmeticError, ValueError):
        return UNKNOWN
    if isinstance(outcome, Found) and admits(schemas, outcome.value) is not True:
        return UNKNOWN
    return outcome


@dataclass(frozen=True, slots=True)
class _Choice:
    """The ways of a choice that stay open, and whether these are all there are."""

    ways: list[Parts]
    complete: bool


class _Search:
    """One search; what was found for a conjunction is remembered, as fields meet the same one often."""

    def __init__(self, steps: Steps, mentioned: frozenset[str]) -> None:
        self._steps = steps
        self._mentioned = mentioned
        self._known: dict[frozenset[bytes], Outcome] = {}
        self._depth = 0

    def find(self, parts: Parts) -> Outcome:
        key = frozenset(parts)
        if key not in self._known:
            if self._depth >= MAX_DEPTH:
                return UNKNOWN
            self._depth += 1
            self._known[key] = self._find(parts)
            self._depth -= 1
        return self._known[key]

    def _find(self, parts: Parts) -> Outcome:
        self._steps.take(_weight(parts))
        if _contradicts_itself(parts):
            return NOTHING
        facts = gather(parts)
        if facts.options:
            return self._one_of_options(parts, facts)
        outcome = self._build(facts)
        if outcome == NOTHING:
            return NOTHING
        if isinstance(outcome, Found) and admits(parts.values(), outcome.value) is True:
            return outcome
        choice = self._choose(parts, facts, outcome)
        return UNKNOWN if choice is None else self._branch(choice)

    def _one_of_options(self, parts: Parts, facts: Facts) -> Outcome:
        """Judge each option: a finite list decides everything."""
        verdicts = []
        for option in min(facts.options, key=len):
            self._steps.take(5)
            verdicts.append(admits(parts.values(), option))
            if verdicts[-1]:
                return Found(option)
        return UNKNOWN if None in verdicts else NOTHING

    def _choose(self, parts: Parts, facts: Facts, outcome: Outcome) -> _Choice | None:
        """Choose what the value breaks, with the fewest open ways, or a denial that leaves no choice."""
        best: _Choice | None = None
        # What denies something first: where two versions are alike in a part, that leaves no way at once.
        for part in sorted([*facts.choices, *facts.strangers], key=lambda part: "not" not in part):
            kept = isinstance(outcome, Found) and bool(admits([part], outcome.value))
            if kept and "not" not in part:
                continue
            choice = self._open(parts, facts, part)
            if kept and len(choice.ways) > 1:
                continue
            if best is None or len(choice.ways) < len(best.ways):
                best = choice
            if len(choice.ways) <= 1 and choice.complete:
                break
        return best

    def _open(self, parts: Parts, facts: Facts, part: Schema) -> _Choice:
        listed, complete = alternatives(part), True
        if listed is None:
            listed, complete = stranger_ways(facts, part, self._mentioned, self._steps)
        rest = {key: each for key, each in parts.items() if key != spelling(part)}
        ways = []
        for way in listed:
            self._steps.take(2)
            if _denies_known(way, facts):
                continue
            self._steps.take(_weight(parts))
            joined = {**rest, **conjunction(way)}
            if not _contradicts_itself(joined) and self._build(gather(joined)) != NOTHING:
                ways.append(joined)
        return _Choice(ways, complete)

    def _branch(self, choice: _Choice) -> Outcome:
        outcomes = []
        for way in choice.ways:
            outcomes.append(self.find(way))
            if isinstance(outcomes[-1], Found):
                return outcomes[-1]
        return NOTHING if choice.complete and all(outcome == NOTHING for outcome in outcomes) else UNKNOWN

    def _build(self, facts: Facts) -> Outcome:
        """Build a value from the atoms alone, of the first kind that works."""
        outcomes = []
        for kind in KINDS:
            if kind in facts.kinds:
                outcomes.append(self._build_kind(kind, facts))
                if isinstance(outcomes[-1], Found):
                    return outcomes[-1]
        return NOTHING if all(outcome == NOTHING for outcome in outcomes) else UNKNOWN

    def _build_kind(self, kind: str, facts: Facts) -> Outcome:  # noqa: PLR0911 - one return for each kind
        match kind:
            case "object":
                return self._record(facts)
            case "array":
                return self._list(facts)
            case "string":
                return find_text(facts.text_demand(), self._steps)
            case "integer":
                return find_whole(facts.number_demand())
            case "broken":
                return find_broken(facts.number_demand())
            case "boolean":
                free = [value for value in (True, False) if not any(value is each for each in facts.excluded)]
                return Found(free[0]) if free else NOTHING
            case _:
                return NOTHING if None in facts.excluded else Found(None)

    def _record(self, facts: Facts) -> Outcome:
        most = facts.most("maxProperties")
        if most is not None and most < len(facts.required):
            return NOTHING
        record: dict[str, Any] = {}  # Any: a record holds whatever its schema admits
        unknown = False
        for name in sorted(facts.required):
            value = self.find(conjunction(field_schemas(facts, name)))
            if value == NOTHING:
                return NOTHING
            if isinstance(value, Found):
                record[name] = value.value
            unknown = unknown or value == UNKNOWN
        short = facts.least("minProperties") - len(facts.required)
        if short > 0:
            return UNKNOWN if unknown else self._fill(facts, record, short)
        return UNKNOWN if unknown else Found(record)

    def _fill(self, facts: Facts, record: dict[str, Any], short: int) -> Outcome:  # Any: as in _record
        """Add fields that need not be there until there are enough."""
        tried, complete = candidates(facts, self._mentioned, self._steps)
        for name in tried:
            if short == 0:
                break
            if name in record:
                continue
            value = self.find(conjunction(field_schemas(facts, name)))
            if isinstance(value, Found):
                record[name] = value.value
                short -= 1
            # A name that nobody mentions is one of many like it, of which more could be added.
            spent = name in self._mentioned or not isinstance(value, Found)
            complete = complete and value != UNKNOWN and spent
        if short == 0:
            return Found(record)
        return NOTHING if complete else UNKNOWN

    def _list(self, facts: Facts) -> Outcome:
        least, most = facts.least("minItems"), facts.most("maxItems")
        if most is not None and most < least:
            return NOTHING
        items: list[Any] = []  # Any: an item is whatever its schema admits
        for at in range(min(least, MAX_ITEMS)):
            value = self.find(conjunction(item_schemas(facts, at)))
            if not isinstance(value, Found):
                return value
            items.append(value.value)
        return Found(items) if least <= MAX_ITEMS else UNKNOWN


def _weight(parts: Parts) -> int:
    """Say how many steps it takes to look at a conjunction: large schemas cost the engine time as well."""
    return 10 + sum(map(len, parts)) // 400


def _denies_known(way: list[Schema], facts: Facts) -> bool:
    """Tell whether a way wants a field that breaks the very schema which some shape holds that field to."""
    for each in way:
        for name, schema in each.get("properties", {}).items() if isinstance(each, dict) else ():
            denied = (
                schema.get("not") if isinstance(schema, dict) and name in each.get("required", ()) else None
            )
            if denied is None:
                continue
            held = (shape.get("properties", {}).get(name) for shape in facts.shapes)
            if any(spelling(schema) == spelling(denied) for schema in held if schema is not None):
                return True
    return False


def _contradicts_itself(parts: Parts) -> bool:
    """Tell whether a part and its opposite stand side by side; parts are compared by their spelling."""
    for part in parts.values():
        if part is False:
            return True
        if part.keys() == {"not"} and spelling(part["not"]) in parts:
            return True
        whole = part.get("not")
        several = whole["allOf"] if isinstance(whole, dict) and whole.keys() == {"allOf"} else []
        if several and all(spelling(each) in parts for each in several):
            return True
    return False
