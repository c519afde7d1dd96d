"""Units convert exactly within their quantity, and into nothing else."""

from decimal import Decimal
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.units import (
    UNITS,
    UNSTATED,
    UnitsDoNotConvert,
    UnitUnknown,
    ValueNotConvertible,
    conversion,
    convert,
    stated_symbol,
    symbol_of,
    unit,
)

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=9)
PAIRS = [(a, b) for a, b in product(UNITS, UNITS) if UNITS[a].quantity == UNITS[b].quantity]


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("35200", "ng/m3", "ug/m3", "35.200"),
        ("0.0352", "mg/m3", "ug/m3", "35.2"),
        ("7", "mg/L", "ug/L", "7000"),
        ("1", "mg/L", "mg/m3", "1000"),
        ("20", "degC", "K", "293.15"),
        ("-40", "degF", "degC", "-40"),
        ("0", "degC", "degF", "32"),
        ("1.5", "mS/cm", "uS/cm", "1500"),
        ("1013.25", "mbar", "kPa", "101.325"),
        ("86400", "m3/d", "L/s", "1000"),
        ("15", "kg/mu", "kg/ha", "225"),
        ("1", "MWh", "MJ", "3600"),
        ("2.5", "1e4 m3", "m3", "25000"),
    ],
)
def test_a_value_converts_exactly(value: str, source: str, target: str, expected: str) -> None:
    """Known conversions come out to the last digit."""
    assert convert(Decimal(value), source, target) == Decimal(expected)


def test_what_has_no_finite_decimal_is_rounded_half_to_even() -> None:
    """A cubic metre a day in litres a second has no end; 28 digits of it are given, and it says so."""
    found = conversion("m3/d", "L/s")

    assert not found.exact
    assert found.apply(Decimal(1)) == Decimal("0.01157407407407407407407407407")
    assert found.apply(Decimal(86400)) == Decimal(1000)


@given(pair=st.sampled_from(PAIRS), value=NUMBERS)
def test_there_and_back_is_where_it_began(pair: tuple[str, str], value: Decimal) -> None:
    """Exact both ways gives the same number; otherwise it differs in the 27th digit at the earliest."""
    there, back = conversion(*pair), conversion(pair[1], pair[0])
    again = back.apply(there.apply(value))

    if there.exact and back.exact:
        assert again == value
    else:
        assert abs(again - value) <= max(abs(value), Decimal(1000)) * Decimal("1e-24")


@given(pair=st.sampled_from(PAIRS), value=NUMBERS)
def test_a_conversion_is_its_fraction(pair: tuple[str, str], value: Decimal) -> None:
    """The result is value times factor plus offset, computed with fractions."""
    found = conversion(*pair)
    exact = Fraction(value) * found.factor + found.offset

    given_ = Fraction(found.apply(value))
    assert given_ == exact if found.exact else abs(given_ - exact) <= abs(exact) * Fraction(1, 10**26)


@pytest.mark.parametrize(
    ("source", "target"),
    [("ppb", "ug/m3"), ("degC", "%"), ("NTU", "FNU"), ("t", "t/a"), ("mg/kg", "mg/L"), ("GJ/t", "GJ/1e4 m3")],
)
def test_an_unknown_pair_is_refused(source: str, target: str) -> None:
    """Between two quantities there is no factor, and none is guessed."""
    with pytest.raises(UnitsDoNotConvert):
        conversion(source, target)


@pytest.mark.parametrize("symbol", ["", "mg/l", "毫克", "ug/m3 ", "../x", UNSTATED])
def test_an_unknown_symbol_is_refused(symbol: str) -> None:
    """A symbol has one spelling; any other is refused and shown cut short."""
    assert symbol not in UNITS
    with pytest.raises(UnitUnknown):
        unit(symbol)


@pytest.mark.parametrize(
    "value", ["NaN", "sNaN", "Infinity", "-Infinity", "1e101", "1e-101", "1" * 1001 + "e-950"]
)
def test_what_is_no_number_of_reasonable_length_is_refused(value: str) -> None:
    """NaN, infinity and hostile exponents or lengths convert into nothing."""
    with pytest.raises(ValueNotConvertible):
        convert(Decimal(value), "ng/m3", "ug/m3")


@pytest.mark.parametrize("value", ["1" * 1001 + "e-950"])
def test_too_many_digits_are_refused_where_units_have_an_offset(value: str) -> None:
    """The limit of digits holds on every way of converting."""
    with pytest.raises(ValueNotConvertible):
        convert(Decimal(value), "degC", "K")


@pytest.mark.parametrize(
    ("spelling", "symbol"),
    [
        ("纳克/立方米", "ng/m3"),
        ("μg/m³", "ug/m3"),
        ("µg/m³", "ug/m3"),
        (" ℃ ", "degC"),
        ("毫克/升", "mg/L"),
        ("%", "%"),
    ],
)
def test_other_spellings_are_read(spelling: str, symbol: str) -> None:
    """The Chinese name and the usual signs lead to the symbol."""
    assert symbol_of(spelling) == symbol
    with pytest.raises(UnitUnknown):
        symbol_of(spelling + "x")


def test_no_spelling_means_two_units() -> None:
    """Each unit is found under its symbol and its Chinese name, and symbols are ASCII."""
    assert all(symbol_of(one.symbol) == one.symbol == symbol_of(one.zh) for one in UNITS.values())
    assert all(symbol.isascii() and symbol for symbol in UNITS)


def test_a_contract_may_remark_on_its_unit() -> None:
    """A remark in brackets does not change the unit; a unit that the source does not state is none."""
    assert stated_symbol("m/s (as published)") == "m/s"
    assert stated_symbol(UNSTATED) is None
    with pytest.raises(UnitUnknown):
        stated_symbol("furlong")
