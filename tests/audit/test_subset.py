"""Several leaves are proven at once by what lies beside them, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.merkle import ProofInvalid, inclusion_path, leaf_hash, tree_root
from audit.formats.subset import subset_path, subset_root
from tests.audit.trees import MemoryTree

LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(300)]


@given(data=st.data(), size=st.integers(1, 300))
def test_any_leaves_of_any_tree_lead_to_its_root(data: st.DataObject, size: int) -> None:
    """Whatever leaves are chosen, they and the path give the root, with no hash to spare."""
    chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=20))
    leaves = LEAVES[:size]
    path = subset_path(sorted(chosen), leaves)
    shown = {index: leaves[index] for index in chosen}

    assert subset_root(shown, size, path) == tree_root(leaves)
    with pytest.raises(ProofInvalid):
        subset_root(shown, size, [*path, LEAVES[0]])
    if path:
        with pytest.raises(ProofInvalid):
            subset_root(shown, size, path[:-1])


@given(data=st.data(), size=st.integers(2, 300))
def test_another_leaf_place_or_hash_leads_elsewhere(data: st.DataObject, size: int) -> None:
    """A leaf that is changed or moved, and a hash that is changed, never give the root."""
    index = data.draw(st.integers(0, size - 1))
    leaves = LEAVES[:size]
    path, root = subset_path([index], leaves), tree_root(leaves)
    place = data.draw(st.integers(0, len(path) - 1))
    bent = [*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :]]

    assert subset_root({index: leaf_hash(b"other")}, size, path) != root
    assert subset_root({index: leaves[index]}, size, bent) != root
    for other in {(index + 1) % size, size - 1 - index} - {index}:
        try:
            found = subset_root({other: leaves[index]}, size, path)
        except ProofInvalid:
            continue
        assert found != root


@given(data=st.data(), size=st.integers(1, 300))
def test_one_leaf_has_the_hashes_of_its_audit_path(data: st.DataObject, size: int) -> None:
    """For one leaf the hashes are those of RFC 6962's audit path, in the order of the tree."""
    index = data.draw(st.integers(0, size - 1))
    tree = MemoryTree([b"leaf %d" % number for number in range(size)])

    assert sorted(subset_path([index], LEAVES[:size])) == sorted(inclusion_path(index, size, tree))


@pytest.mark.parametrize("indexes", [[], [0, 0], [2, 1], [-1], [5]])
def test_leaves_that_are_not_in_the_tree_are_refused(indexes: list[int]) -> None:
    """No leaves, leaves out of order or twice, and leaves outside the tree prove nothing."""
    with pytest.raises(ProofInvalid):
        subset_path(indexes, LEAVES[:5])


def test_a_hash_of_another_length_is_refused() -> None:
    """Every hash has 32 bytes."""
    path = subset_path([1], LEAVES[:2])

    with pytest.raises(ProofInvalid):
        subset_root({1: LEAVES[1]}, 2, [path[0][:-1]])
    with pytest.raises(ProofInvalid):
        subset_root({1: LEAVES[1] + b"\0"}, 2, path)
