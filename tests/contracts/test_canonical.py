"""Canonical JSON: the spelling of RFC 8785 under the strict profile."""

import struct

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contracts.canonical import (
    MAX_INTEGER,
    NotCanonical,
    canonical_bytes,
    digest,
    parse_canonical,
    sha256_hex,
)
from contracts.validation import value_text

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)

# RFC 8785, appendix B
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@given(VALUES)
def test_canonical_bytes_are_those_of_rfc_8785(value: object) -> None:
    """Inside the profile the bytes are those an independent RFC 8785 writer gives."""
    expected = rfc8785.dumps(value)  # type: ignore[arg-type]

    assert canonical_bytes(value) == expected  # type: ignore[arg-type]


@given(VALUES)
def test_canonical_bytes_come_back(value: object) -> None:
    """Reading canonical bytes gives the value that was written."""
    assert parse_canonical(canonical_bytes(value)) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "expected"), NUMBERS)
def test_values_are_shown_as_rfc_8785_appendix_b_writes_them(bits: str, expected: str) -> None:
    """Each sample of RFC 8785 appendix B is written as the appendix says."""
    number = struct.unpack(">d", bytes.fromhex(bits))[0]

    assert value_text({"n": number}) == '{"n":' + expected + "}"


def test_values_are_shown_as_the_example_of_rfc_8785() -> None:
    """The sample of RFC 8785 section 3.2.2 is written as section 3.2.3 says."""
    text = (
        rb'{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        rb'"string":"\u20ac$\u000F\u000aA'
        rb"'"
        rb'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}'
    )

    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert value_text(orjson.loads(text)) == expected


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, -(2**53), {"é": 1}, {1: 2}, "\ud800", b"raw", {"a": object()}, [[1.0]]],
)
def test_values_outside_the_profile_are_refused(value: object) -> None:
    """Floats, wide integers, foreign keys, lone surrogates and strange types have no canonical bytes."""
    with pytest.raises(NotCanonical):
        canonical_bytes(value)  # type: ignore[arg-type]


def test_deep_nesting_is_refused() -> None:
    """A value nested deeper than the limit is refused and does not exhaust the stack."""
    value: list[object] = []
    for _ in range(40):
        value = [value]

    with pytest.raises(NotCanonical):
        canonical_bytes(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw", [b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"[1,]", b"", b"\xff"]
)
def test_other_spellings_are_refused(raw: bytes) -> None:
    """Only the one canonical spelling of a value is read."""
    with pytest.raises(NotCanonical):
        parse_canonical(raw)


@given(st.binary(max_size=40))
def test_parse_canonical_raises_nothing_else(raw: bytes) -> None:
    """Hostile bytes are either canonical or refused with NotCanonical."""
    try:
        value = parse_canonical(raw)
    except NotCanonical:
        return
    assert canonical_bytes(value) == raw


def test_digest_is_sha256_of_the_canonical_bytes() -> None:
    """A value is named by the SHA-256 of its canonical bytes."""
    expected = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    assert digest({}) == sha256_hex(b"{}") == expected
