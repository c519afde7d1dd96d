"""A copy of one shard of the log in static files (c2sp.org/tlog-tiles), as the mirror keeps it.

``checkpoint`` comes last: whatever lies below its size was verified under it before it stayed. Reading
verifies nothing again, so what is built from here is held against a signed checkpoint by whoever uses it.
"""

from collections.abc import Iterator
from pathlib import Path

from audit.durable import write_private
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import EMPTY_ROOT, HASH_SIZE, root_from
from audit.formats.note import parse_note
from audit.formats.tile import (
    TILE_HEIGHT,
    TILE_WIDTH,
    TileHashReader,
    decode_bundle,
    entries_path,
    tile_path,
    width_in,
)
from audit.proofs.equivocation import fork_path
from contracts.errors import NotFound

CHECKPOINT = "checkpoint"


class NotMirrored(NotFound):
    """This part of the log is not in the mirror."""

    code = "not-mirrored"
    title_zh = "镜像中没有这部分日志"
    next_zh = "运行 headwaters audit mirror 查看镜像的进度。"
    next_en = "headwaters audit mirror says how far the mirror has come."


class MirrorFiles:
    """The files of one shard; every file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def note(self) -> bytes | None:
        """Give the checkpoint up to which the copy is whole."""
        return self.read(CHECKPOINT)

    def checkpoint(self) -> Checkpoint | None:
        """Give the claim of ``note``; raise NoteInvalid or CheckpointInvalid where the file is damaged."""
        raw = self.note()
        return None if raw is None else Checkpoint.parse(parse_note(raw).text)

    def read(self, path: str) -> bytes | None:
        """Read one file."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keep(self, path: str, content: bytes) -> None:
        """Write one file whole, durable before its name is seen."""
        place = self.folder / path
        self._make(place.parent)
        write_private(place, content)

    def tile(self, level: int, n: int, width: int, *, size: int) -> bytes:
        """Give a tile of a log of ``size``, cut to ``width`` hashes; raise NotMirrored."""
        whole = width_in(size, level, n)
        raw = self.read(tile_path(level, n, whole))
        if raw is None or len(raw) < width * HASH_SIZE:
            raise NotMirrored(f"{tile_path(level, n, whole)} is not in the mirror")
        return raw[: width * HASH_SIZE]

    def bundle(self, n: int, *, size: int) -> list[bytes]:
        """Give the entries of one bundle of a log of ``size``; raise NotMirrored or TileCorrupt."""
        path = entries_path(n, width_in(size, 0, n))
        raw = self.read(path)
        if raw is None:
            raise NotMirrored(f"{path} is not in the mirror")
        return decode_bundle(raw)

    def entries(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Give the entries from ``start`` up to the checkpoint, each with its index."""
        claim = self.checkpoint()
        size = 0 if claim is None else claim.size
        for n in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
            for at, leaf in enumerate(self.bundle(n, size=size)):
                index = n * TILE_WIDTH + at
                if index >= start:
                    yield index, leaf

    def reader(self, size: int) -> TileHashReader:
        """Read the hashes of a log of ``size``, which the files must hold."""
        return TileHashReader(lambda level, n, width: self.tile(level, n, width, size=size), size)

    def root(self, size: int) -> bytes:
        """Give the root of the first ``size`` entries below the checkpoint; raise NotMirrored."""
        return EMPTY_ROOT if size == 0 else root_from(size, self.reader(self._whole(size)))

    def path(self, old: int, new: int) -> list[bytes]:
        """Give the path from size ``new`` to its own root at ``old``, shared subtree first."""
        return fork_path(old, new, self.reader(self._whole(new)))

    def prune(self, size: int, since: int) -> None:
        """Remove the partial files of a log of ``since`` that a log of ``size`` has wider or whole."""
        level, count, before = 0, size, since
        while count:
            n, width = divmod(before, TILE_WIDTH)
            names = [tile_path(level, n)] + ([entries_path(n)] if level == 0 else [])
            for name in names if width else []:
                self._prune(Path(f"{name}.p"), keep=width_in(size, level, n))
            level, count, before = level + 1, count >> TILE_HEIGHT, before >> TILE_HEIGHT

    def _make(self, folder: Path) -> None:
        # mkdir(parents=True) would leave the folders in between open to everybody.
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)

    def _prune(self, folder: Path, *, keep: int) -> None:
        place = self.folder / folder
        if not place.is_dir():
            return
        for file in place.iterdir():
            if file.name != str(keep):
                file.unlink()
        if keep == TILE_WIDTH:
            place.rmdir()

    def _whole(self, size: int) -> int:
        claim = self.checkpoint()
        if claim is None or size > claim.size:
            raise NotMirrored(f"the mirror does not reach size {size}")
        return claim.size


class Mirrors:
    """The copies of all shards, one folder each, named by the shard's number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def shard(self, number: int) -> MirrorFiles:
        """Give the copy of shard ``number``, empty before the first round."""
        return MirrorFiles(self.folder / str(number))
