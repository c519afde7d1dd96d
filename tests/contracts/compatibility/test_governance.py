"""What is promised beyond the shape of a record: what takes away is major, what only gives is minor."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from contracts.compatibility.bump import Bump
from contracts.compatibility.comparison import Verdict, compare
from contracts.schema import parse_contract

Make = Callable[..., dict[str, Any]]

SERVICE = {
    "latency_seconds": 7200,
    "completeness_percent": 90,
    "retention_days": 1000,
    "frequency_seconds": 3600,
}
SERIES = {"time": "keeper", "by": ["code"], "step_seconds": 3600, "zone": "+08:00"}
AREAS = {"list_id": "gbt-2260", "edition": "2023", "title": {"zh": "区划", "en": "areas"}, "fields": ["code"]}
TITLE = {"zh": "规则", "en": "rule"}
STUCK = {"id": "stuck", "kind": "stuck", "title": TITLE, "fields": ["level"], "records": 6}
ODD = {"id": "odd", "kind": "plausible", "title": TITLE, "field": "level", "minimum": "-1", "maximum": "50"}
JUMP = {
    "id": "jump",
    "kind": "jump",
    "title": TITLE,
    "field": "level",
    "more_than": "5",
    "within_seconds": 3600,
}

TAKES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another id": ({}, {"id": "lake-level"}),
    "a stricter sharing class": ({"sharing": "unconditional"}, {"sharing": "conditional"}),
    "a sharing class left to each dataset": ({"sharing": "unconditional"}, {}),
    "a sharing class that each dataset said": ({}, {"sharing": "not-shared"}),
    "a higher class of the dataset": ({}, {"classification": 3}),
    "purposes where any was good": ({}, {"purposes": ["research"]}),
    "a purpose less": ({"purposes": ["research", "alarm"]}, {"purposes": ["research"]}),
    "a purpose exchanged": ({"purposes": ["research"]}, {"purposes": ["alarm"]}),
    "a longer latency": ({"service": SERVICE}, {"service": SERVICE | {"latency_seconds": 14_400}}),
    "a shorter retention": ({"service": SERVICE}, {"service": SERVICE | {"retention_days": 365}}),
    "a lower completeness": ({"service": SERVICE}, {"service": SERVICE | {"completeness_percent": 80}}),
    "rarer releases": ({"service": SERVICE}, {"service": SERVICE | {"frequency_seconds": 86_400}}),
    "a service level withdrawn": ({"service": SERVICE}, {"service": {"latency_seconds": 7200}}),
    "another edition of codes": ({"codes": [AREAS]}, {"codes": [AREAS | {"edition": "2013"}]}),
    "a code list dropped": ({"codes": [AREAS]}, {}),
    "another edition of a standard": ({}, {"editions": ["GB/T 2260, 2024"]}),
    "another key": ({"key": ["code"]}, {"key": ["code", "keeper"]}),
    "another step": ({"series": SERIES}, {"series": SERIES | {"step_seconds": 1800}}),
    "another zone": ({"series": SERIES}, {"series": SERIES | {"zone": "+00:00"}}),
    "a weaker promise of compatibility": ({}, {"compatibility": "none"}),
    "a rule dropped": ({"quality": [STUCK]}, {}),
    "a rule that weighs less": ({"quality": [STUCK | {"severity": "error"}]}, {"quality": [STUCK]}),
    "a rule without its event": ({"quality": [STUCK | {"event": True}]}, {"quality": [STUCK]}),
    "a rule that finds later": ({"quality": [STUCK]}, {"quality": [STUCK | {"records": 12}]}),
    "wider plausible bounds": ({"quality": [ODD]}, {"quality": [ODD | {"maximum": "60"}]}),
    "a plausible bound dropped": (
        {"quality": [ODD]},
        {"quality": [{k: ODD[k] for k in ODD if k != "minimum"}]},
    ),
    "jumps within a shorter time": ({"quality": [JUMP]}, {"quality": [JUMP | {"within_seconds": 600}]}),
    "a rule of another kind": ({"quality": [STUCK]}, {"quality": [JUMP | {"id": "stuck"}]}),
}
GIVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a looser sharing class": ({"sharing": "conditional"}, {"sharing": "unconditional"}),
    "a lower class of the dataset": ({"classification": 3}, {"classification": 2}),
    "any purpose": ({"purposes": ["research"]}, {}),
    "a purpose more": ({"purposes": ["research"]}, {"purposes": ["research", "alarm"]}),
    "a shorter latency": ({"service": SERVICE}, {"service": SERVICE | {"latency_seconds": 3600}}),
    "a first service level": ({}, {"service": SERVICE}),
    "a code list": ({}, {"codes": [AREAS]}),
    "an edition of a standard more": ({}, {"editions": ["GB/T 2260, 2023", "HJ 633-2026"]}),
    "a first key": ({}, {"key": ["code"]}),
    "a first series": ({}, {"series": SERIES}),
    "a stronger promise of compatibility": ({}, {"compatibility": "full"}),
    "a rule": ({}, {"quality": [STUCK]}),
    "a rule that weighs more": ({"quality": [STUCK]}, {"quality": [STUCK | {"severity": "error"}]}),
    "a rule with an event": ({"quality": [STUCK]}, {"quality": [STUCK | {"event": True}]}),
    "a rule that finds earlier": ({"quality": [STUCK]}, {"quality": [STUCK | {"records": 4}]}),
    "a plausible bound": ({"quality": [{k: ODD[k] for k in ODD if k != "minimum"}]}, {"quality": [ODD]}),
    "jumps within any time": (
        {"quality": [JUMP]},
        {"quality": [{k: JUMP[k] for k in JUMP if k != "within_seconds"}]},
    ),
    "a rule on one field more": ({"quality": [STUCK]}, {"quality": [STUCK | {"fields": ["level", "code"]}]}),
}
WORDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a description": ({}, {"description": {"zh": "河流水位", "en": "levels of rivers"}}),
    "a theme": ({}, {"theme": "water"}),
    "an example": ({}, {"example": '{"code":"330100","level":2}'}),
    "the title of a rule": (
        {"quality": [STUCK]},
        {"quality": [STUCK | {"title": {"zh": "卡滞", "en": "stuck"}}]},
    ),
}
CASES = [
    pytest.param(*pair, bump, id=f"{bump.value}: {name}")
    for bump, cases in ((Bump.MAJOR, TAKES), (Bump.MINOR, GIVES), (Bump.PATCH, WORDS))
    for name, pair in cases.items()
]


@pytest.mark.parametrize(("before", "after", "bump"), CASES)
def test_a_change_of_what_is_promised_has_its_weight(
    make: Make, before: dict[str, Any], after: dict[str, Any], bump: Bump
) -> None:
    """Each change alone leaves the records compatible, and moves the version as far as it deserves."""
    old, new = (parse_contract(orjson.dumps(make(**changes))) for changes in (before, after))

    found = compare(old, new)

    assert (found.verdict, found.bump) == (Verdict.COMPATIBLE, bump)
    assert len(found.changes) >= 1


@pytest.mark.parametrize(
    ("change", "bump"),
    [
        ({"unit": "cm"}, Bump.MAJOR),
        ({"classification": 2}, Bump.MAJOR),
        ({"title": {"zh": "河水位", "en": "river level"}}, Bump.PATCH),
        ({"note": {"zh": "黄海高程", "en": "above the Yellow Sea"}}, Bump.PATCH),
    ],
    ids=["unit", "classification", "title", "note"],
)
def test_a_change_of_what_a_field_means_has_its_weight(
    make: Make, change: dict[str, Any], bump: Bump
) -> None:
    """Another unit or a higher class takes away, though every record stays valid; words do not."""
    document = make()
    document["fields"][1] |= change
    old, new = parse_contract(orjson.dumps(make())), parse_contract(orjson.dumps(document))

    found = compare(old, new)

    assert (found.verdict, found.bump) == (Verdict.COMPATIBLE, bump)
    assert [each.place.split("/")[2] for each in found.changes] == ["level"]


def test_the_order_of_columns_is_words(make: Make) -> None:
    """Readers take columns by name, so another order is told and weighs least."""
    document = make()
    document["fields"].reverse()

    found = compare(parse_contract(orjson.dumps(make())), parse_contract(orjson.dumps(document)))

    assert found.bump is Bump.PATCH
