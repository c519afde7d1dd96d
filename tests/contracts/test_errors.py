"""Every error has a title in two languages, a next step and an exit code."""

import pytest

from contracts import errors
from contracts.errors import HeadwatersError

CLASSES = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeadwatersError)
]
EXITS = {
    "Invalid": 1, "Usage": 64, "Unauthenticated": 1, "Refused": 1, "NotFound": 1, "Conflict": 1,
    "TooLarge": 1, "TooMany": 1, "Undecidable": 2, "Unavailable": 75, "Corrupt": 1, "HeadwatersError": 70,
}  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_speaks_two_languages(kind: type[HeadwatersError]) -> None:
    """An error carries both titles, both next steps, and the exit code of its family."""
    error = kind("what happened", index=3)

    assert all([error.title_en(), error.title_zh, error.next_zh, error.next_en])
    assert not any("一" <= sign <= "鿿" for sign in error.title_en() + error.next_en)
    assert (error.exit_code, error.detail, error.facts) == (
        EXITS[kind.__name__],
        "what happened",
        {"index": 3},
    )


def test_codes_are_unique() -> None:
    """No two classes share a code."""
    codes = [kind.code for kind in CLASSES]

    assert sorted(set(codes)) == sorted(codes)


def test_an_error_without_detail_says_its_title() -> None:
    """An error raised bare still says something."""
    assert str(errors.Corrupt()) == "Stored evidence contradicts itself"
