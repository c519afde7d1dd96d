"""What a change of the quality rules does: a rule that finds less, or weighs less, takes from its users.

Rules are matched by id. A rule of another kind, or about other fields where the fields are what it says, is
another rule. A threshold has one direction in which the rule finds more; anything else counts as taken.
"""

from collections.abc import Iterator
from decimal import Decimal

from contracts.compatibility.change import Change, Effect, change
from contracts.messages import Wire
from contracts.promises import QualityRule, Severity
from contracts.schema import Contract

_WEIGHT = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}
_FINDS_MORE_WHEN_HIGHER = {
    ("complete-series", "minimum_percent"): True,
    ("timely", "within_seconds"): False,
    ("stuck", "records"): False,
    ("ordered", "tolerance"): False,
    ("plausible", "minimum"): True,
    ("plausible", "maximum"): False,
    ("jump", "more_than"): False,
    ("jump", "within_seconds"): True,
    ("missing", "maximum_percent"): False,
}
_LISTS = frozenset({"fields", "values"})
_WORDS = frozenset({"title"})


def rule_changes(old: Contract, new: Contract) -> Iterator[Change]:
    """List the changes of the quality rules, by id."""
    before = {rule.id: rule for rule in old.quality}
    after = {rule.id: rule for rule in new.quality}
    for name in sorted(before.keys() | after.keys()):
        past, present = before.get(name), after.get(name)
        if past is None or present is None:
            added = past is None
            ways = ("增加", "added") if added else ("取消", "dropped")
            yield change(
                f"/quality/{name}",
                Effect.GIVES if added else Effect.TAKES,
                before=past.kind if past else None,
                after=present.kind if present else None,
                zh=f"质量规则 {name} {ways[0]}",
                en=f"quality rule {name} {ways[1]}",
            )
        else:
            yield from _one_rule(past, present)


def _one_rule(old: QualityRule, new: QualityRule) -> Iterator[Change]:
    before, after = _said(old), _said(new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield change(
                f"/quality/{old.id}/{name}",
                _effect(old, new, name),
                before=before.get(name),
                after=after.get(name),
                zh=f"质量规则 {old.id} 的 {name}",
                en=f"{name} of quality rule {old.id}",
            )


def _said(rule: Wire) -> dict[str, object]:
    return rule.model_dump(mode="json")


def _effect(old: QualityRule, new: QualityRule, name: str) -> Effect:
    if name in _WORDS:
        return Effect.WORDS
    if old.kind != new.kind:
        return Effect.TAKES
    before, after = getattr(old, name, None), getattr(new, name, None)
    if name == "severity":
        gives = _WEIGHT[new.severity] > _WEIGHT[old.severity]
    elif name == "event":
        gives = new.event
    elif name in _LISTS and old.kind != "duplicate":
        gives = set(before or ()) < set(after or ())
    elif (old.kind, name) in _FINDS_MORE_WHEN_HIGHER:
        gives = _finds_more(old.kind, name, before, after)
    else:
        gives = False
    return Effect.GIVES if gives else Effect.TAKES


def _finds_more(kind: str, name: str, before: object, after: object) -> bool:
    """Say whether a threshold moved so that the rule finds more.

    A missing bound of what is plausible finds least; a jump without ``within_seconds`` looks at any two
    records that follow one another, so there a missing limit finds most.
    """
    if before is None or after is None:
        return after is None if name == "within_seconds" else before is None
    return (Decimal(str(after)) > Decimal(str(before))) is _FINDS_MORE_WHEN_HIGHER[kind, name]
