"""The tree over subscription heads: sorted, hashed as RFC 6962 does, so that one head can be shown alone.

What is not in the tree is shown by its two neighbours: they stand side by side, and nothing is between them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from audit.formats.merkle import (
    ProofInvalid,
    inclusion_path,
    leaf_hash,
    node_hash,
    tree_root,
    verify_inclusion,
)
from contracts.errors import Invalid
from contracts.identifiers import digest_bytes, format_digest
from contracts.messages import ShownHead, SubscriptionHead
from contracts.spelling import NotBase64, from_base64, to_base64


class HeadsUnsorted(Invalid):
    """The subscription heads are not in order, or one stands twice."""

    code = "heads-unsorted"
    title_zh = "订阅末态未按顺序排列或有重复"


def head_leaf(head: SubscriptionHead) -> bytes:
    """Give the bytes of a head as they are hashed."""
    return head.canonical()


def heads_root(heads: Sequence[SubscriptionHead]) -> str:
    """Name all heads by the root of their tree, ``sha256:<hex>``; raise HeadsUnsorted."""
    names = [head.subscription for head in heads]
    if any(left >= right for left, right in pairwise(names)):
        raise HeadsUnsorted("heads stand by subscription, each once")
    return format_digest(tree_root(leaf_hash(head_leaf(head)) for head in heads))


def show_heads(heads: Sequence[SubscriptionHead], subscription: str) -> list[ShownHead]:
    """Show the head of ``subscription``, or the heads that stand where it would be: at most two."""
    place = bisect_left(heads, subscription, key=lambda head: head.subscription)
    if place < len(heads) and heads[place].subscription == subscription:
        positions = [place]
    else:
        positions = [at for at in (place - 1, place) if 0 <= at < len(heads)]
    read = _Hashes([leaf_hash(head_leaf(head)) for head in heads])
    return [
        ShownHead(
            position=at,
            head=heads[at],
            path=[to_base64(step) for step in inclusion_path(at, len(heads), read)],
        )
        for at in positions
    ]


def check_shown(shown: ShownHead, size: int, root: str) -> SubscriptionHead:
    """Give a head that is proved to stand in the tree of ``size``; raise ProofInvalid."""
    try:
        path = [from_base64(text) for text in shown.path]
    except NotBase64 as error:
        raise ProofInvalid("a hash of the path is not base64") from error
    leaf = leaf_hash(head_leaf(shown.head))
    verify_inclusion(leaf, shown.position, size, path, digest_bytes(root))
    return shown.head


def find_shown(
    shown: Sequence[ShownHead], subscription: str, size: int, root: str
) -> SubscriptionHead | None:
    """Give the proved head of ``subscription``, or None where it is proved that there is none.

    Raises ProofInvalid when neither is proved.
    """
    heads = [check_shown(one, size, root) for one in shown]
    if len(heads) == 1 and heads[0].subscription == subscription:
        return heads[0]
    names = [head.subscription for head in heads]
    positions = [one.position for one in shown]
    match positions:
        case [] if size == 0:
            return None
        case [0] if subscription < names[0]:
            return None
        case [last] if last == size - 1 and names[0] < subscription:
            return None
        case [left, right] if right == left + 1 and names[0] < subscription < names[1]:
            return None
        case _:
            raise ProofInvalid(f"the heads that are shown do not settle {subscription}")


class _Hashes:
    """Gives the hash of each complete subtree over leaf hashes, computed once."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]

    def __call__(self, level: int, index: int) -> bytes:
        while len(self._levels) <= level:
            below = self._levels[-1]
            self._levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        return self._levels[level][index]
