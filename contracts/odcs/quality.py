"""Quality rules as ODCS data quality checks (ODCS 3.1.0, Data Quality), and back.

A rule for which ODCS has a library metric is written with it, so that other tools can run it; every other
one is a ``custom`` check of the engine ``headwaters``, whose implementation is the rule as the contract has
it: named limits and fields, never an expression.
"""

from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from contracts.bilingual import join
from contracts.odcs.faults import OdcsRefused
from contracts.odcs.shape import VENDOR, Edition, Entry, custom
from contracts.promises import DIMENSIONS, Duplicate, Missing, QualityRule

RULE = "rule"
_RULES: TypeAdapter[QualityRule] = TypeAdapter(QualityRule)


def rule_check(rule: QualityRule, edition: Edition) -> Entry:
    """Write a rule as a check of the whole schema."""
    entry = _named(rule)
    told = rule.model_dump(mode="json", exclude_defaults=True) | {"kind": rule.kind}
    if isinstance(rule, Duplicate):
        return entry | {
            "type": "library",
            "metric": "duplicateValues",
            "arguments": {"properties": list(rule.fields)},
            "mustBe": 0,
            "unit": "rows",
            "customProperties": [custom(edition, RULE, told)],
        }
    return entry | {"type": "custom", "engine": VENDOR, "implementation": told}


def field_checks(rules: list[QualityRule], name: str) -> list[Entry]:
    """Write for one field what ODCS can check of rules that stand beside it."""
    return [
        _named(rule)
        | {
            "id": f"{rule.id}-{rule.fields.index(name) + 1}",
            "type": "library",
            "metric": "nullValues",
            "mustBeLessOrEqualTo": rule.maximum_percent,
            "unit": "percent",
        }
        for rule in rules
        if isinstance(rule, Missing) and name in rule.fields
    ]


def read_rule(entry: Entry) -> QualityRule | None:
    """Read a check of ours; None for another engine's; raise OdcsRefused for a broken one."""
    if entry.get("type") == "custom" and entry.get("engine") == VENDOR:
        told = entry.get("implementation")
    else:
        told = next(_marked(entry), None)
    if told is None:
        return None
    try:
        return _RULES.validate_json(orjson.dumps(told))
    except (ValidationError, TypeError) as error:
        raise OdcsRefused(f"the quality rule {str(entry.get('id'))[:60]!r} is not one of ours") from error


def _named(rule: QualityRule) -> Entry:
    return {
        "id": rule.id,
        "name": join(rule.title),
        "dimension": DIMENSIONS[rule.kind].value,
        "severity": rule.severity.value,
    }


def _marked(entry: Entry) -> Iterator[Any]:
    parts = entry.get("customProperties")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and part.get("property") == RULE:
            yield part.get("value")
