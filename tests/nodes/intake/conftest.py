"""Two provinces and their exchange."""

from tests.nodes.sharing import exchange, joined, world

__all__ = ["exchange", "joined", "world"]
