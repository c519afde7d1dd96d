"""Text becomes numbers by the grammar of JSON and in no other way."""

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import library
from nodes.sources.cells import null_where, type_text, whole_numbers

AIR = library.load("ambient-air-hourly")
FIRM = library.load("enterprise-environment-record")


def one(name: str, cell: str | None) -> tuple[object, object]:
    """Type one cell; give the typed value and the odd one."""
    contract = AIR if name in AIR.columns() else FIRM
    frame, odd = type_text(pl.DataFrame({name: pl.Series([cell], dtype=pl.String)}), contract)
    return frame[name][0], odd.get(0, {}).get(name)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("4", 4.0), ("-0.7", -0.7), ("1e2", 100.0), ("1.50", 1.5), ("0", 0.0), ("2E-3", 0.002), (None, None)],
)
def test_json_numbers_become_numbers(cell: str | None, number: float | None) -> None:
    """A cell in the grammar of RFC 8259 becomes that number, a null stays null."""
    assert one("so2", cell) == (number, None)


@pytest.mark.parametrize(
    "cell",
    [
        " ",
        "4 ",
        " 4",
        "+4",
        ".5",
        "5.",
        "007",
        "1,5",
        "1e400",
        "-1e999",
        "NaN",
        "inf",
        "Infinity",
        "0x10",
        "1_000",
        "４",
        "٤",
        "--1",
        "NA",
    ],
)
def test_other_cells_keep_their_text(cell: str) -> None:
    """A cell outside the grammar is no number and is kept as the text it is."""
    assert one("so2", cell) == (None, cell)


@pytest.mark.parametrize(
    ("cell", "typed", "odd"),
    [
        ("7", 7, None),
        ("7.0", 7, None),
        ("1e1", 10, None),
        ("7.5", None, 7.5),
        ("x", None, "x"),
        ("1e17", None, 1e17),
    ],
)
def test_whole_numbers_are_integers(cell: str, typed: int | None, odd: object) -> None:
    """In an integer field a whole number within 2^53 is an integer, however it is written."""
    assert one("record_number", cell) == (typed, odd)


@pytest.mark.parametrize(
    ("cell", "typed", "odd"),
    [("true", True, None), ("false", False, None), ("True", None, "True"), ("1", None, "1")],
)
def test_booleans_have_one_spelling(cell: str, typed: object, odd: object) -> None:
    """Only true and false are booleans."""
    assert one("rectified", cell) == (typed, odd)


def test_nested_cells_are_json() -> None:
    """A nested field is read as JSON and kept with sorted keys; other text stays odd."""
    forest = library.load("forest-parcel")
    frame = pl.DataFrame({"geometry": ['{"b":1, "a":[2]}', "POINT(1 2)", '"text"', None]})

    typed, odd = type_text(frame, forest)

    assert typed["geometry"].to_list() == ['{"a":[2],"b":1}', None, None, None]
    assert odd == {1: {"geometry": "POINT(1 2)"}, 2: {"geometry": '"text"'}}


def test_only_markers_become_null() -> None:
    """A missing marker becomes null where it stands alone, and nothing else does."""
    frame = pl.DataFrame({"so2": ["NA", "", " ", "NAN"]})

    assert null_where(frame, frozenset({"", "NA"}))["so2"].to_list() == [None, None, " ", "NAN"]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(1 - 2**53, 2**53 - 1))
def test_numbers_are_read_exactly(number: float) -> None:
    """Every number written as JSON is read as the number Python reads."""
    text = orjson.dumps(number).decode()

    assert one("so2", text) == (float(text), None)


@given(st.text(max_size=8))
def test_any_cell_is_typed_or_kept(cell: str) -> None:
    """No cell is lost: it is a number, or it is kept as text."""
    typed, odd = one("so2", cell)

    assert (typed is None) == (odd == cell)


def test_whole_numbers_leave_fractions_null() -> None:
    """Fractions, wide numbers and nulls are no whole numbers."""
    numbers = pl.Series([1.0, 1.5, None, 2.0**60])

    assert whole_numbers(numbers).to_list() == [1, None, None, None]
