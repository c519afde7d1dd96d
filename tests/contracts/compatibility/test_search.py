"""The search for a record: what it finds is admitted, what it rules out nobody can show, and it gives up."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.compatibility.containment import Answer, contains
from contracts.compatibility.judge import admits
from contracts.compatibility.outcome import NOTHING, UNKNOWN, Found
from contracts.compatibility.search import find

NAMES = ("a", "b", "ab", "c")
SCALARS = (
    None,
    True,
    False,
    0,
    1,
    2,
    3,
    -1,
    4,
    6,
    0.5,
    2.5,
    "",
    "a",
    "ab",
    "b1",
    "2020-01-01",
    "2020-02-30",
    "12",
)

scalars = st.sampled_from(SCALARS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "integer"])},
    optional={
        "minimum": st.integers(-2, 5),
        "maximum": st.integers(-2, 5),
        "exclusiveMinimum": st.integers(-2, 5),
        "exclusiveMaximum": st.integers(-2, 5),
        "multipleOf": st.integers(1, 4),
    },
)
texts = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("string"),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 4),
        "pattern": st.sampled_from(
            ["^[a-b]*$", "^[0-9]{1,3}$", "^(?:ab|a1)+$", "^a?b?$", "^[a-z0-9\\-]{2,10}$"]
        ),
        "format": st.sampled_from(["date", "uuid"]),
    },
)
kinds = ["string", "number", "integer", "null", "boolean", "object", "array"]
leaves = st.one_of(
    st.booleans(),
    numbers,
    texts,
    st.fixed_dictionaries({"type": st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True)}),
    st.fixed_dictionaries({"enum": st.lists(values, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": values}),
)


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(NAMES)
    some = st.lists(inner, min_size=1, max_size=2)
    fields = st.dictionaries(names, inner, max_size=3)
    patterns = st.dictionaries(st.sampled_from(["^[a-b]{1,2}$", "^[c-d]$"]), inner, max_size=1)
    required = st.lists(names, max_size=2, unique=True)
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object")},
            optional={
                "properties": fields,
                "patternProperties": patterns,
                "additionalProperties": inner,
                "required": required,
                "minProperties": st.integers(0, 3),
                "maxProperties": st.integers(0, 3),
                "dependentRequired": st.dictionaries(names, required, max_size=1),
            },
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "items": inner,
                "prefixItems": some,
                "minItems": st.integers(0, 2),
                "maxItems": st.integers(0, 3),
            },
        ),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.sampled_from(["allOf", "anyOf", "oneOf"]).flatmap(
            lambda word: st.fixed_dictionaries({word: some})
        ),
        st.fixed_dictionaries({"not": inner}),
    )


schemas = st.recursive(leaves, _wider, max_leaves=8)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(schemas, schemas, st.lists(values, max_size=12))
def test_what_is_ruled_out_nobody_can_show(one: Any, other: Any, tried: list[Any]) -> None:
    """Nothing means that no value is admitted by both schemas; what is found, both admit."""
    outcome = find([one, other])

    if isinstance(outcome, Found):
        assert admits([one, other], outcome.value) is True
    if outcome == NOTHING:
        assert not any(admits([one, other], value) for value in tried)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(schemas, schemas, st.lists(values, max_size=12))
def test_containment_is_never_claimed_against_a_value(wider: Any, narrower: Any, tried: list[Any]) -> None:
    """A proved containment holds for every value; a refutation shows one for which it does not."""
    found = contains(wider, narrower)

    for value in tried:
        if admits([narrower], value) and admits([wider], value) is False:
            assert found.answer is not Answer.PROVED
    if found.answer is Answer.REFUTED:
        assert (admits([narrower], found.witness), admits([wider], found.witness)) == (True, False)


@given(schemas)
def test_a_schema_contains_itself(schema: Any) -> None:
    """Every schema admits what it admits, and that is proved at once."""
    assert contains(schema, schema).answer is Answer.PROVED


SOUND = {
    "a name that another rule treats apart": (
        {"not": {"patternProperties": {"^[a-b]{1,2}$": {"const": 3}}}, "type": "object"},
        {"dependentRequired": {"a": ["z"]}},
    ),
    "a field more than the ones that are there": (
        {"type": "object", "minProperties": 2},
        {"not": {"additionalProperties": False}},
    ),
    "two fields of one kind that differ": (
        {"type": "object", "not": {"additionalProperties": {"type": "string"}}},
        {"not": {"additionalProperties": {"type": "number"}}},
    ),
    "two items that differ": (
        {"type": "array", "not": {"items": {"type": "string"}}},
        {"not": {"items": {"type": "number"}}, "maxItems": 2},
    ),
    "a value that only one branch lists": (
        {"oneOf": [{"enum": ["b1", {"ab": 3}]}, False]},
        {"type": "object"},
    ),
}


@pytest.mark.parametrize("pair", SOUND.values(), ids=SOUND.keys())
def test_traps_are_not_ruled_out(pair: tuple[Any, Any]) -> None:
    """Records that need an unusual name, or several unnamed fields, are found."""
    assert isinstance(find(list(pair)), Found)


UNREADABLE = {
    "a pattern that outgrows the automaton": [
        {"type": "string", "pattern": "^(?:[a-z]{1,900}[0-9]{1,900}){1,9}$", "maxLength": 3000},
        {"not": {"pattern": "^(?:[a-z]{1,900}[0-9]{1,900}){1,8}$"}},
    ],
    "groups in groups in groups": [{"type": "string", "pattern": "^" + "(" * 60 + "a" + ")" * 60 + "$"}],
    "repeats of nothing": [
        {"type": "string", "pattern": "^((((){1000}){1000}){1000}){1000}$", "minLength": 1}
    ],
    "a keyword outside the dialect": [
        {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"type": "null"}}
    ],
    "a list of a million": [{"type": "array", "minItems": 1_000_000}],
    "conditions that hang together": [
        {
            "type": "object",
            "required": [f"f{n}" for n in range(40)],
            "properties": {f"f{n}": {"type": "integer", "minimum": 0, "maximum": 9} for n in range(40)},
            "allOf": [
                {
                    "oneOf": [
                        {"properties": {f"f{n}": {"multipleOf": 2}}},
                        {"properties": {f"f{n * 7 % 40}": {"multipleOf": 3}}},
                    ]
                }
                for n in range(40)
            ],
        },
        {"not": {"properties": {"f0": {"multipleOf": 5}}}},
    ],
}


@pytest.mark.parametrize("asked", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_hostile_question_ends(asked: list[Any]) -> None:
    """The search gives up within its steps rather than claim what it cannot prove."""
    outcome = find(asked, steps=30_000)

    assert outcome == UNKNOWN or isinstance(outcome, Found)


def test_no_steps_no_answer() -> None:
    """A search without steps says nothing."""
    assert find([{"type": "string"}], steps=1) == UNKNOWN
