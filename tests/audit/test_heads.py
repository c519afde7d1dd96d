"""The tree over subscription heads: each head can be shown alone, and so can that there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.completeness.heads import HeadsUnsorted, check_shown, find_shown, heads_root, show_heads
from audit.formats.merkle import ProofInvalid
from contracts.canonical import digest
from contracts.messages import SubscriptionHead

ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"


def head(name: str, seq: int = 1) -> SubscriptionHead:
    """Make a head."""
    return SubscriptionHead(
        subscription=name,
        provider="p-providerxxxx",
        consumer="p-consumerxxxx",
        agreement=digest("agr"),
        seq=seq,
        last_leaf=digest(seq),
        open_grants=[],
    )


def names(count: int) -> list[str]:
    """Give distinct subscription names in order."""
    return sorted("s-" + "x" * 10 + ALPHABET[n // 32] + ALPHABET[n % 32] for n in range(count))


@given(st.integers(1, 70), st.data())
def test_every_head_can_be_shown_alone(size: int, data: st.DataObject) -> None:
    """In a tree of any size each head is proved by its path, and no other head by that path."""
    heads = [head(name) for name in names(size)]
    root = heads_root(heads)
    at = data.draw(st.integers(0, size - 1))
    (shown,) = show_heads(heads, heads[at].subscription)

    assert find_shown([shown], heads[at].subscription, size, root) == heads[at]
    forged = shown.model_copy(update={"head": head(heads[at].subscription, seq=2)})
    with pytest.raises(ProofInvalid):
        check_shown(forged, size, root)


@given(st.integers(0, 40), st.data())
def test_what_is_not_there_is_shown_by_its_neighbours(size: int, data: st.DataObject) -> None:
    """A name between two neighbours, before the first, after the last, or in no tree at all, has no head."""
    every = names(size + 1)
    missing = data.draw(st.sampled_from(every))
    heads = [head(name) for name in every if name != missing]
    root = heads_root(heads)
    shown = show_heads(heads, missing)

    assert find_shown(shown, missing, size, root) is None
    if size > 2 and len(shown) == 2:
        for partial in ([], shown[:1], shown[1:], shown[::-1]):
            with pytest.raises(ProofInvalid):
                find_shown(partial, missing, size, root)


def test_a_head_cannot_be_hidden_behind_its_neighbours() -> None:
    """Neighbours that do not stand side by side prove nothing about what is between them."""
    heads = [head(name) for name in names(5)]
    root = heads_root(heads)
    left, right = (show_heads(heads, heads[at].subscription)[0] for at in (1, 3))

    for shown in ([left, right], [left], [right], []):
        with pytest.raises(ProofInvalid):
            find_shown(shown, heads[2].subscription, 5, root)


def test_a_path_that_is_no_base64_proves_nothing() -> None:
    """A malformed path is refused like a wrong one."""
    heads = [head(name) for name in names(3)]
    (shown,) = show_heads(heads, heads[0].subscription)

    with pytest.raises(ProofInvalid):
        check_shown(shown.model_copy(update={"path": ["no base64"]}), 3, heads_root(heads))


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_heads_stand_in_order_and_once(order: list[int]) -> None:
    """A tree with a subscription twice, or out of order, has no root."""
    with pytest.raises(HeadsUnsorted):
        heads_root([head(names(2)[at]) for at in order])
