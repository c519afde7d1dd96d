"""Find a number between bounds, on or off some multiples, or prove that there is none.

JSON knows one kind of number; JSON Schema tells whole ones (1.0 is one) from the rest. Bounds are exact, and
a number that is not whole is one that a double holds exactly, so that every engine reads the same.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from contracts.compatibility.outcome import NOTHING, UNKNOWN, Found, Outcome

MAX_TRIES = 5000
MAX_EXACT = 2**53 - 1
HALVINGS = 40


@dataclass(frozen=True, slots=True)
class NumberDemand:
    """What a number must be; a bound may be open, and each of ``multiples`` is above 0."""

    least: Fraction | None = None
    least_open: bool = False
    most: Fraction | None = None
    most_open: bool = False
    multiples: tuple[Fraction, ...] = ()
    not_multiples: tuple[Fraction, ...] = ()
    excluded: frozenset[Fraction] = frozenset()

    def admits(self, number: Fraction) -> bool:
        """Tell whether a number meets the demand."""
        low = self.least is None or number > self.least or (number == self.least and not self.least_open)
        high = self.most is None or number < self.most or (number == self.most and not self.most_open)
        return (
            low
            and high
            and all((number / step).denominator == 1 for step in self.multiples)
            and not any((number / step).denominator == 1 for step in self.not_multiples)
            and number not in self.excluded
        )


def find_whole(demand: NumberDemand) -> Outcome:
    """Find a whole number."""
    step = _common_step((Fraction(1), *demand.multiples))
    low = None if demand.least is None else math.ceil(demand.least / step)
    high = None if demand.most is None else math.floor(demand.most / step)
    if low is not None and high is not None and high < low:
        return NOTHING
    for count in _counts(low, high):
        number = count * step
        if demand.admits(number):
            return Found(int(number)) if abs(number) <= MAX_EXACT else UNKNOWN
    all_tried = low is not None and high is not None and high - low < MAX_TRIES
    hopeless = any((step / other).denominator == 1 for other in demand.not_multiples)
    return NOTHING if all_tried or hopeless else UNKNOWN


def find_broken(demand: NumberDemand) -> Outcome:
    """Find a number that is not whole."""
    if any(step.denominator == 1 for step in demand.multiples):
        return NOTHING
    if demand.least is not None and demand.most is not None and demand.least >= demand.most:
        single = demand.least
        lone = demand.least == demand.most and single.denominator != 1 and demand.admits(single)
        return _exact(single) if lone else NOTHING
    for number in _broken_candidates(demand):
        if number.denominator != 1 and demand.admits(number):
            return _exact(number)
    return UNKNOWN


def _exact(number: Fraction) -> Outcome:
    written = float(number)
    return Found(written) if Fraction(written) == number else UNKNOWN


def _counts(low: int | None, high: int | None) -> Iterator[int]:
    """Count from the bound nearest to nought, or from nought where there is none."""
    if low is not None and (low > 0 or high is None):
        start, direction = low, 1
    elif high is not None and (high < 0 or low is None):
        start, direction = high, -1
    else:
        yield from _both_ways(low, high)
        return
    for number in range(MAX_TRIES):
        count = start + direction * number
        if (low is not None and count < low) or (high is not None and count > high):
            return
        yield count


def _both_ways(low: int | None, high: int | None) -> Iterator[int]:
    for number in range(MAX_TRIES):
        for count in {number, -number}:
            if (low is None or count >= low) and (high is None or count <= high):
                yield count


def _broken_candidates(demand: NumberDemand) -> Iterator[Fraction]:
    low = demand.least if demand.least is not None else (demand.most or Fraction(1)) - 1
    high = demand.most if demand.most is not None else low + 1
    if demand.multiples:
        step = _common_step(demand.multiples)
        first = math.ceil(low / step)
        yield from (step * (first + number) for number in range(MAX_TRIES))
    yield from (bound for bound in (low, high) if bound.denominator != 1)
    for power in range(1, HALVINGS):
        yield low + (high - low) / 2**power
        yield high - (high - low) / 2**power
        yield Fraction(math.floor(low)) + Fraction(1, 2**power)


def _common_step(steps: tuple[Fraction, ...]) -> Fraction:
    """Give the least number that is a multiple of every step."""
    whole = Fraction(1)
    common: Fraction | None = None
    for step in steps:
        if common is None:
            common = step
            continue
        top = math.lcm(common.numerator * step.denominator, step.numerator * common.denominator)
        common = Fraction(top, common.denominator * step.denominator)
    return common or whole
