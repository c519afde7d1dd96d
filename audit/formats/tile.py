"""Tiles and entry bundles: how a log lies in files (c2sp.org/tlog-tiles v0.1.0).

A tile holds up to 256 hashes of one level in every eight; an entry bundle holds the bytes of the same 256
entries as the tile of level 0. Names have exactly one spelling, and a tile or bundle of another length than
its name says is refused.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from audit.formats.merkle import HASH_SIZE, OutsideTree, node_hash
from contracts.errors import Corrupt, Invalid

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF  # the bundle's length prefix has 16 bits

_INDEX = r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
_TILE = re.compile(rf"tile/([0-9]{{1,2}})/{_INDEX}", re.ASCII)
_ENTRIES = re.compile(rf"tile/entries/{_INDEX}", re.ASCII)
_MAX_PATH = 64  # longer than the name of the last tile of a log of 2^63 entries


class BadTilePath(Invalid):
    """The path names no tile."""

    code = "bad-tile-path"
    title_zh = "瓦片路径格式不正确"


class TileCorrupt(Corrupt):
    """A tile or an entry bundle is damaged."""

    code = "tile-corrupt"
    title_zh = "日志瓦片已损坏"


class TileCoordinate(NamedTuple):
    """One tile: level 0 holds leaf hashes; ``width`` below 256 marks a partial tile."""

    level: int
    n: int
    width: int

    @property
    def path(self) -> str:
        """The tile's path under the log's prefix."""
        return tile_path(self.level, self.n, self.width)


TileLoader: TypeAlias = Callable[[int, int, int], bytes]
"""Gives the bytes of the tile ``(level, n, width)``."""


def tile_path(level: int, n: int, width: int = TILE_WIDTH) -> str:
    """Name a tile: ``tile/0/x001/x234/067.p/12``."""
    if not 0 <= level <= MAX_LEVEL:
        raise BadTilePath(f"there is no level {level}")
    return f"tile/{level}/{_index_path(n, width)}"


def entries_path(n: int, width: int = TILE_WIDTH) -> str:
    """Name an entry bundle: ``tile/entries/001.p/44``."""
    return f"tile/entries/{_index_path(n, width)}"


def parse_tile_path(path: str) -> TileCoordinate:
    """Read the name of a hash tile; raise BadTilePath for any other spelling."""
    match = _TILE.fullmatch(path) if len(path) <= _MAX_PATH else None
    if match is None:
        raise BadTilePath(f"{path[:80]!r} names no tile")
    tile = TileCoordinate(int(match[1]), *_read_index(match[2], match[3]))
    if tile.path != path:
        raise BadTilePath(f"{path!r} is not the one spelling of its tile")
    return tile


def parse_entries_path(path: str) -> tuple[int, int]:
    """Read the name of an entry bundle as ``(n, width)``; raise BadTilePath for any other spelling."""
    match = _ENTRIES.fullmatch(path) if len(path) <= _MAX_PATH else None
    if match is None:
        raise BadTilePath(f"{path[:80]!r} names no entry bundle")
    n, width = _read_index(match[1], match[2])
    if entries_path(n, width) != path:
        raise BadTilePath(f"{path!r} is not the one spelling of its bundle")
    return n, width


def width_in(size: int, level: int, n: int) -> int:
    """Give the width of tile ``n`` of a level in a log of ``size``; on level 0 that of its bundle too."""
    return min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - n * TILE_WIDTH)


def tiles_for(size: int, since: int = 0) -> Iterator[TileCoordinate]:
    """Give every tile of a log of ``size`` that a log of ``since`` had not, level by level from the leaves.

    A bundle ``(n, width)`` belongs to each tile of level 0.
    """
    level, count, before = 0, size, since
    while count:
        for n in range(before // TILE_WIDTH, -(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - n * TILE_WIDTH)
            if n * TILE_WIDTH + width > before:
                yield TileCoordinate(level, n, width)
        level, count, before = level + 1, count >> TILE_HEIGHT, before >> TILE_HEIGHT


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Join up to 256 entries, each after its length in 16 bits; raise TileCorrupt beyond the limits."""
    parts = list(entries)
    if not 0 < len(parts) <= TILE_WIDTH:
        raise TileCorrupt(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(parts)}")
    if any(len(part) > MAX_ENTRY_BYTES for part in parts):
        raise TileCorrupt(f"an entry is longer than {MAX_ENTRY_BYTES} bytes")
    return b"".join(struct.pack(">H", len(part)) + part for part in parts)


def decode_bundle(raw: bytes) -> list[bytes]:
    """Split a bundle into its entries; raise TileCorrupt when it is empty, cut off or too long."""
    entries, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2])
        if at + 2 > len(raw) or end > len(raw):
            raise TileCorrupt("the entry bundle is cut off")
        entries.append(raw[at + 2 : end])
        at = end
    if not 0 < len(entries) <= TILE_WIDTH:
        raise TileCorrupt(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    return entries


class TileHashReader:
    """Reads the hashes of a log of ``size`` from its tiles; a ``HashReader``.

    It keeps the tiles it has loaded, so it serves one proof and not a process. It does not know the root:
    what is built from the tiles of a stranger holds only once it has been verified against a signed
    checkpoint.
    """

    def __init__(self, load: TileLoader, size: int) -> None:
        self._load = load
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Give the hash of one complete subtree; raise OutsideTree or TileCorrupt."""
        if level < 0 or index < 0 or (index + 1) << level > self._size:
            raise OutsideTree(f"subtree {index} of level {level} lies outside a log of {self._size}")
        tile_level, above = divmod(level, TILE_HEIGHT)
        n, first = divmod(index << above, TILE_WIDTH)
        tile = self._tile(tile_level, n)
        hashes = [tile[at : at + HASH_SIZE] for at in _offsets(first, 1 << above)]
        while len(hashes) > 1:
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    def _tile(self, level: int, n: int) -> bytes:
        if (level, n) not in self._tiles:
            width = width_in(self._size, level, n)
            raw = self._load(level, n, width)
            if len(raw) != width * HASH_SIZE:
                raise TileCorrupt(f"{tile_path(level, n, width)} has {len(raw)} bytes")
            self._tiles[level, n] = raw
        return self._tiles[level, n]


def _offsets(first: int, count: int) -> range:
    return range(first * HASH_SIZE, (first + count) * HASH_SIZE, HASH_SIZE)


def _index_path(n: int, width: int) -> str:
    if n < 0 or not 0 < width <= TILE_WIDTH:
        raise BadTilePath(f"there is no tile {n} of width {width}")
    digits = str(n)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "".join(f"x{group}/" for group in groups[:-1]) + groups[-1] + partial


def _read_index(groups: str, width: str | None) -> tuple[int, int]:
    return int(groups.replace("x", "").replace("/", "")), int(width) if width else TILE_WIDTH
