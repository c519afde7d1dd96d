"""Proofs for several leaves of one tree at once: the hashes of everything beside them, left to right.

A path for one leaf is RFC 6962's audit path in another order; for a run of leaves the hashes inside the run
are left out, because whoever has the leaves computes them. Nothing may be left over, so there is one proof.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from audit.formats.merkle import HASH_SIZE, ProofInvalid, node_hash, tree_root


def subset_path(indexes: Sequence[int], leaves: Sequence[bytes]) -> list[bytes]:
    """Give the hashes that, with the leaves at ``indexes``, lead to the root over ``leaves``.

    ``indexes`` ascend and lie inside the tree; raises ProofInvalid otherwise.
    """
    _check(indexes, len(leaves))
    return list(_beside(0, len(leaves), indexes, leaves))


def subset_root(chosen: Mapping[int, bytes], size: int, path: Sequence[bytes]) -> bytes:
    """Give the root of the tree of ``size`` in which ``chosen`` stand; raise ProofInvalid.

    The caller compares it with the root that it trusts.
    """
    indexes = sorted(chosen)
    _check(indexes, size)
    if any(len(value) != HASH_SIZE for value in (*chosen.values(), *path)):
        raise ProofInvalid(f"a hash is not {HASH_SIZE} bytes")
    rest = iter(path)
    root = _root(0, size, indexes, chosen, rest)
    if next(rest, None) is not None:
        raise ProofInvalid("the path is too long")
    return root


def _beside(start: int, end: int, indexes: Sequence[int], leaves: Sequence[bytes]) -> Iterator[bytes]:
    if not indexes:
        yield tree_root(leaves[start:end])
    elif end - start > len(indexes):  # otherwise every leaf here is shown
        middle = _middle(start, end)
        left = [index for index in indexes if index < middle]
        yield from _beside(start, middle, left, leaves)
        yield from _beside(middle, end, indexes[len(left) :], leaves)


def _root(
    start: int, end: int, indexes: Sequence[int], chosen: Mapping[int, bytes], rest: Iterator[bytes]
) -> bytes:
    if not indexes:
        found = next(rest, None)
        if found is None:
            raise ProofInvalid("the path is too short")
        return found
    if end - start == len(indexes):
        return tree_root(chosen[index] for index in indexes)
    middle = _middle(start, end)
    left = [index for index in indexes if index < middle]
    return node_hash(
        _root(start, middle, left, chosen, rest), _root(middle, end, indexes[len(left) :], chosen, rest)
    )


def _middle(start: int, end: int) -> int:
    """Split as RFC 6962 does: at the largest power of two below the number of leaves."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def _check(indexes: Sequence[int], size: int) -> None:
    ascending = all(left < right for left, right in pairwise(indexes))
    if not indexes or not ascending or indexes[0] < 0 or indexes[-1] >= size:
        raise ProofInvalid(f"the leaves do not lie in a tree of {size}")
