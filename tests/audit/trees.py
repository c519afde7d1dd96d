"""A log in memory, for tests: complete levels of hashes, and the files a static log consists of."""

from audit.formats.merkle import leaf_hash, node_hash, root_from
from audit.formats.tile import encode_bundle, entries_path, tiles_for


class MemoryTree:
    """All complete subtrees over some entries; a ``HashReader``."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries
        self.levels = [[leaf_hash(entry) for entry in entries]]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append(
                [node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)]
            )

    def __call__(self, level: int, index: int) -> bytes:
        """Give one complete subtree's hash."""
        return self.levels[level][index]

    def root(self, size: int) -> bytes:
        """Give the root of the first ``size`` entries."""
        return root_from(size, self)

    def tile(self, level: int, n: int, width: int) -> bytes:
        """Give the bytes of one tile; a tile loader."""
        return b"".join(self.levels[8 * level][256 * n : 256 * n + width])

    def files(self, size: int) -> dict[str, bytes]:
        """Give every tile and entry bundle of the log of ``size``, by path."""
        files = {}
        for tile in tiles_for(size):
            files[tile.path] = self.tile(*tile)
            if tile.level == 0:
                first = 256 * tile.n
                bundle = encode_bundle(self.entries[first : first + tile.width])
                files[entries_path(tile.n, tile.width)] = bundle
        return files


def numbered(count: int) -> MemoryTree:
    """Give the log of entries ``entry 0``, ``entry 1`` and so on."""
    return MemoryTree([b"entry %d" % index for index in range(count)])
