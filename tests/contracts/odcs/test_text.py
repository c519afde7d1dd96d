"""YAML from strangers: plain values only, within limits, and never more than the text itself holds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.odcs.faults import OdcsRefused
from contracts.odcs.text import MAX_ODCS_BYTES, MAX_ODCS_DEPTH, read_yaml, write_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    """Every mapping of plain values is read as it was written."""
    assert read_yaml(write_yaml(value).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """No text brings the reader to anything but a mapping or its refusal."""
    try:
        found: object = read_yaml(raw)
    except OdcsRefused:
        found = {}

    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "anchors and tags"),
        ("a: *x", "aliases"),
        ("a: !!python/object/apply:os.system ['true']", "anchors and tags"),
        ("a: !!int '5'", "anchors and tags"),
        ("a: 1\na: 2", "twice or is no text"),
        ("1: a", "twice or is no text"),
        ("[a, b]: c", "no text"),
        ("- a", "one mapping"),
        ("a: 1\n---\nb: 2", "exactly one document"),
        ("", "exactly one document"),
        ("a: [", "not YAML at line"),
        ("a: " + "[" * (MAX_ODCS_DEPTH + 1) + "]" * (MAX_ODCS_DEPTH + 1), "nested deeper"),
        ("a: [" + "1," * 100_001 + "]", "more than"),
        ("#" * (MAX_ODCS_BYTES + 1), "at most"),
    ],
)
def test_what_could_mislead_is_refused(text: str, words: str) -> None:
    """Aliases, tags, keys that stand twice, several documents and endless ones are refused with the reason."""  # noqa: E501
    with pytest.raises(OdcsRefused, match=words):
        read_yaml(text.encode())


def test_bytes_that_are_no_utf8_are_refused() -> None:
    """A file in another encoding is refused, and the first bad byte is named."""
    with pytest.raises(OdcsRefused, match="not UTF-8 at byte 3"):
        read_yaml(b"a: \xff")


def test_words_stay_words() -> None:
    """What YAML 1.1 takes for a truth value, a date or a number of base 60 is text, as in YAML 1.2."""
    text = "a: NO\nb: 2026-11-22\nc: 12:30\nd: 0o17\ne: 1_000\nf: on"

    assert read_yaml(text.encode()) == {
        "a": "NO", "b": "2026-11-22", "c": "12:30", "d": "0o17", "e": "1_000", "f": "on",
    }  # fmt: skip
