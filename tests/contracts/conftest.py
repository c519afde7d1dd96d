"""A small contract that tests take apart."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

Make = Callable[..., dict[str, Any]]


def document(**changes: Any) -> dict[str, Any]:
    """Make the JSON of a small valid contract, with parts exchanged."""
    made = {
        "contract": 1,
        "id": "river-level",
        "version": "1.0.0",
        "title": {"zh": "水位", "en": "river level"},
        "description": {"zh": "水位", "en": "river level"},
        "theme": "environmental-quality",
        "classification": 2,
        "update_frequency": "hourly",
        "editions": ["GB/T 2260, 2023"],
        "fields": [
            {"name": "code", "title": {"zh": "区划", "en": "area code"}, "unit": None, "classification": 1},
            {"name": "level", "title": {"zh": "水位", "en": "level"}, "unit": "m", "classification": 1},
            {"name": "keeper", "title": {"zh": "看守人", "en": "keeper"}, "unit": None, "classification": 2},
        ],
        "record": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "code": {"type": "string", "pattern": "^[0-9]{6}$"},
                "level": {"type": ["number", "null"], "minimum": -10, "maximum": 100},
                "keeper": {"type": ["string", "null"], "maxLength": 20},
            },
            "required": ["code", "level"],
            "additionalProperties": False,
        },
        "example": '{"code":"500100","level":1.5,"keeper":"x"}',
    }
    return made | changes


@pytest.fixture
def make() -> Make:
    """Give the maker of contract documents."""
    return document


@pytest.fixture
def make_with() -> Callable[[dict[str, Any]], bytes]:
    """Give a maker that lays other keywords over the record schema, or over its field ``level``."""

    def changed(keywords: dict[str, Any], *, field: str | None = None) -> bytes:
        made = document()
        target = made["record"] if field is None else made["record"]["properties"][field]
        target.update(keywords)
        return orjson.dumps(made)

    return changed
