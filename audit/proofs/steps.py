"""The numbered steps of a verdict: whatever fails in one is refused by its number and name."""

from collections.abc import Iterator
from contextlib import contextmanager

from audit.formats.merkle import ProofInvalid
from contracts.errors import HeadwatersError, Undecidable


@contextmanager
def step(refusal: type[ProofInvalid], number: int, name: str) -> Iterator[None]:
    """Raise ``refusal`` for anything that is wrong inside; what cannot be decided stays undecided."""
    try:
        yield
    except Undecidable:
        raise
    except HeadwatersError as error:
        if isinstance(error, refusal):
            raise
        raise refusal(f"step {number} ({name}): {error}", step=number) from error
