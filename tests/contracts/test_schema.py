"""An untrusted contract is admitted only inside the dialect, and refused with reasons."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import sha256_hex
from contracts.errors import Invalid
from contracts.schema import MAX_CONTRACT_BYTES, ContractRefused, compile_schema, parse_contract

Make = Callable[..., dict[str, Any]]
MakeWith = Callable[..., bytes]

OUTSIDE_RECORD: dict[str, dict[str, Any]] = {
    "a remote reference": {"$ref": "https://example.org/x.json"},
    "a local reference": {"$ref": "#/properties/code"},
    "definitions": {"$defs": {"x": {"type": "string"}}},
    "an id": {"$id": "https://example.org/x"},
    "an open record": {"additionalProperties": True},
    "extra fields by schema": {"additionalProperties": {"type": "string"}},
    "another draft": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "unevaluatedProperties": {"unevaluatedProperties": False},
    "propertyNames": {"propertyNames": {"pattern": "^a$"}},
    "a strange keyword": {"x-sql": "drop table"},
    "not an object": {"type": "array"},
    "no fields": {"properties": {}},
    "a name that moves a terminal's cursor": {"properties": {"a\x1b[2J": {"type": ["string", "null"]}}},
    "properties that are a list": {"properties": [{"type": "string"}]},
    "a condition that is text": {"if": "x"},
    "a wide pattern of names": {"patternProperties": {"^.*$": {"type": ["string", "null"]}}},
}
OUTSIDE_FIELD: dict[str, dict[str, Any]] = {
    "a class shorthand": {"type": ["string", "null"], "pattern": r"^\d+$"},
    "a look-ahead": {"type": ["string", "null"], "pattern": "^(?=a)a$"},
    "no anchor": {"type": ["string", "null"], "pattern": "a"},
    "an unknown format": {"type": ["string", "null"], "format": "email"},
    "a decimal step": {"multipleOf": 0.5},
    "a step on a number": {"multipleOf": 5},
    "a decimal bound": {"minimum": -0.5},
    "a decimal option": {"enum": [0.5]},
    "a bound beyond 2^53": {"maximum": 2**60},
    "two types": {"type": ["number", "string"]},
    "no type": {"type": []},
    "an unknown type": {"type": "money"},
    "an integer without range": {"type": ["integer", "null"], "minimum": None},
    "an open object": {"type": ["object", "null"], "properties": {}},
    "an endless array": {"type": ["array", "null"], "items": {"type": "string"}},
    "too many options": {"enum": list(range(3000))},
}


def test_a_contract_is_named_by_its_canonical_bytes(make: Make) -> None:
    """The digest is that of the canonical bytes, whatever the spelling of the file."""
    pretty = parse_contract(orjson.dumps(make(), option=orjson.OPT_INDENT_2))
    compact = parse_contract(orjson.dumps(make()))

    assert pretty.digest == compact.digest == sha256_hex(pretty.canonical())
    assert parse_contract(pretty.canonical()).digest == pretty.digest
    assert (pretty.ref().id, pretty.ref().version) == ("river-level", "1.0.0")


@pytest.mark.parametrize("keywords", OUTSIDE_RECORD.values(), ids=OUTSIDE_RECORD.keys())
def test_a_record_outside_the_dialect_is_refused(keywords: dict[str, Any], make_with: MakeWith) -> None:
    """Each construct outside the dialect refuses the contract and is named by a reason."""
    with pytest.raises(ContractRefused) as caught:
        parse_contract(make_with(keywords))
    assert caught.value.facts["reasons"]


@pytest.mark.parametrize("keywords", OUTSIDE_FIELD.values(), ids=OUTSIDE_FIELD.keys())
def test_a_field_outside_the_dialect_is_refused(keywords: dict[str, Any], make_with: MakeWith) -> None:
    """Each construct outside the dialect inside a field is refused; the reason points to the field."""
    raw = make_with({key: value for key, value in keywords.items() if value is not None}, field="level")
    if None in keywords.values():
        value = orjson.loads(raw)
        for key in [key for key, item in keywords.items() if item is None]:
            del value["record"]["properties"]["level"][key]
        raw = orjson.dumps(value)

    with pytest.raises(ContractRefused) as caught:
        parse_contract(raw)
    reasons = caught.value.facts["reasons"]
    assert isinstance(reasons, list)
    assert any(reason.startswith("/properties/level") for reason in reasons)


def test_all_reasons_are_given_at_once(make_with: MakeWith) -> None:
    """A contract with several faults gets every reason, so that it is mended in one round."""
    with pytest.raises(ContractRefused) as caught:
        parse_contract(make_with({"$ref": "#", "$id": "x", "additionalProperties": True}))
    assert len(list(caught.value.facts["reasons"])) >= 3  # type: ignore[arg-type]


def test_an_optional_field_must_admit_null(make: Make) -> None:
    """An optional field that does not admit null is refused, as its column could not tell the two apart."""
    value = make()
    value["record"]["properties"]["keeper"] = {"type": "string", "maxLength": 20}

    with pytest.raises(ContractRefused, match="optional"):
        parse_contract(orjson.dumps(value))


def test_the_meta_schema_has_a_say(make_with: MakeWith) -> None:
    """A keyword with a value of the wrong kind is refused by the second engine's meta-schema check."""
    with pytest.raises(ContractRefused, match="meta-schema"):
        parse_contract(make_with({"maxLength": -1}, field="keeper"))


@pytest.mark.parametrize(
    "change",
    [
        {"fields": []},
        {"version": "1.0"},
        {"id": "No"},
        {"contract": 2},
        {"classification": 5},
        {"title": "x"},
        {"sql": "select 1"},
        {"record": 7},
        {"example": '{"code":"x","level":1}'},
        {"example": "no json"},
        {"example": "[1]"},
        {"classification": 1},
    ],
    ids=str,
)
def test_a_wrong_outer_shape_is_refused(change: dict[str, Any], make: Make) -> None:
    """Wrong metadata, a broken example, or a field above its dataset's class refuses the contract."""
    with pytest.raises(Invalid):
        parse_contract(orjson.dumps(make(**change)))


def test_fields_and_schema_must_agree(make: Make) -> None:
    """A field described twice, or not at all, refuses the contract."""
    missing = make(fields=make()["fields"][:2])
    double = make(fields=[*make()["fields"], make()["fields"][0]])

    for value in (missing, double):
        with pytest.raises(ContractRefused, match="stands once"):
            parse_contract(orjson.dumps(value))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 900 + b"]" * 900,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" * 200_000,
        b" " * (MAX_CONTRACT_BYTES + 1),
        b'{"contract":1,"contract":1}',
        b'{"contract":NaN}',
    ],
    ids=lambda raw: raw[:12].decode("latin-1") + str(len(raw)),
)
def test_hostile_bytes_are_refused(raw: bytes) -> None:
    """Deep, large, repeated or broken JSON is an Invalid, never another exception."""
    with pytest.raises(Invalid):
        parse_contract(raw)


def test_a_key_that_stands_twice_is_refused(make: Make) -> None:
    """A duplicate key anywhere refuses the contract, as readers would differ."""
    raw = orjson.dumps(make()).replace(b'"unit":"m"', b'"unit":"m","unit":"km"')

    with pytest.raises(ContractRefused, match="twice"):
        parse_contract(raw)


def test_deep_schemas_are_refused(make_with: MakeWith) -> None:
    """A schema nested deeper than the limit is refused."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(15):
        schema = {"not": schema}

    with pytest.raises(ContractRefused, match="nested deeper"):
        parse_contract(make_with(schema))


def test_an_exploding_pattern_is_refused() -> None:
    """A pattern whose automaton grows beyond the limit does not compile."""
    with pytest.raises(ContractRefused):
        compile_schema({"type": "string", "pattern": "^(?:(?:a{1000}){1000}){1000}$"})


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.sampled_from(["^a$", "string"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "if", "allOf", "items", "enum", "pattern", "required", "x"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_record_schema_is_judged(schema: object) -> None:
    """Whatever stands where the record schema belongs, the contract is parsed or refused as Invalid."""
    value = {
        "contract": 1, "id": "xx", "version": "1.0.0", "title": {"zh": "x", "en": "x"},
        "description": {"zh": "x", "en": "x"}, "theme": "t", "classification": 1, "update_frequency": "x",
        "editions": [], "example": "{}", "record": schema,
        "fields": [{"name": "x", "title": {"zh": "x", "en": "x"}, "unit": None, "classification": 1}],
    }  # fmt: skip

    with pytest.raises(Invalid):
        parse_contract(orjson.dumps(value))
