"""Two provinces and their exchange, and a register at the one that provides."""

from pathlib import Path

import pytest

from tests.nodes.delivering.registers import Register
from tests.nodes.sharing import World, exchange, joined, world

__all__ = ["exchange", "joined", "register", "world"]


@pytest.fixture
def register(world: World, tmp_path: Path) -> Register:
    """Give a register at the provider, with the manifest of a true release to write others after."""
    world.declare()
    folder = tmp_path / "register"
    folder.mkdir()
    return Register(world.provider, world.publish().manifest.statement, folder)
