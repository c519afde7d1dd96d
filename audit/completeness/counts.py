"""What a node counts: the transfers of one subscription that a window found done, and the root over them.

Exchange, provider and consumer compute the same root from what each of them knows by itself: the exchange
from ``done`` entries, a node from receipts that it signed or holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from audit.formats.merkle import leaf_hash, tree_root
from contracts.canonical import canonical_bytes
from contracts.identifiers import format_digest
from contracts.messages import CountLine


@dataclass(frozen=True, slots=True)
class CountedTransfer:
    """One transfer that is done, as one side sees it; ``receipt`` is the digest of the provider's receipt."""

    subscription: str
    role: Literal["provider", "consumer"]
    seq: int
    grant: str
    size_bytes: int
    receipt: str

    def leaf(self) -> bytes:
        """Give the bytes that are hashed; they are the same for both sides."""
        return canonical_bytes(
            {"grant": self.grant, "len": self.size_bytes, "pr": self.receipt, "seq": self.seq}
        )


def count_lines(transfers: Iterable[CountedTransfer]) -> list[CountLine]:
    """Sum up by subscription and role, in that order; the transfers may come in any."""
    ordered = sorted(transfers, key=lambda one: (one.subscription, one.role, one.seq, one.grant))
    return [_line(list(group)) for _, group in groupby(ordered, key=lambda one: (one.subscription, one.role))]


def differences(one: Sequence[CountLine], other: Sequence[CountLine]) -> list[str]:
    """Name the subscriptions in which two counts differ, in order, each once."""
    return sorted({line.subscription for line in [*one, *other] if not (line in one and line in other)})


def totals(lines: Iterable[CountLine]) -> tuple[int, int]:
    """Give how many transfers were sent and how many received."""
    rows = list(lines)
    return (
        sum(line.transfers for line in rows if line.role == "provider"),
        sum(line.transfers for line in rows if line.role == "consumer"),
    )


def _line(group: Sequence[CountedTransfer]) -> CountLine:
    return CountLine(
        subscription=group[0].subscription,
        role=group[0].role,
        transfers=len(group),
        size_bytes=sum(one.size_bytes for one in group),
        root=format_digest(tree_root(leaf_hash(one.leaf()) for one in group)),
    )
