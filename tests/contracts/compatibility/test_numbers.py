"""Numbers between bounds and on multiples: found where there is one, ruled out where there is none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.compatibility.numbers import NumberDemand, find_broken, find_whole
from contracts.compatibility.outcome import NOTHING, UNKNOWN, Found

bounds = st.none() | st.integers(-20, 20).map(Fraction)
demands = st.builds(
    NumberDemand,
    least=bounds,
    least_open=st.booleans(),
    most=bounds,
    most_open=st.booleans(),
    multiples=st.lists(st.integers(1, 6).map(Fraction), max_size=2).map(tuple),
    not_multiples=st.lists(st.integers(1, 6).map(Fraction), max_size=2).map(tuple),
    excluded=st.frozensets(st.integers(-3, 3).map(Fraction), max_size=4),
)


@given(demands)
def test_a_whole_number_is_found_or_there_is_none(demand: NumberDemand) -> None:
    """What is found meets the demand; where nothing is, none within a wide range does."""
    outcome = find_whole(demand)

    if isinstance(outcome, Found):
        assert demand.admits(Fraction(outcome.value))
    if outcome == NOTHING:
        assert not any(demand.admits(Fraction(number)) for number in range(-400, 400))


@given(demands)
def test_a_broken_number_is_found_or_there_is_none(demand: NumberDemand) -> None:
    """What is found meets the demand and is not whole; where nothing is, no eighth within a range does."""
    outcome = find_broken(demand)

    if isinstance(outcome, Found):
        assert demand.admits(Fraction(outcome.value))
        assert not float(outcome.value).is_integer()
    if outcome == NOTHING:
        eighths = (Fraction(number, 8) for number in range(-1600, 1600) if number % 8)
        assert not any(demand.admits(number) for number in eighths)


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        (NumberDemand(least=Fraction(2**53)), UNKNOWN),
        (NumberDemand(least=Fraction(1), most=Fraction(0)), NOTHING),
        (NumberDemand(multiples=(Fraction(4),), not_multiples=(Fraction(2),)), NOTHING),
        (NumberDemand(multiples=(Fraction(4), Fraction(6)), least=Fraction(1)), Found(12)),
    ],
    ids=[
        "beyond what JSON holds exactly",
        "bounds that cross",
        "a multiple that is excluded",
        "a common multiple",
    ],
)
def test_whole_numbers_at_the_edges(demand: NumberDemand, expected: object) -> None:
    """Numbers beyond 2^53 are never shown, and multiples are reckoned exactly."""
    assert find_whole(demand) == expected
