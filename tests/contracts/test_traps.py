"""The cases on which JSON Schema engines are known to differ: the row engine must be on the right side."""

from typing import Any

import pytest

from contracts import library
from contracts.schema import compile_schema
from contracts.validation import RowValidator

SIX = {"type": "string", "pattern": "^[0-9]{6}$"}
MOMENT = {"type": "string", "format": "date-time"}
NUMBER = {"type": "number"}
TRAPS: list[tuple[str, dict[str, Any], Any, bool]] = [
    ("a line end after the last digit", SIX, "500100\n", False),
    ("Arabic-Indic digits", {"pattern": r"^\d+$"}, "١٢٣", False),
    ("full-width digits", {"pattern": r"^\d+$"}, "１２３", False),
    ("Chinese is no ASCII word", {"pattern": r"^\w+$"}, "断面", False),
    ("Chinese is a Unicode script", {"pattern": r"^\p{Script=Han}+$"}, "断面", True),
    ("a decimal step", {"multipleOf": 0.01}, 19.99, True),
    ("infinity", NUMBER, float("inf"), False),
    ("not a number", NUMBER, float("nan"), False),
    ("a leap second", MOMENT, "1998-12-31T23:59:60Z", True),
    ("a false leap second", MOMENT, "1998-12-31T23:58:60Z", False),
    ("the year nought", MOMENT, "0000-01-01T00:00:00Z", True),
    ("a zone without colon", MOMENT, "2026-01-01T00:00:00+0800", False),
    ("a blank for the T", MOMENT, "2026-01-01 00:00:00Z", False),
    ("no zone", MOMENT, "2026-01-01T00:00:00", False),
    ("a day that is none", {"format": "date"}, "2026-02-29", False),
    ("a leap day", {"format": "date"}, "2024-02-29", True),
    ("a uuid without dashes", {"format": "uuid"}, "123e4567e89b12d3a456426614174000", False),
    ("1.0 is an integer", {"type": "integer"}, 1.0, True),
    ("true is no number", {"type": ["number", "integer"]}, True, False),
    ("0 is not false", {"enum": [False]}, 0, False),
    ("length counts characters", {"maxLength": 2}, "断面", True),
    ("length counts astral characters once", {"maxLength": 1}, "𠀀", True),
]


@pytest.mark.parametrize(("schema", "value", "valid"), [t[1:] for t in TRAPS], ids=[t[0] for t in TRAPS])
def test_the_row_engine_is_right(schema: dict[str, Any], value: object, *, valid: bool) -> None:
    """The engine gives the verdict that JSON Schema 2020-12 and its formats give."""
    assert compile_schema(schema).is_valid(value) is valid


def test_a_lone_surrogate_is_rejected() -> None:
    """A lone surrogate is no JSON text, so the row that holds one is rejected."""
    contract = library.load("ambient-air-hourly")

    assert not RowValidator(contract).is_valid(contract.example_row() | {"station": "\ud800"})


def test_a_catastrophic_pattern_runs_in_linear_time() -> None:
    """The pattern that takes backtracking engines seconds is judged at once, on a long text."""
    judge = compile_schema({"type": "string", "pattern": "^(a+)+$"})

    assert not judge.is_valid("a" * 100_000 + "!")
