"""Row filters: a fixed two-valued reading, and what does not fit a contract."""

from typing import Any

import pytest

from contracts import library
from contracts.filtering import could_hold, filter_faults
from contracts.messages import CompoundFilter, FieldFilter, RowFilter

CONTRACT = library.load("enterprise-environment-record")


def field(operator: Any, value: Any, name: str = "credit_grade") -> FieldFilter:
    return FieldFilter(operator=operator, field=name, value=value)


@pytest.mark.parametrize(
    ("operator", "value", "missing"),
    [
        ("eq", None, True),
        ("ne", None, False),
        ("eq", "red", False),
        ("ne", "red", True),
        ("lt", "red", False),
        ("lte", "red", False),
        ("gt", "red", False),
        ("gte", "red", False),
        ("in", ["red"], False),
        ("nin", ["red"], False),
        ("startswith", "r", False),
    ],
)
def test_a_missing_value_satisfies_eq_null_and_ne_of_a_value_only(
    operator: str, value: Any, missing: bool
) -> None:
    """Conditions are true or false, never unknown, and so is their negation."""
    condition = field(operator, value)

    assert could_hold(condition, {"credit_grade": None}) is missing
    assert could_hold(condition, {}) is missing
    assert could_hold(CompoundFilter(operator="not", value=[condition]), {}) is not missing


def test_what_is_not_seen_could_be_either() -> None:
    """A row is refused only when no value of the hidden fields could let it through."""
    either = CompoundFilter(operator="or", value=[field("eq", "red"), field("gt", 3, "penalties_count")])
    both = CompoundFilter(operator="and", value=[field("eq", "red"), field("gt", 3, "penalties_count")])
    neither = CompoundFilter(operator="not", value=[either])
    row = {"penalties_count": 1}

    assert could_hold(either, row, {"credit_grade"})
    assert not could_hold(both, row, {"credit_grade"})
    assert could_hold(neither, row, {"credit_grade"})
    assert not could_hold(neither, {"penalties_count": 9}, {"credit_grade"})


@pytest.mark.parametrize(
    ("name", "operator", "value"),
    [
        ("nope", "eq", "x"),
        ("credit_grade", "eq", 5),
        ("credit_grade", "in", ["red", 5]),
        ("penalties_count", "eq", "5"),
        ("penalties_count", "startswith", "5"),
        ("penalties_count", "eq", True),
        ("rectified", "eq", 1),
        ("rectified", "gt", 0),
        ("rectified", "in", [1]),
    ],
)
def test_a_value_of_another_type_does_not_fit(name: str, operator: str, value: Any) -> None:
    """A comparison across types would mean something else in each engine."""
    assert list(filter_faults(field(operator, value, name), CONTRACT))


def test_a_nested_value_or_a_pattern_cannot_be_filtered_on() -> None:
    """Only single values of one named field compare; a place may be missing or there."""
    parcels, cities = library.load("forest-parcel"), library.load("ambient-air-city-hourly")
    pattern = next(name for name in cities.declared() if name.startswith("^"))

    assert list(filter_faults(field("eq", "x", "geometry"), parcels))
    assert not list(filter_faults(field("ne", None, "geometry"), parcels))
    assert list(filter_faults(field("eq", 1, pattern), cities))
    assert list(filter_faults(field("eq", 1, "pm25_shahepu"), cities))


def test_the_filters_of_the_vocabulary_fit() -> None:
    """What a contract's fields admit is no fault."""
    rows = CompoundFilter(
        operator="and",
        value=[
            field("startswith", "5101", "admin_code"),
            field("gte", 2, "penalty_amount_cny"),
            field("ne", False, "rectified"),
            field("eq", None, "last_violation_date"),
            field("in", [2020, 2021], "record_year"),
        ],
    )

    assert list(filter_faults(RowFilter(rows=rows).rows, CONTRACT)) == []
