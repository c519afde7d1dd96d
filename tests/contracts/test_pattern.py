"""Patterns from partners stay inside the portable, linear subset."""

import re

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.pattern import pattern_fault

ADMITTED = [
    "^[0-9]{6}$", "^(?:a|b)+$", "^[A-Za-z_-]*x?$", r"^a\.b$", "^a{2,}$", "^(a(b|c)){1,3}$",
    r"^[\]\\a-z]$", "^$",
]  # fmt: skip
REFUSED = {
    r"^\d+$": "punctuation",
    r"^\w$": "punctuation",
    r"^\s$": "punctuation",
    r"^\bx$": "punctuation",
    r"^(a)\1$": "punctuation",
    r"^\p{Han}$": "punctuation",
    "^(?=a)a$": "look-around",
    "^(?!a)b$": "look-around",
    "^(?<=a)b$": "look-around",
    "^(?P<x>a)$": "look-around",
    "^(?i)a$": "look-around",
    "a$": "anchored",
    "^a": "anchored",
    r"^a\$": "punctuation",
    "^a|b$": "alternative",
    "^.*$": "inside",
    "^a^b$": "inside",
    "^[^a]$": "negated",
    "^断面$": "ASCII",
    "^[a&&b]$": "set operation",
    "^[a[b]]$": "set operation",
    "^[]$": "class",
    "^[a$": "class",
    "^(a$": "group",
    "^a)$": "group",
    "^a*?$": "repeat",
    "^a++$": "repeat",
    "^*a$": "repeat",
    "^a{3$": "repeat",
    "^a{x}$": "repeat",
    "^a{2000}$": "1000",
    "^a}$": "unescaped",
    "^" + "a" * 600 + "$": "longer",
    "^a\n$": "printable",
}


@pytest.mark.parametrize("pattern", ADMITTED)
def test_portable_patterns_are_admitted(pattern: str) -> None:
    """A pattern of the subset is admitted, and two engines compile it."""
    assert pattern_fault(pattern) is None
    assert re.compile(pattern).pattern == pattern
    judge = jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions()
    )
    assert judge.is_valid(0)  # a pattern says nothing about a number


@pytest.mark.parametrize(("pattern", "word"), REFUSED.items())
def test_other_patterns_are_refused_with_a_reason(pattern: str, word: str) -> None:
    """A pattern outside the subset is refused for the reason that applies."""
    assert word in (pattern_fault(pattern) or "admitted")


@given(
    st.text(r"^$()[]{}|*+?.\-,:0a1&!<=", max_size=14).map(lambda body: f"^{body}$"),
    st.text("a01-", max_size=6),
)
def test_engines_agree_on_every_admitted_pattern(pattern: str, text: str) -> None:
    """Whatever is admitted compiles in two engines and gives the same verdict in both."""
    if pattern_fault(pattern) is not None:
        return
    judge = jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions()
    )

    assert judge.is_valid(text) == bool(re.search(pattern, text, re.ASCII))
