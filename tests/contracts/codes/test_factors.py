"""The factors of HJ 212-2017: all of them, in units that convert, with number types that judge."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes.factors import FACTORS, OUTSIDE_ANNEX_B, NumberType, factor
from contracts.units import UNITS, conversion, symbol_of

TABLE = Path(__file__).parents[3].parent / "shared" / "data" / "codes" / "hj212_2017_pollutants.csv"


def test_annex_b_is_whole() -> None:
    """There are 63 factors of water and 121 of air, each with its names and a known unit."""
    media = [one.medium for one in FACTORS.values()]

    assert (media.count("water"), media.count("air")) == (63, 121)
    assert all(one.zh and one.en.isascii() and one.unit in UNITS for one in FACTORS.values())
    assert all(one.total_unit is None or one.total_unit in UNITS for one in FACTORS.values())
    assert all(code == one.code for code, one in FACTORS.items())


def test_particles_are_in_nanograms() -> None:
    """Ten factors are in ng/m3 by default, and convert into the unit of GB 3095."""
    nano = {code for code, one in FACTORS.items() if one.unit == "ng/m3"}

    assert {"a34001", "a34002", "a34004", "a34005"} < nano
    assert len(nano) == 10
    assert all(conversion(FACTORS[code].unit, "ug/m3").shift == -3 for code in nano)


def test_ozone_is_kept_apart() -> None:
    """What stations send beside annex B is found, and is not passed off as part of it."""
    assert factor("a05024") is OUTSIDE_ANNEX_B["a05024"]
    assert "a05024" not in FACTORS
    assert factor("w01018") is FACTORS["w01018"]
    assert factor("w99999") is None


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        ("N5.2", "12345.67", True), ("N5.2", "123456", False), ("N5.2", "1.234", False), ("N4", "1234", True),
        ("N4", "12.3", False), ("N2.2", "-7.25", True), ("N2.2", "0007.2", True), ("N3.1", "", False),
        ("N3.1", "1e3", False), ("N3.1", ".5", False), ("N3.1", "１", False), ("N3.1", "5.", False),
    ],
)  # fmt: skip
def test_a_number_type_counts_digits(kind: str, text: str, fits: bool) -> None:
    """N5.2 is five digits before the point and two behind it; leading zeros do not count."""
    assert NumberType.parse(kind).fits(text) is fits


@given(whole=st.integers(1, 12), parts=st.integers(0, 6), value=st.integers(0, 10**12))
def test_a_number_type_fits_what_it_can_write(whole: int, parts: int, value: int) -> None:
    """A number fits exactly when it is below ten to the power of the integer digits."""
    text = f"{value}.{'1' * parts}" if parts else str(value)

    assert NumberType(whole, parts).fits(text) is (value < 10**whole)


@pytest.mark.parametrize("text", ["", "N", "C5", "N5.", "n5.2", "N5.2.1"])
def test_what_is_no_number_type_is_refused(text: str) -> None:
    """Another spelling is no number type."""
    with pytest.raises(ValueError, match="no number type"):
        NumberType.parse(text)


@pytest.mark.skipif(not TABLE.exists(), reason="the sample data is not beside the project (../shared/data)")
def test_the_factors_are_those_of_the_standard() -> None:
    """Code, medium, old code, units and number type of all 184 are those typed out from annex B."""
    with TABLE.open(encoding="utf-8") as text:
        expected = {
            row["code"]: (
                row["medium"],
                row["name_zh"].replace(" ", ""),
                row["old_code"] or None,
                symbol_of(row["unit_concentration"]),
                symbol_of(row["unit_emission"]) if row["unit_emission"] else None,
                NumberType.parse(row["data_type"]) if row["data_type"] else None,
            )
            for row in csv.DictReader(text)
        }
    held = {
        one.code: (one.medium, one.zh.replace(" ", ""), one.old_code, one.unit, one.total_unit, one.number)
        for one in FACTORS.values()
    }

    assert held == expected
