"""Two provinces and their exchange."""

from tests.nodes.sharing import exchange, world

__all__ = ["exchange", "world"]
