"""The chain of each subscription in the log: transfers numbered without gaps, each entry naming the last.

A ``grant`` carries the next transfer number; the ``done``, ``expire`` or ``abort`` that closes it carries the
same number and the grant's index. Each of them names, as ``prev``, the leaf hash of its subscription's entry
before it. A ``done`` that is marked late may follow an ``expire`` or an ``abort``.

A shard that is not the first begins with the heads that it carried over; a closing entry names the shard of
its grant, as ``gsh``, exactly when that is an earlier one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from audit.log.entry import Entry, EntryKind, Leaf, chain_digest
from contracts.errors import Corrupt
from contracts.messages import SubscriptionHead

GrantState: TypeAlias = Literal["open", "done", "expired", "aborted"]
STATE_AFTER: Mapping[EntryKind, GrantState] = {
    EntryKind.DONE: "done",
    EntryKind.EXPIRE: "expired",
    EntryKind.ABORT: "aborted",
}
"""The kinds of entry that close a grant, and how it then stands."""


class ChainBroken(Corrupt):
    """A subscription's entries do not follow one another."""

    code = "chain-broken"
    title_zh = "订阅的日志条目前后不衔接"


@dataclass(slots=True)
class _Subscription:
    provider: object
    consumer: object
    agreement: object
    transfers: int = 0
    last: str | None = None


@dataclass(slots=True)
class _Open:
    grant: object
    subscription: object
    seq: object
    state: GrantState = "open"


class Chains:
    """What has been seen of every subscription; entries are shown to it in the order of the log."""

    def __init__(self, heads: Iterable[SubscriptionHead] = (), origin: str = "") -> None:
        """Begin after ``heads``; ``origin`` is the log's name until its ``shard.open`` says it."""
        self._origin = origin
        self._subscriptions: dict[str, _Subscription] = {}
        # By (shard, index); grants of the shard that is being walked have no name of a shard.
        self._open: dict[tuple[str | None, int], _Open] = {}
        for head in heads:
            self._subscriptions[head.subscription] = _Subscription(
                head.provider, head.consumer, head.agreement, head.seq, head.last_leaf
            )
            for one in head.open_grants:
                # A walk that goes on inside a shard has open grants of that very shard.
                place = (None if one.origin == origin else one.origin, one.index)
                self._open[place] = _Open(one.grant, head.subscription, one.seq, one.state)

    def follow(self, index: int, entry: Entry | Leaf, leaf_hash: bytes) -> None:
        """Take the next entry; raise ChainBroken when it does not follow what its subscription has so far."""
        match entry.kind:
            case EntryKind.GRANT:
                self._grant(index, entry)
            case EntryKind.DONE | EntryKind.EXPIRE | EntryKind.ABORT:
                self._close(entry)
            case EntryKind.SHARD_OPEN:
                # What is open in the shard before has that shard's name from now on.
                self._open = {
                    (shard or self._origin, place): one for (shard, place), one in self._open.items()
                }
                self._origin = str(entry.fields["origin"])
                return
            case _:
                return
        self._subscriptions[str(entry.fields["sub"])].last = chain_digest(leaf_hash)

    @property
    def open_grants(self) -> int:
        """The number of grants that neither ``done`` nor ``expire`` nor ``abort`` has closed."""
        return sum(one.state == "open" for one in self._open.values())

    def heads(self) -> list[SubscriptionHead]:
        """Give the head of every subscription so far, by subscription."""
        waiting: dict[object, list[dict[str, object]]] = {}
        for (origin, index), one in self._open.items():
            place = {"origin": origin or self._origin, "index": index}
            grant = {"grant": one.grant, "seq": one.seq, "state": one.state, **place}
            waiting.setdefault(one.subscription, []).append(grant)
        return [
            SubscriptionHead.model_validate(
                {
                    "subscription": name,
                    "provider": chain.provider,
                    "consumer": chain.consumer,
                    "agreement": chain.agreement,
                    "seq": chain.transfers,
                    "last_leaf": chain.last,
                    "open_grants": waiting.get(name, []),
                }
            )
            for name, chain in sorted(self._subscriptions.items())
        ]

    def _grant(self, index: int, entry: Entry | Leaf) -> None:
        fields = entry.fields
        parties = (fields["prov"], fields["cons"], fields["agr"])
        name = str(fields["sub"])
        chain = self._subscriptions.get(name) or _Subscription(*parties)
        if fields["seq"] != chain.transfers + 1:
            raise ChainBroken(f"transfer {fields['seq']} of {name} follows transfer {chain.transfers}")
        if (chain.provider, chain.consumer, chain.agreement) != parties:
            raise ChainBroken(f"{name} has changed its parties or its agreement")
        self._check_previous(chain, entry)
        self._subscriptions[name] = chain
        chain.transfers += 1
        self._open[None, index] = _Open(fields["gid"], fields["sub"], fields["seq"])

    def _close(self, entry: Entry | Leaf) -> None:
        fields = entry.fields
        shard, index = fields.get("gsh"), fields["gidx"]
        place = (shard if isinstance(shard, str) else None, index if isinstance(index, int) else -1)
        found = self._open.get(place)
        if found is None:
            raise ChainBroken(f"entry {index} is no open grant")
        if (found.grant, found.subscription, found.seq) != (fields["gid"], fields["sub"], fields["seq"]):
            raise ChainBroken(f"the grant at {index} is another than the one that is closed")
        self._check_previous(self._subscriptions[str(fields["sub"])], entry)
        if entry.kind is EntryKind.DONE and (found.state == "open" or fields["late"]):
            del self._open[place]
        elif entry.kind is not EntryKind.DONE and found.state == "open":
            found.state = STATE_AFTER[entry.kind]
        else:
            raise ChainBroken(f"the grant at {index} is closed: {found.state}")

    @staticmethod
    def _check_previous(chain: _Subscription, entry: Entry | Leaf) -> None:
        if entry.fields["prev"] != chain.last:
            raise ChainBroken(f"prev does not name the entry before it of {entry.fields['sub']}")
