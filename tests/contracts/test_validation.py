"""Rows are judged, and a bad row says what is wrong, where, and with which value."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import library
from contracts.schema import Contract, parse_contract
from contracts.validation import Rejected, RowValidator

Make = Callable[..., dict[str, Any]]
GOOD = {"code": "500100", "level": 1.5, "keeper": None}


@pytest.fixture
def contract(make: Make) -> Contract:
    """Give the small contract."""
    return parse_contract(orjson.dumps(make()))


def test_a_rejected_row_keeps_its_number(contract: Contract) -> None:
    """A good row has no verdict against it; a bad one is rejected under its own number."""
    validator = RowValidator(contract)

    assert validator.judge(1, GOOD) is None
    bad = validator.judge(2, GOOD | {"level": 101})
    assert isinstance(bad, Rejected)
    assert bad.row_number == 2
    assert validator.judge(5, {"code": "500100", "level": None}) is None


def test_every_broken_rule_is_listed(contract: Contract) -> None:
    """A row with several faults gets one violation each: both pointers, rule, value, two languages."""
    row = {"code": "50010", "level": " ", "a/b": [1], "~": 2}

    found = {v.pointer: v for v in RowValidator(contract).violations(row)}

    assert {p: (v.schema_pointer, v.rule, v.value) for p, v in found.items()} == {
        "/code": ("/properties/code/pattern", "pattern", '"50010"'),
        "/level": ("/properties/level/type", "type", '" "'),
        "/a~1b": ("/additionalProperties", "additionalProperties", "[1]"),
        "/~0": ("/additionalProperties", "additionalProperties", "2"),
    }
    assert found["/level"].message.zh == "水位:类型应为空值或数值"
    assert found["/level"].message.en == "level must be null or number"


def test_a_missing_field_is_pointed_at(contract: Contract) -> None:
    """A missing field is named by its own pointer and has no value."""
    (violation,) = RowValidator(contract).violations({"level": 1})

    assert (violation.pointer, violation.rule, violation.value) == ("/code", "required", None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(contract: Contract, value: float) -> None:
    """NaN and the infinities are no numbers, and are shown as what they are."""
    (violation,) = RowValidator(contract).violations(GOOD | {"level": value})

    assert (violation.pointer, violation.rule, violation.value) == ("/level", "type", str(value))


@pytest.mark.parametrize(
    "row", [{"code": b"1"}, {"code": "\ud800", "level": 1}, {1: 2}, {"code": {1, 2}}], ids=repr
)
def test_a_row_that_is_no_json_is_rejected(contract: Contract, row: dict[Any, Any]) -> None:
    """Bytes, lone surrogates and foreign keys reject the row and raise nothing."""
    verdict = RowValidator(contract).judge(7, row)

    assert verdict is not None
    assert [v.rule for v in verdict.violations] == ["json"]


def test_a_long_value_is_cut(contract: Contract) -> None:
    """A value is shown with at most 200 characters."""
    (violation,) = RowValidator(contract).violations(GOOD | {"keeper": "长" * 5000})

    assert violation.value is not None
    assert len(violation.value) == 200
    assert violation.message.en == "keeper must have at most 20 characters"


def test_a_deep_value_is_rejected(contract: Contract) -> None:
    """A value nested hundreds deep rejects the row and does not end the process."""
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]

    assert RowValidator(contract).judge(1, GOOD | {"level": deep}) is not None


@given(
    st.dictionaries(
        st.sampled_from(["code", "level", "keeper", "x"]), st.none() | st.integers() | st.text() | st.floats()
    )
)
def test_fast_and_full_verdicts_agree(row: dict[str, Any]) -> None:
    """The bare verdict is valid exactly when the full list is empty."""
    validator = RowValidator(library.load("enterprise-environment-record"))

    assert validator.is_valid(row) == (not validator.violations(row))
