"""The Merkle tree of the log: hashes, paths, and their verification (RFC 6962 s2.1, RFC 9162 s2.1).

The tree is a rule, not a store: builders ask a ``HashReader`` for the hash of a complete subtree, and
verifiers need nothing but the proof. Every hash is exactly 32 bytes; a proof that is one hash too long is
refused.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Self, TypeAlias

from contracts.errors import Invalid

HASH_SIZE = 32
MAX_PATH_HASHES = 63  # no tree of 2^63 leaves needs more
EMPTY_ROOT = hashlib.sha256(b"").digest()

HashReader: TypeAlias = Callable[[int, int], bytes]
"""Gives, for ``(level, index)``, the hash over leaves ``[index * 2^level, (index + 1) * 2^level)``."""


class ProofInvalid(Invalid):
    """The Merkle proof does not hold."""

    code = "proof-invalid"
    title_zh = "默克尔证明不成立"
    next_zh = "不要采信该证据;向另一来源重新获取证明与检查点。"
    next_en = "Do not rely on this evidence; fetch the proof and the checkpoint again from another source."


class OutsideTree(Invalid):
    """The index or size lies outside the tree."""

    code = "outside-tree"
    title_zh = "序号超出日志范围"
    next_zh = "先读取当前检查点的大小。"
    next_en = "Read the size of the current checkpoint first."


def leaf_hash(entry: bytes) -> bytes:
    """Hash the bytes of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Give the root over all ``leaf_hashes``, in order."""
    frontier = Frontier()
    for leaf in leaf_hashes:
        frontier.append(leaf)
    return frontier.root()


def root_from(size: int, reader: HashReader) -> bytes:
    """Give the root of the first ``size`` leaves."""
    return _range_hash(0, size, reader) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, reader: HashReader) -> list[bytes]:
    """Give the sibling hashes of leaf ``index`` in the tree of ``size``, leaf side first."""
    if not 0 <= index < size:
        raise OutsideTree(f"there is no leaf {index} in a tree of {size}", index=index, size=size)
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, reader))
            end = middle
        else:
            path.append(_range_hash(start, middle, reader))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, reader: HashReader) -> list[bytes]:
    """Prove that the tree of ``old`` leaves is a prefix of the tree of ``new`` (RFC 6962 s2.1.2).

    Empty when ``old`` is 0 or equals ``new``; raises OutsideTree.
    """
    if not 0 <= old <= new:
        raise OutsideTree(f"a tree of {old} is no prefix of a tree of {new}", old=old, new=new)
    if old in {0, new}:
        return []
    start, end, path = 0, new, []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_hash(middle, end, reader))
            end = middle
        else:
            path.append(_range_hash(start, middle, reader))
            start = middle
    if start:  # otherwise the verifier knows this hash: it is the old root
        path.append(_range_hash(start, end, reader))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise ProofInvalid unless ``leaf`` is number ``index`` under ``root`` (RFC 9162 s2.1.3.2)."""
    _check_sizes([leaf, root, *path])
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} lies outside a tree of {size}")
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid("the inclusion path is too long")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            position, last = _drop_zeros(position, last)
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the inclusion path is too short")
    if result != root:
        raise ProofInvalid("the inclusion path leads to another root")


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise ProofInvalid unless the tree of ``new`` extends that of ``old`` (RFC 9162 s2.1.4.2)."""
    _check_sizes([old_root, new_root, *path])
    if not 0 <= old <= new:
        raise ProofInvalid(f"a tree of {old} is no prefix of a tree of {new}")
    if old in {0, new}:
        _verify_trivial(old, new, path, old_root, new_root)
        return
    if not path:
        raise ProofInvalid("the consistency path is empty")
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if consistency_roots(old, new, hashes) != (old_root, new_root):
        raise ProofInvalid("the two trees are not consistent")


def consistency_roots(old: int, new: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Give the roots of sizes ``old`` and ``new`` to which a consistency path leads (RFC 9162 s2.1.4.2).

    ``hashes`` begins with the subtree that both trees share: where ``old`` is a power of two, its own root,
    which a consistency path leaves out. Raises ProofInvalid for a path of another shape.
    """
    _check_sizes(hashes)
    if not 0 < old < new or not hashes:
        raise ProofInvalid(f"no path leads from a tree of {old} to a tree of {new}")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_result = new_result = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid("the consistency path is too long")
        if position & 1 or position == last:
            old_result = node_hash(sibling, old_result)
            new_result = node_hash(sibling, new_result)
            position, last = _drop_zeros(position, last)
        else:
            new_result = node_hash(new_result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the consistency path is too short")
    return old_result, new_result


class Frontier:
    """The right edge of a growing tree: its complete subtrees, largest first; 32 bytes a level."""

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count():
            raise OutsideTree(f"{len(hashes)} hashes are no right edge of a tree of {size}")
        _check_sizes(hashes)
        self._size = size
        self._hashes = list(hashes)

    @classmethod
    def read(cls, size: int, reader: HashReader) -> Self:
        """Collect the right edge of the tree of ``size``."""
        return cls(size, _subtrees(0, size, reader))

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The complete subtrees, largest (leftmost) first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size, result = self._size, leaf
        while size & 1:
            result = node_hash(self._hashes.pop(), result)
            size >>= 1
        self._hashes.append(result)
        self._size += 1

    def extend(self, leaves: Sequence[bytes]) -> list[list[bytes]]:
        """Add many leaf hashes at once, and give the hashes of the subtrees they complete, level by level."""
        size, nodes = self._size, list(leaves)
        self._size += len(nodes)
        sha256, levels, edge = hashlib.sha256, [nodes], []
        while nodes:
            row = [self._hashes.pop(), *nodes] if size & 1 else nodes
            if len(row) & 1:
                edge.append(row[-1])
            pairs = zip(row[::2], row[1::2], strict=False)
            # node_hash, without a call for each: this is what reading and writing a log spends its time on.
            nodes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            levels.append(nodes)
            size >>= 1
        self._hashes += reversed(edge)
        return levels[:-1]

    def root(self) -> bytes:
        """Give the root of the tree as it stands."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT

    def copy(self) -> Self:
        """Give an independent right edge, to try a batch on."""
        return type(self)(self._size, self._hashes)


def _split(size: int) -> int:
    """Give the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtrees(start: int, end: int, reader: HashReader) -> list[bytes]:
    hashes = []
    while start < end:
        level = (end - start).bit_length() - 1
        hashes.append(reader(level, start >> level))
        start += 1 << level
    return hashes


def _range_hash(start: int, end: int, reader: HashReader) -> bytes:
    return _fold(_subtrees(start, end, reader))


def _fold(hashes: Sequence[bytes]) -> bytes:
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def _drop_zeros(position: int, last: int) -> tuple[int, int]:
    """Climb while this node has no sibling: it is alone on the right edge of its level."""
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _verify_trivial(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if path:
        raise ProofInvalid(f"the consistency of {old} and {new} has an empty path")
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofInvalid("an empty tree has another root")
    if old == new and old_root != new_root:
        raise ProofInvalid(f"two roots are claimed for one size {old}")


def _check_sizes(hashes: Iterable[bytes]) -> None:
    if any(len(value) != HASH_SIZE for value in hashes):
        raise ProofInvalid(f"a hash is not {HASH_SIZE} bytes")
