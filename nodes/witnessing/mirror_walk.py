"""One walk down the tree of one shard: what lies on disk and fits stays, the rest comes from the source.

Everything is held against one checkpoint: the partial tiles at the right edge against its root, each full
tile against the hash above it, each bundle against its tile. Nothing is written before it fits.
"""

from collections.abc import Callable, Iterator, Mapping

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import HASH_SIZE, Frontier, leaf_hash, tree_root
from audit.formats.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileCorrupt,
    TileHashReader,
    decode_bundle,
    entries_path,
    tile_path,
    width_in,
)
from contracts.errors import Corrupt
from contracts.messages import Severity, Text
from nodes.alarms import Alarms
from nodes.witnessing.mirror_files import CHECKPOINT, MirrorFiles

MENDED = "mirror.mended"
MISMATCH = "mirror.mismatch"
MENDED_TITLE = Text(
    zh="镜像中有文件损坏,已重新获取", en="A file of the mirror was damaged and has been fetched again"
)
_MISMATCH_TITLE = Text(
    zh="交换中心给出的日志文件与其检查点不符",
    en="The exchange served a file of the log that does not fit its own checkpoint",
)


class MirrorMismatch(Corrupt):
    """A file of the log does not fit the checkpoint."""

    code = "mirror-mismatch"
    title_zh = "日志文件与检查点不符"
    next_zh = "镜像保持原状;联系交换中心,并运行 headwaters audit mirror 重试。"
    next_en = "The mirror stays as it was; ask the exchange, and run headwaters audit mirror again."


class Walk:
    """A walk under one checkpoint; ``fetched`` and ``mended`` tell what it did."""

    def __init__(
        self, files: MirrorFiles, source: Callable[[str], bytes], claim: Checkpoint, alarms: Alarms
    ) -> None:
        self.fetched = 0
        self.mended: list[str] = []
        self._files = files
        self._source = source
        self._claim = claim
        self._alarms = alarms
        self._edge: dict[int, bytes] = {}
        self._above: dict[tuple[int, int], bytes] = {}  # verified tiles above the leaves

    def edge(self, *, fresh: bool) -> None:
        """Take the partial tiles, which only the root binds; ``fresh`` ones come from the source."""
        size, names = self._claim.size, {}
        for level in range(_levels(size)):
            n, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            if width:
                names[level] = tile_path(level, n, width)
        found = {level: None if fresh else self._files.read(name) for level, name in names.items()}
        if not self._is_edge(found):
            fetched = {level: self._fetch(name) for level, name in names.items()}
            if not self._is_edge(fetched):
                raise self._mismatch(names[max(names)] if names else CHECKPOINT)
            for level, name in names.items():
                self._files.keep(name, fetched[level])
            damaged = [level for level, raw in found.items() if raw not in {None, fetched[level]}]
            self._note_mended([names[level] for level in damaged])
            found = {**fetched}
        self._edge = {level: raw for level, raw in found.items() if raw is not None}

    def fetch(self, since: int) -> None:
        """Make sure of everything that a copy of size ``since`` had not."""
        for level, n in downwards(self._claim.size, since):
            self.make_sure(level, n)

    def make_sure(self, level: int, n: int) -> None:
        """Make sure of one full tile, or, for level −1, of one bundle."""
        if level < 0:
            self._bundle(n)
        else:
            self._tile(level, n)

    def _tile(self, level: int, n: int) -> bytes:
        if width_in(self._claim.size, level, n) < TILE_WIDTH:
            return self._edge[level]
        if (level, n) in self._above:
            return self._above[level, n]
        parent = self._tile(level + 1, n // TILE_WIDTH)
        at = n % TILE_WIDTH * HASH_SIZE
        wanted = parent[at : at + HASH_SIZE]

        def fits(raw: bytes) -> bool:
            return len(raw) == TILE_WIDTH * HASH_SIZE and tree_root(_hashes(raw)) == wanted

        tile = self._obtain(tile_path(level, n), fits)
        if level:
            self._above[level, n] = tile
        return tile

    def _bundle(self, n: int) -> None:
        wanted = _hashes(self._tile(0, n))

        def fits(raw: bytes) -> bool:
            try:
                return [leaf_hash(entry) for entry in decode_bundle(raw)] == wanted
            except TileCorrupt:
                return False

        self._obtain(entries_path(n, len(wanted)), fits)

    def _obtain(self, path: str, fits: Callable[[bytes], bool]) -> bytes:
        raw = self._files.read(path)
        if raw is not None and fits(raw):
            return raw
        fresh = self._fetch(path)
        if not fits(fresh):
            raise self._mismatch(path)
        self._files.keep(path, fresh)
        self._note_mended([] if raw is None else [path])
        return fresh

    def _is_edge(self, found: Mapping[int, bytes | None]) -> bool:
        size = self._claim.size

        def load(level: int, n: int, width: int) -> bytes:
            raw = found.get(level)
            if raw is None or len(raw) != width * HASH_SIZE or n != size >> (TILE_HEIGHT * (level + 1)):
                raise TileCorrupt(f"there is no tile {n} at the edge of level {level}")
            return raw

        try:
            return Frontier.read(size, TileHashReader(load, size)).root() == self._claim.root
        except TileCorrupt:
            return False

    def _fetch(self, path: str) -> bytes:
        self.fetched += 1
        return self._source(path)

    def _note_mended(self, paths: list[str]) -> None:
        for path in paths:
            self.mended.append(path)
            self._alarms.raise_alarm(MENDED, Severity.LOW, MENDED_TITLE, {"path": path})

    def _mismatch(self, path: str) -> MirrorMismatch:
        facts: dict[str, int | str] = {"origin": self._claim.origin, "size": self._claim.size, "path": path}
        self._alarms.raise_alarm(MISMATCH, Severity.HIGH, _MISMATCH_TITLE, facts)
        return MirrorMismatch(f"{path} does not fit the checkpoint of size {self._claim.size}")


def downwards(size: int, since: int) -> Iterator[tuple[int, int]]:
    """Give the full tiles ``(level, n)`` that a log of ``since`` had not, top first, then the bundles.

    A bundle stands as level −1, the growing one at the end included.
    """
    for level in reversed(range(_levels(size))):
        below = TILE_HEIGHT * (level + 1)
        yield from ((level, n) for n in range(since >> below, size >> below))
    yield from ((-1, n) for n in range(since // TILE_WIDTH, -(-size // TILE_WIDTH)))


def _levels(size: int) -> int:
    return -(-size.bit_length() // TILE_HEIGHT)


def _hashes(tile: bytes) -> list[bytes]:
    return [tile[at : at + HASH_SIZE] for at in range(0, len(tile), HASH_SIZE)]
