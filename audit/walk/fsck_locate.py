"""Where a log that is known to be bad begins to be so, as exactly as its own tiles can prove.

A walk meets damage at some index, but whoever can recompute hashes may have changed earlier entries too.
Under the root of a signed checkpoint the tiles are authenticated from the top down, each by the hash above
it; the first entry that an authentic tile contradicts is the first bad one, and where a tile is not authentic
itself, nothing from its first entry on is proven.
"""

from audit.formats.merkle import HASH_SIZE, Frontier, leaf_hash, root_from, tree_root
from audit.formats.tile import TILE_WIDTH, TileCorrupt, TileHashReader, width_in
from audit.walk.log_source import LogSource
from contracts.errors import HeadwatersError


def first_unproven(source: LogSource, root: bytes, size: int, sound: int) -> int | None:
    """Name the first index at or after ``sound`` that the signed ``root`` over ``size`` does not vouch for.

    None means that the entries themselves lead to the root: what is damaged is derived from them. Everything
    below ``sound`` has been verified before.
    """
    if _root_of_entries(source, size) == root:
        return None
    tiles = _Authentic(source, root, size)
    for start in range(sound - sound % TILE_WIDTH, size, TILE_WIDTH):
        signed = tiles.read(0, start // TILE_WIDTH)
        if signed is None:
            return max(start, sound)
        stored = _hashes(source, start, min(start + TILE_WIDTH, size))
        for at in range(len(signed) // HASH_SIZE):
            if stored.get(start + at) != signed[at * HASH_SIZE : (at + 1) * HASH_SIZE]:
                return start + at
    return None


class _Authentic:
    """The tiles of a log of ``size``, each handed out only where ``root`` vouches for all of it."""

    def __init__(self, source: LogSource, root: bytes, size: int) -> None:
        self._source = source
        self._size = size
        self._kept: dict[tuple[int, int], bytes | None] = {}
        try:
            # The hashes at the right edge, of every level, are all in this root.
            self._edge_holds = root_from(size, TileHashReader(self._load, size)) == root
        except HeadwatersError:
            self._edge_holds = False

    def read(self, level: int, n: int) -> bytes | None:
        """Give a tile that is authentic; None for any other."""
        if (level, n) not in self._kept:
            self._kept[level, n] = self._verified(level, n)
        return self._kept[level, n]

    def _verified(self, level: int, n: int) -> bytes | None:
        width = width_in(self._size, level, n)
        try:
            tile = self._load(level, n, width)
        except HeadwatersError:
            return None
        if width < TILE_WIDTH:
            return tile if self._edge_holds else None
        above = self.read(level + 1, n // TILE_WIDTH)
        at = n % TILE_WIDTH * HASH_SIZE
        hashes = (tile[place : place + HASH_SIZE] for place in range(0, len(tile), HASH_SIZE))
        return tile if above is not None and tree_root(hashes) == above[at : at + HASH_SIZE] else None

    def _load(self, level: int, n: int, width: int) -> bytes:
        tile = self._source.tile(level, n, width)
        if len(tile) != width * HASH_SIZE:
            raise TileCorrupt("the tile is cut off")
        return tile


def _root_of_entries(source: LogSource, size: int) -> bytes | None:
    frontier = Frontier()
    for start in range(0, size, TILE_WIDTH):
        end = min(start + TILE_WIDTH, size)
        stored = _hashes(source, start, end)
        if len(stored) != end - start:
            return None
        frontier.extend([stored[index] for index in range(start, end)])
    return frontier.root()


def _hashes(source: LogSource, start: int, end: int) -> dict[int, bytes]:
    try:
        return {entry.idx: leaf_hash(entry.leaf) for entry in source.entries(start, end)}
    except HeadwatersError:
        return {}  # what cannot be read is not there
