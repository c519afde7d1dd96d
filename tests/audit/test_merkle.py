"""The tree, its proofs, and every way in which a proof may be wrong."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.merkle import (
    EMPTY_ROOT,
    Frontier,
    OutsideTree,
    ProofInvalid,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_from,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.audit.trees import MemoryTree, numbered

TREE = numbered(300)
ROOTS = [TREE.root(size) for size in range(301)]

# The reference vectors of Certificate Transparency: eight leaves, and the roots of their prefixes.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
N01 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
LEAF4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


def naive_root(leaves: list[bytes]) -> bytes:
    """Write RFC 6962 s2.1 down word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def test_reference_roots() -> None:
    """The eight reference leaves give the published roots."""
    leaves = [leaf_hash(leaf) for leaf in CT_LEAVES]

    assert [tree_root(leaves[:size]).hex() for size in range(9)] == CT_ROOTS
    assert EMPTY_ROOT.hex() == CT_ROOTS[0]


@pytest.mark.parametrize(
    ("index", "size", "expected"),
    [
        (0, 1, []),
        (0, 8, [N01, N23, N4567]),
        (5, 8, [LEAF4, N67, CT_ROOTS[4]]),
        (2, 3, [CT_ROOTS[2]]),
    ],
)
def test_reference_inclusion(index: int, size: int, expected: list[str]) -> None:
    """The reference inclusion paths come out as published."""
    assert [step.hex() for step in inclusion_path(index, size, MemoryTree(CT_LEAVES))] == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, []),
        (1, 8, [N01, N23, N4567]),
        (6, 8, [N45, N67, CT_ROOTS[4]]),
        (2, 5, [N23, LEAF4]),
    ],
)
def test_reference_consistency(old: int, new: int, expected: list[str]) -> None:
    """The reference consistency paths come out as published."""
    assert [step.hex() for step in consistency_path(old, new, MemoryTree(CT_LEAVES))] == expected


def test_roots_follow_the_rfc() -> None:
    """Root, frontier and the definition in the RFC agree for every size up to 300."""
    frontier = Frontier()
    for size in range(301):
        if size <= 70 or size % 37 == 0:
            assert naive_root(TREE.levels[0][:size]) == ROOTS[size]
        assert frontier.root() == ROOTS[size]
        assert Frontier.read(size, TREE).hashes == frontier.hashes
        if size < 300:
            frontier.append(TREE(0, size))


def test_every_inclusion_up_to_300() -> None:
    """Every leaf of every tree up to 300 has a path that verifies."""
    for size in range(1, 301):
        for index in range(size):
            path = inclusion_path(index, size, TREE)
            verify_inclusion(TREE(0, index), index, size, path, ROOTS[size])

    assert inclusion_path(0, 1, TREE) == []


def test_every_consistency_up_to_300() -> None:
    """Every pair of sizes up to 300 has a path that verifies."""
    for new in range(301):
        for old in range(new + 1):
            path = consistency_path(old, new, TREE)
            verify_consistency(old, new, path, ROOTS[old], ROOTS[new])

    assert consistency_path(0, 300, TREE) == []


@given(st.data())
def test_a_changed_inclusion_proof_fails(data: st.DataObject) -> None:
    """A flipped bit, another index or size, and a missing or extra hash are each refused."""
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path, leaf, root = inclusion_path(index, size, TREE), TREE(0, index), ROOTS[size]
    wrong = [
        (flipped(leaf), index, path, root),
        (leaf, index, path, flipped(root)),
        (leaf, index, [*path, root], root),
        (leaf, index, [leaf, *path], root),
        (leaf, size, path, root),
        (leaf, -1, path, root),
        (leaf, index, path, root + b"\x00"),
        (leaf[:-1], index, path, root),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong.append((leaf, index, [*path[:at], flipped(path[at]), *path[at + 1 :]], root))
        wrong.append((leaf, index, path[:at] + path[at + 1 :], root))
        wrong.append((leaf, data.draw(st.integers(0, size - 1).filter(lambda i: i != index)), path, root))
    for bad_leaf, bad_index, bad_path, bad_root in wrong:
        with pytest.raises(ProofInvalid):
            verify_inclusion(bad_leaf, bad_index, size, bad_path, bad_root)


@given(st.data())
def test_a_changed_consistency_proof_fails(data: st.DataObject) -> None:
    """A flipped bit, a swapped root, and a missing or extra hash are each refused."""
    new = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, new - 1))
    path = consistency_path(old, new, TREE)
    at = data.draw(st.integers(0, len(path) - 1))
    wrong = [
        ([*path[:at], flipped(path[at]), *path[at + 1 :]], ROOTS[old], ROOTS[new]),
        (path[:at] + path[at + 1 :], ROOTS[old], ROOTS[new]),
        ([*path, ROOTS[old]], ROOTS[old], ROOTS[new]),
        ([ROOTS[old], *path], ROOTS[old], ROOTS[new]),
        ([], ROOTS[old], ROOTS[new]),
        (path, flipped(ROOTS[old]), ROOTS[new]),
        (path, ROOTS[old], flipped(ROOTS[new])),
        (path, ROOTS[new], ROOTS[old]),
    ]
    for bad_path, old_root, new_root in wrong:
        with pytest.raises(ProofInvalid):
            verify_consistency(old, new, bad_path, old_root, new_root)
    with pytest.raises(ProofInvalid):
        verify_consistency(new, old, path, ROOTS[new], ROOTS[old])


@pytest.mark.parametrize(
    ("old", "new", "path", "old_root", "new_root"),
    [
        (0, 5, [ROOTS[5]], ROOTS[0], ROOTS[5]),
        (0, 5, [], ROOTS[1], ROOTS[5]),
        (5, 5, [ROOTS[5]], ROOTS[5], ROOTS[5]),
        (5, 5, [], ROOTS[5], ROOTS[4]),
        (0, 0, [], ROOTS[0], ROOTS[1]),
        (-1, 5, [], ROOTS[0], ROOTS[5]),
    ],
)
def test_edges_of_consistency(
    old: int, new: int, path: list[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Nothing but an empty proof joins equal or empty trees, and an empty tree has one root."""
    with pytest.raises(ProofInvalid):
        verify_consistency(old, new, path, old_root, new_root)


def test_no_proof_outside_the_tree() -> None:
    """A proof for a leaf or a size that does not exist is not made."""
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(OutsideTree):
            inclusion_path(index, size, TREE)
    for old, new in ((6, 5), (-1, 5)):
        with pytest.raises(OutsideTree):
            consistency_path(old, new, TREE)


def test_a_copied_frontier_is_independent() -> None:
    """A batch tried on a copy leaves the original as it was."""
    frontier = Frontier.read(7, TREE)
    trial = frontier.copy()
    trial.append(TREE(0, 7))

    assert (frontier.root(), trial.root(), trial.size) == (ROOTS[7], ROOTS[8], 8)


def test_a_frontier_of_another_size_is_refused() -> None:
    """A right edge has one hash for each bit of the size."""
    with pytest.raises(OutsideTree):
        Frontier(7, Frontier.read(6, TREE).hashes)


def test_all_roots_differ() -> None:
    """No two sizes share a root."""
    assert all(first != second for first, second in pairwise(ROOTS))
    assert root_from(0, TREE) == EMPTY_ROOT


def flipped(value: bytes) -> bytes:
    """Change one bit."""
    return value[:-1] + bytes([value[-1] ^ 1])


@given(st.lists(st.integers(0, 600), max_size=6))
def test_many_leaves_at_once_are_the_same_as_one_by_one(pieces: list[int]) -> None:
    """An edge that is extended by pieces is the one that is grown leaf by leaf, and names what it made."""
    leaves = [leaf_hash(b"%d" % number) for number in range(sum(pieces))]
    grown, single = Frontier(), Frontier()
    levels: dict[int, list[bytes]] = {}
    for count in pieces:
        for level, hashes in enumerate(grown.extend(leaves[grown.size : grown.size + count])):
            levels.setdefault(level, []).extend(hashes)
    for leaf in leaves:
        single.append(leaf)

    assert (grown.size, grown.hashes, grown.root()) == (single.size, single.hashes, single.root())
    for level, hashes in levels.items():
        width = 1 << level
        starts = range(0, len(leaves) - width + 1, width)
        assert hashes == [tree_root(leaves[start : start + width]) for start in starts]
