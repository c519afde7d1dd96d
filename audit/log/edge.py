"""The right edge of a growing log: the frontier that gives the root, and the tiles that still grow.

It is pure and cheap to copy, so a batch is tried on a copy and the copy is kept only once it is durable.
"""

from collections.abc import Sequence
from typing import Self

from audit.formats.merkle import HASH_SIZE, Frontier
from audit.formats.tile import TILE_HEIGHT, TILE_WIDTH, TileHashReader, TileLoader

_FULL = TILE_WIDTH * HASH_SIZE


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

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes to the tree and to its tiles."""
        count = self.size
        grown = self._frontier.extend(leaves)
        for level, hashes in enumerate(grown[::TILE_HEIGHT]):
            self._grow(level, count, hashes)
            count >>= TILE_HEIGHT

    def _grow(self, level: int, count: int, hashes: Sequence[bytes]) -> None:
        """Write ``hashes`` behind the ``count`` hashes that this level of tiles has."""
        if level == len(self._tiles):
            self._tiles.append(b"")
        taken = 0
        while taken < len(hashes):
            n, width = divmod(count + taken, TILE_WIDTH)
            piece = hashes[taken : taken + TILE_WIDTH - width]
            tile = self._tiles[level] + b"".join(piece)
            self._changed[level, n] = tile
            self._tiles[level] = tile if len(tile) < _FULL else b""
            taken += len(piece)

    def root(self) -> bytes:
        """Give the root of the tree as it stands."""
        return self._frontier.root()

    def copy(self) -> Self:
        """Give an independent edge in which nothing has changed yet."""
        return type(self)(self._frontier.copy(), list(self._tiles))
