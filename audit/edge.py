"""The right edge of a growing log: the frontier that gives the root, and the tiles that still grow.

It is pure and cheap to copy, so a batch is tried on a copy and the copy is kept only once it is durable.
"""

from typing import Self

from audit.merkle import HASH_SIZE, Frontier, tree_root
from audit.tile import TILE_HEIGHT, TILE_WIDTH, TileHashReader, TileLoader

_FULL = TILE_WIDTH * HASH_SIZE


def tile_hashes(tile: bytes) -> list[bytes]:
    """Split a tile into its hashes."""
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]


class RightEdge:
    """What an appender must remember of a log: a few kilobytes, whatever the log's size."""

    __slots__ = ("_changed", "_frontier", "_tiles")

    def __init__(self, frontier: Frontier, tiles: list[bytes]) -> None:
        self._frontier = frontier
        self._tiles = tiles
        self._changed: dict[tuple[int, int], bytes] = {}

    @classmethod
    def read(cls, size: int, load: TileLoader) -> Self:
        """Load the edge of a log of ``size``; the caller holds ``root()`` against a signed checkpoint."""
        frontier = Frontier.read(size, TileHashReader(load, size))
        tiles, level, count = [], 0, size
        while count:
            n, width = divmod(count, TILE_WIDTH)
            tiles.append(load(level, n, width) if width else b"")
            level, count = level + 1, count >> TILE_HEIGHT
        return cls(frontier, tiles)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._frontier.size

    @property
    def changed(self) -> dict[tuple[int, int], bytes]:
        """The tiles ``(level, n)`` that grew since this copy was made, as they stand."""
        return self._changed

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash to the tree and to its tiles."""
        level, index, value = 0, self.size, leaf
        self._frontier.append(leaf)
        while True:
            if level == len(self._tiles):
                self._tiles.append(b"")
            tile = self._tiles[level] + value
            self._changed[level, index // TILE_WIDTH] = tile
            if len(tile) < _FULL:
                self._tiles[level] = tile
                return
            self._tiles[level] = b""
            level, index, value = level + 1, index // TILE_WIDTH, tree_root(tile_hashes(tile))

    def root(self) -> bytes:
        """Give the root of the tree as it stands."""
        return self._frontier.root()

    def copy(self) -> Self:
        """Give an independent edge in which nothing has changed yet."""
        return type(self)(self._frontier.copy(), list(self._tiles))
