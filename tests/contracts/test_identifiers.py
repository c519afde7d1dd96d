"""Names of things are parsed strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identifiers import (
    BadIdentifier,
    Kind,
    new_id,
    parse_digest,
    parse_id,
    parse_name,
    parse_version,
)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_id_is_of_its_kind_alone(kind: Kind) -> None:
    """A fresh identifier parses as its own kind and as no other."""
    text = new_id(kind)
    others = [other for other in Kind if other is not kind]

    assert parse_id(text, kind) == text
    for other in others:
        with pytest.raises(BadIdentifier):
            parse_id(text, other)


@pytest.mark.parametrize(
    "text", ["p-ABCDEFGHJKLM", "p-abc", "p-abcdefghjkmn\n", "p_abcdefghjkmn", "", "p-abcdefghjk/.."]
)
def test_malformed_ids_are_refused(text: str) -> None:
    """Upper case, wrong length, line ends and path signs are no identifier."""
    with pytest.raises(BadIdentifier):
        parse_id(text, Kind.PARTICIPANT)


@pytest.mark.parametrize("text", ["a", "-ab", "Air", "a_b", "a" * 64, "空气", "air\n", "../x"])
def test_malformed_names_are_refused(text: str) -> None:
    """A name is 2 to 63 of a-z, 0-9 and -, and does not start with -."""
    with pytest.raises(BadIdentifier):
        parse_name(text)


def test_versions_are_three_numbers() -> None:
    """A version reads as three numbers without leading zeros or suffixes."""
    assert parse_version("1.20.300") == (1, 20, 300)
    for text in ("1.0", "01.0.0", "1.0.0-rc1", "1.0.0\n", "١.٠.٠"):
        with pytest.raises(BadIdentifier):
            parse_version(text)


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Hostile text gives itself or BadIdentifier, nothing else."""
    for parse in (parse_name, parse_digest):
        try:
            assert parse(text) == text
        except BadIdentifier:
            continue


def test_digests_are_lower_case_hex() -> None:
    """A digest is sha256: and 64 lowercase hex digits."""
    good = "sha256:" + "0f" * 32

    assert parse_digest(good) == good
    with pytest.raises(BadIdentifier):
        parse_digest(good.upper())
