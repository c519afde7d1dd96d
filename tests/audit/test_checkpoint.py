"""Checkpoints have one spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import MAX_SIZE, Checkpoint, CheckpointInvalid
from audit.formats.merkle import EMPTY_ROOT

EMPTY = base64.b64encode(EMPTY_ROOT).decode()
ROOT = base64.b64encode(b"\x07" * 32).decode()


@given(st.integers(1, MAX_SIZE), st.binary(min_size=32, max_size=32))
def test_round_trip(size: int, root: bytes) -> None:
    """A checkpoint reads back as it was written."""
    checkpoint = Checkpoint("audit.example/log", size, root)

    assert Checkpoint.parse(str(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n1 \n{ROOT}\n",
        f"o\n{2**63}\n{ROOT}\n",
        f"o\n٣\n{ROOT}\n",
        f"o\n1\n{ROOT}\nextension\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT[:-1]}\n",
        f"o\n1\n{ROOT[:-2]}d=\n",
        f"o o\n1\n{ROOT}\n",
        f"o\r\n1\n{ROOT}\n",
        f"{'o' * 300}\n1\n{ROOT}\n",
        f"o\n0\n{ROOT}\n",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """Any other spelling, an extension line, and an empty log with a root of its own are refused."""
    with pytest.raises(CheckpointInvalid):
        Checkpoint.parse(text)


def test_values_out_of_range_are_refused() -> None:
    """A checkpoint that could not be read back is not made."""
    for origin, size, root in (("o", -1, EMPTY_ROOT), ("o", 1, b"short"), ("o o", 1, EMPTY_ROOT)):
        with pytest.raises(CheckpointInvalid):
            Checkpoint(origin, size, root)


def test_the_empty_log() -> None:
    """An empty log has the root of the empty tree; another claim is read only as a claim."""
    assert Checkpoint.parse(f"o\n0\n{EMPTY}\n").size == 0
    assert Checkpoint.parse_claim(f"o\n0\n{ROOT}\n").root == b"\x07" * 32


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No text crashes the parser, and what it accepts it writes the same."""
    for candidate in (text, f"{text}\n1\n{ROOT}\n", f"o\n{text}\n{ROOT}\n", f"o\n1\n{text}\n"):
        try:
            checkpoint = Checkpoint.parse(candidate)
        except CheckpointInvalid:
            continue
        assert str(checkpoint) == candidate
