"""Patterns as automata: the same verdict as the row engine, and texts that fit several demands at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.compatibility.judge import admits
from contracts.compatibility.outcome import NOTHING, UNKNOWN, Found, Steps
from contracts.compatibility.regular import TooLargePattern, automaton
from contracts.compatibility.texts import AROUND, INSIDE, TextDemand, find_text

letters = st.sampled_from(["a", "b", "1", "-", "\\.", "[a-c]", "[0-9]", "[a\\-z]", "[-a]"])
pieces = st.recursive(
    letters,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0}", "{0,2}", "{1,3}", "{2,}"])).map(
            lambda pair: f"({pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=5,
)
patterns = pieces.map(lambda body: f"^{body}$")


def _accepts(pattern: str, text: str) -> bool:
    read = automaton(pattern)
    state = read.start()
    for letter in text:
        state = read.step(state, letter)
    return read.accepts(state)


@given(patterns, st.text(alphabet="abcz1-.0", max_size=6))
def test_an_automaton_reads_a_pattern_as_the_row_engine_does(pattern: str, text: str) -> None:
    """For every pattern of the dialect and every text, both say the same."""
    assert _accepts(pattern, text) is admits([{"pattern": pattern}], text)


@given(patterns, patterns, st.integers(0, 3), st.integers(0, 6))
def test_a_text_that_is_found_meets_every_demand(fits: str, misses: str, least: int, most: int) -> None:
    """What is found fits one pattern, misses the other, and has a length between the bounds."""
    demand = TextDemand(least, most, patterns=frozenset({fits}), not_patterns=frozenset({misses}))
    outcome = find_text(demand, Steps(200_000))

    if isinstance(outcome, Found):
        assert _accepts(fits, outcome.value)
        assert not _accepts(misses, outcome.value)
        assert least <= len(outcome.value) <= most


@pytest.mark.parametrize("name", INSIDE)
@given(data=st.data())
def test_a_format_lies_between_its_two_patterns(name: str, data: st.DataObject) -> None:
    """What fits the inner pattern has the format, and what has the format fits the outer one."""
    inner = data.draw(st.from_regex(INSIDE[name].replace("$", r"\Z"), fullmatch=True))
    outer = data.draw(st.from_regex(AROUND[name].replace("$", r"\Z"), fullmatch=True))
    broken = data.draw(st.sampled_from([outer[:-1], outer + "0", "x" + outer[1:], outer.replace("-", "_")]))

    assert admits([{"format": name}], inner) is True
    assert admits([{"format": name}], broken) is _accepts(INSIDE[name], broken) or _accepts(
        AROUND[name], broken
    )


def test_lengths_and_patterns_rule_each_other_out() -> None:
    """Six digits are never seven letters long, and a date is never shorter than ten."""
    digits = TextDemand(least=7, patterns=frozenset({"^[0-9]{6}$"}))
    dates = TextDemand(most=9, formats=frozenset({"date"}))

    assert find_text(digits, Steps(10_000)) == NOTHING
    assert find_text(dates, Steps(100_000)) == NOTHING


def test_texts_that_are_excluded_are_not_found() -> None:
    """With both options excluded nothing is left; with one, the other is found."""
    pattern = frozenset({"^[ab]$"})
    none = TextDemand(patterns=pattern, excluded=frozenset({"a", "b"}))
    other = TextDemand(patterns=pattern, excluded=frozenset({"a"}))

    assert find_text(none, Steps(10_000)) == NOTHING
    assert find_text(other, Steps(10_000)) == Found("b")


def test_an_unknown_format_is_never_claimed_to_be_met() -> None:
    """Nothing is known of it, so only what the rest rules out is ruled out."""
    assert find_text(TextDemand(formats=frozenset({"email"})), Steps(10_000)) == UNKNOWN
    assert find_text(TextDemand(2, 1, formats=frozenset({"email"})), Steps(10_000)) == NOTHING


@pytest.mark.parametrize("pattern", ["^[b-a]$", "^a{3,2}$", "a", "^(?:[a-z]{1,1000}){1,1000}$"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    """A pattern outside the subset, without sense or too large has no automaton."""
    with pytest.raises(TooLargePattern):
        automaton(pattern)
