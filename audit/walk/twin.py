"""The SM3 twin: a second Merkle tree over the same leaves, hashed with SM3 (GB/T 32905) and signed with SM2.

C2SP fixes SHA-256 for the log itself. Where domestic rules ask for SM3, the twin gives the same history a
second root: leaf = SM3(0x00 || entry), node = SM3(0x01 || left || right), split as in RFC 6962 s2.1, under
the origin ``<origin>/sm3``. Its checkpoint is a signed note whose one line is the SM2 key's; its root is
anchored in the log as an entry, so that the log's witnesses vouch for the twin as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import HASH_SIZE
from audit.keys.suites import sm3
from audit.log.entry import parse_entry
from audit.walk.fsck import Damage
from audit.walk.log_source import LogSource, every_entry
from contracts.errors import Corrupt

_SUFFIX = "/sm3"
_ANCHOR = b'"t":"twin"'


class TwinDamaged(Corrupt):
    """The stored edge of the SM3 twin does not fit its size."""

    code = "twin-damaged"
    title_zh = "国密孪生树的存储边缘与其大小不符"
    next_zh = "删除孪生树状态后由日志条目重建,并运行 headwaters audit fsck。"
    next_en = "Run headwaters audit fsck; the twin is built anew from the log's entries."


class TwinTree:
    """The right edge of the twin: its complete subtrees, largest first; 32 bytes a level."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != size.bit_count() or any(len(value) != HASH_SIZE for value in hashes):
            raise TwinDamaged(f"{len(hashes)} hashes are no right edge of a tree of {size}")
        self.size = size
        self._hashes = list(hashes)

    @classmethod
    def read(cls, size: int, raw: bytes) -> Self:
        """Read the edge as ``encode`` wrote it; raise TwinDamaged."""
        return cls(size, [raw[at : at + HASH_SIZE] for at in range(0, len(raw), HASH_SIZE)])

    def encode(self) -> bytes:
        """Write the edge, to go on from it later."""
        return b"".join(self._hashes)

    def extend(self, entries: Iterable[bytes]) -> None:
        """Add entries, in the order of the log."""
        for entry in entries:
            size, result = self.size, sm3(b"\x00" + entry)
            while size & 1:
                result = _node(self._hashes.pop(), result)
                size >>= 1
            self._hashes.append(result)
            self.size += 1

    def root(self) -> bytes:
        """Give the root of the tree as it stands."""
        if not self._hashes:
            return sm3(b"")
        result = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            result = _node(left, result)
        return result

    def checkpoint(self, origin: str) -> Checkpoint:
        """Claim the size and root of the twin of the log ``origin``."""
        return Checkpoint(twin_origin(origin), self.size, self.root())


def twin_origin(origin: str) -> str:
    """Name the twin of a log."""
    return origin + _SUFFIX


def sm3_root_text(root: bytes) -> str:
    """Write a root as it stands in the log's anchors: ``sm3:`` and 64 hex digits."""
    return f"sm3:{root.hex()}"


def check_twins(sources: Sequence[LogSource]) -> Damage | None:
    """Build the twin of each sound shard anew and hold it against the anchors that the shards hold.

    Gives the first anchor that is wrong. The last anchor of a shard stands in the shard after it.
    """
    anchors = {source.origin: dict[int, _Anchor]() for source in sources}
    for source in sources:
        for place, leaf, *_ in every_entry(source):
            if _ANCHOR in leaf:
                entry = parse_entry(leaf)
                twin, size = str(entry.fields["origin"]), int(str(entry.fields["size"]))
                own = anchors.get(twin.removesuffix(_SUFFIX), {})
                if twin == twin_origin(source.origin) and size > place:
                    return Damage(place, f"the anchor speaks of {size} entries, which were not there yet")
                anchor = own.setdefault(size, _Anchor(place, str(entry.fields["srt"])))
                if anchor.root != entry.fields["srt"]:
                    return Damage(place, f"two anchors give the SM3 twin of {size} entries two roots")
    for source in sources:
        damage = _check_twin(source, anchors[source.origin])
        if damage is not None:
            return damage
    return None


class _Anchor(NamedTuple):
    place: int
    root: str


def _check_twin(source: LogSource, anchors: Mapping[int, _Anchor]) -> Damage | None:
    tree, last = TwinTree(), max(anchors, default=0)
    for _, leaf, *_ in every_entry(source):
        if tree.size == last:
            break
        tree.extend([leaf])
        anchor = anchors.get(tree.size)
        if anchor is not None and anchor.root != sm3_root_text(tree.root()):
            return Damage(anchor.place, f"the SM3 twin of {tree.size} entries has another root")
    return None if tree.size == last else Damage(tree.size, f"an SM3 anchor speaks of {last} entries")


def _node(left: bytes, right: bytes) -> bytes:
    return sm3(b"\x01" + left + right)
