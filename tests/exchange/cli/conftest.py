"""What the tests of commands share: a wide terminal, whatever this one is."""

import pytest

from exchange.cli import output


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print on a wide terminal, so that no cell is folded."""
    monkeypatch.setattr(output.out, "_width", 220)
