"""The version number tells the truth about a change, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.compatibility.bump import (
    Bump,
    VersionLies,
    bump_between,
    check_version,
    lowest_version,
    tells_truth,
)

versions = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)).map(
    lambda parts: ".".join(map(str, parts))
)


@pytest.mark.parametrize(
    ("old", "new", "claimed"),
    [
        ("1.2.3", "2.0.0", Bump.MAJOR),
        ("1.2.3", "1.3.0", Bump.MINOR),
        ("1.2.3", "1.2.4", Bump.PATCH),
        ("1.2.3", "1.2.3", Bump.NONE),
        ("1.2.3", "1.1.9", Bump.NONE),
        ("0.9.0", "0.10.0", Bump.MINOR),
    ],
)
def test_a_number_claims_what_its_first_changed_part_says(old: str, new: str, claimed: Bump) -> None:
    """The first part that rises says how much changed; a number that does not rise claims nothing."""
    assert bump_between(old, new) is claimed


@given(versions, st.sampled_from(Bump))
def test_the_lowest_version_tells_the_truth(old: str, deserved: Bump) -> None:
    """The version that a refusal names is taken at once."""
    check_version(old, lowest_version(old, deserved), deserved)


@pytest.mark.parametrize(
    ("new", "deserved"),
    [("1.3.0", Bump.MAJOR), ("1.2.4", Bump.MINOR), ("1.2.3", Bump.PATCH), ("1.0.0", Bump.NONE)],
)
def test_a_number_that_claims_too_little_is_refused(new: str, deserved: Bump) -> None:
    """A breaking change under a minor number lies, and the refusal names the lowest true number."""
    with pytest.raises(VersionLies) as caught:
        check_version("1.2.3", new, deserved)

    assert caught.value.facts["lowest"] == lowest_version("1.2.3", deserved)


def test_a_number_may_claim_more_than_changed() -> None:
    """A provider may call a change larger than it is: that warns more, never less."""
    assert tells_truth("1.2.3", "2.0.0", Bump.PATCH)


def test_a_version_below_one_is_no_exception() -> None:
    """A registered contract has users, whatever its number: breaking is major from 0.x on as well."""
    assert not tells_truth("0.1.0", "0.2.0", Bump.MAJOR)
