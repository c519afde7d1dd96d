"""Patterns as trees: what is drawn from one is admitted by it, and its lines say the same."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pattern import pattern_fault
from contracts.pattern_tree import draw, lines, parse, repeats

ATOMS = st.sampled_from(
    ["a", "[0-9]", "[a-fX_-]", r"\.", r"[\]\\^-]", "(?:ab|c)", "([x-z]{2}|-)", "断" * 0 + "Z"]
)
REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "{0,2}", "{2,}"])
PATTERNS = st.lists(st.tuples(ATOMS, REPEATS).map("".join), max_size=5).map(
    lambda parts: f"^{''.join(parts)}$"
)


@settings(max_examples=300)
@given(PATTERNS, st.integers(0, 2**32))
def test_a_draw_fits_its_pattern(pattern: str, seed: int) -> None:
    """Every text that is drawn from an admitted pattern is matched by it."""
    assert pattern_fault(pattern) is None
    assert re.fullmatch(pattern[1:-1], draw(parse(pattern), random.Random(seed)))  # noqa: S311


@settings(max_examples=200)
@given(PATTERNS, st.text("abcXYZxz019._-]^\\", max_size=6))
def test_lines_say_what_the_pattern_says(pattern: str, text: str) -> None:
    """A pattern written as lines of runs matches the texts that it matched before."""
    written = lines(parse(pattern), 200)
    if written is None:
        return
    again = [
        "".join(
            f"[{re.escape(run.chars)}]{{{run.low},{'' if run.high is None else run.high}}}" for run in line
        )
        for line in written
    ]

    found = any(re.fullmatch(line, text) for line in again)

    assert found == bool(re.fullmatch(pattern[1:-1], text))


@pytest.mark.parametrize(("pattern", "count"), [("^[0-9]{6}$", 6), ("^(?:a{10},){0,30}$", 300), ("^a*$", 1)])
def test_repeats_in_repeats_multiply(pattern: str, count: int) -> None:
    """The count is that of the piece written out most often, as RE2 counts it."""
    assert repeats(parse(pattern)) == count


def test_a_pattern_outside_the_dialect_is_not_read() -> None:
    """Only what the dialect admits has a tree."""
    with pytest.raises(ValueError, match="not anchored"):
        parse("abc")
