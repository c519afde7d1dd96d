"""Generated models give the verdict of the row engine, and hold nothing a contract could run."""

import ast
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from contracts import library
from contracts.codegen.pydantic_models import pydantic_source
from contracts.sampling.breaking import Breaker
from contracts.sampling.generate import rows
from contracts.schema import Contract, parse_contract
from contracts.validation import RowValidator
from tests.contracts.codegen.modules import model_of
from tests.contracts.conftest import document
from tests.contracts.workload import good_row, workload_contract
from tests.contracts.workload import rows as workload_rows

HOSTILE = ['"""', "'''\n", "\\", '"); import os; ("', "{x}", "\u202e", "断面", "#", "\x00", "a\nb"]


def admits(model: type[BaseModel], row: dict[str, Any]) -> bool:
    """Give the verdict of a model."""
    try:
        model.model_validate(row)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", library.names())
def test_each_shipped_contract_has_models_of_one_verdict(name: str) -> None:
    """Over good rows and rows broken in every way, the model and the engine never differ."""
    contract = library.load(name)
    model, judge = model_of(contract), RowValidator(contract)
    made = [one.row for one in rows(contract, 60, seed=11, broken=0.3)]
    made += [row for row, _ in Breaker(contract, random.Random(3)).break_each(made[0])]  # noqa: S311

    assert [admits(model, row) for row in made] == [judge.is_valid(row) for row in made]


def test_the_workload_has_one_verdict() -> None:
    """Nested values, three conditions and twelve kinds of broken row: the model and the engine never differ."""  # noqa: E501
    contract = workload_contract()
    model, judge = model_of(contract), RowValidator(contract)
    made = list(workload_rows(600, seed=4, broken=0.5))

    assert [admits(model, row) for row in made] == [judge.is_valid(row) for row in made]
    assert admits(model, good_row(random.Random(1)))  # noqa: S311


MOMENTS = st.sampled_from(
    ["2026-02-28T00:00:00Z", "2026-02-29T00:00:00Z", "1998-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
     "1999-01-01T07:59:60+08:00", "1998-12-31T22:59:60Z", "2026-01-01t00:00:00z", "2026-01-01 00:00:00Z",
     "2026-01-01T00:00:00+0800", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.123456789Z",  # noqa: E501
     "2000-02-29T00:00:00-23:59", "1900-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00Z\n", ""]  # noqa: E501
)  # fmt: skip
VALUES = (
    MOMENTS
    | MOMENTS.map(lambda text: text[:10])
    | st.uuids().map(str)
    | st.uuids().map(lambda one: str(one).upper())
    | st.uuids().map(lambda one: one.hex)
    | st.sampled_from(
        [
            "500100",
            "500100\n",
            "٥٠٠١٠٠",
            "５００１００",
            5,
            5.0,
            5.5,
            True,
            None,
            1e300,
            -1,
            [],
            [1],
            {"x": 1},
        ]
    )
    | st.text(max_size=8)
)
SHAPES: list[dict[str, Any]] = [
    {"type": ["string", "null"], "format": "date-time"},
    {"type": ["string", "null"], "format": "date"},
    {"type": ["string", "null"], "format": "uuid"},
    {"type": ["string", "null"], "pattern": "^[0-9]{6}$"},
    {"type": ["integer", "null"], "minimum": -5, "maximum": 9, "multipleOf": 5},
    {"type": ["number", "null"], "exclusiveMinimum": -1},
    {"type": ["number", "null"], "enum": [5, None]},
    {"type": ["boolean", "null"], "const": True},
    {"type": ["array", "null"], "items": {"type": "integer"}, "maxItems": 3, "minItems": 1},
    {"type": ["array", "null"], "prefixItems": [{"type": "integer"}], "items": False, "maxItems": 3},
    {"type": ["object", "null"], "properties": {"x": {"type": "integer"}}, "additionalProperties": False},
    {"type": ["object", "null"], "additionalProperties": True, "minProperties": 1},
    {"type": ["string", "null"], "not": {"const": "500100"}, "minLength": 2, "maxLength": 6},
    {"type": ["string", "null"], "oneOf": [{"maxLength": 4}, {"pattern": "^[0-9]+$"}]},
]


def shaped(shape: dict[str, Any]) -> Contract:
    """Make a contract whose field ``x`` has this schema."""
    field = {"name": "x", "title": {"zh": "x", "en": "x"}, "unit": None, "classification": 1}
    record = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
              "properties": {"x": shape}, "additionalProperties": False}  # fmt: skip
    return parse_contract(orjson.dumps(document(fields=[field], record=record, example="{}")))


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(SHAPES) - 1), VALUES)
def test_every_keyword_has_one_verdict(place: int, value: object) -> None:
    """For each rule of the dialect and the values on which engines are known to differ, the verdicts are equal."""  # noqa: E501
    contract = shaped(SHAPES[place])

    assert admits(_model(place), {"x": value}) == RowValidator(contract).is_valid({"x": value})


_MODELS: dict[int, type[BaseModel]] = {}


def _model(place: int) -> type[BaseModel]:
    if place not in _MODELS:
        _MODELS[place] = model_of(shaped(SHAPES[place]))
    return _MODELS[place]


@pytest.mark.parametrize("words", HOSTILE)
def test_words_of_a_contract_stay_words(words: str) -> None:
    """Titles, notes and listed values that look like code stand in the source as text alone."""
    made = document(title={"zh": words, "en": words})
    for field in made["fields"]:
        field["title"] = field["note"] = {"zh": words, "en": words}
    made["record"]["properties"]["keeper"] = {"type": ["string", "null"], "enum": [words, None]}
    made["example"] = '{"code":"500100","level":1.5,"keeper":null}'
    contract = parse_contract(orjson.dumps(made))
    tree = ast.parse(pydantic_source(contract))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}

    assert imported == {"calendar", "math"}
    assert admits(model_of(contract), {"code": "500100", "level": 1, "keeper": words})


@pytest.mark.parametrize(
    "name", ["class", "model_dump", "str", "list", "_x", "Field", "a b", "field_0", "1", "json"]
)
def test_any_field_name_is_kept(name: str) -> None:
    """A name that Python or pydantic keeps for itself is the alias of another attribute."""
    field = {"name": name, "title": {"zh": "x", "en": "x"}, "unit": None, "classification": 1}
    record = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
              "properties": {name: {"type": "string"}}, "required": [name], "additionalProperties": False}  # fmt: skip  # noqa: E501
    contract = parse_contract(
        orjson.dumps(document(fields=[field], record=record, example=orjson.dumps({name: "v"}).decode()))
    )
    model = model_of(contract)

    assert model.model_validate({name: "v"}).model_dump(by_alias=True) == {name: "v"}
    assert not admits(model, {"field_9": "v"})
