"""The SM3 twin tree, held against a second SM3 and a plain recursive definition of the tree."""

import gmalg  # type: ignore[import-untyped]  # the library has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.walk.twin import TwinDamaged, TwinTree, twin_origin


def other_sm3(data: bytes) -> bytes:
    """Hash with an implementation that we did not write."""
    hasher = gmalg.SM3()
    hasher.update(data)
    return bytes(hasher.value())


def reference_root(entries: list[bytes]) -> bytes:
    """RFC 6962 s2.1 as it is written, over SM3."""
    if not entries:
        return other_sm3(b"")
    if len(entries) == 1:
        return other_sm3(b"\x00" + entries[0])
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return other_sm3(b"\x01" + reference_root(entries[:half]) + reference_root(entries[half:]))


@given(entries=st.lists(st.binary(max_size=8), max_size=20), cut=st.integers(0, 20))
def test_the_root_is_the_standard_s_over_sm3(entries: list[bytes], cut: int) -> None:
    """For any entries, grown in two pieces across a restart, the root is RFC 6962's with SM3 for SHA-256."""
    tree = TwinTree()
    tree.extend(entries[:cut])
    again = TwinTree.read(tree.size, tree.encode())
    again.extend(entries[cut:])

    assert again.root() == reference_root(entries)
    assert again.checkpoint("a.example/1").size == len(entries)
    assert again.checkpoint("a.example/1").origin == twin_origin("a.example/1") == "a.example/1/sm3"


@pytest.mark.parametrize(
    ("size", "raw"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (1, bytes(33))]
)
def test_a_damaged_edge_is_refused(size: int, raw: bytes) -> None:
    """An edge whose hashes cannot be that size's is not continued."""
    with pytest.raises(TwinDamaged):
        TwinTree.read(size, raw)
