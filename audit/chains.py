"""The chain of each subscription in the log: transfers numbered without gaps, each entry naming the last.

A ``grant`` carries the next transfer number; the ``done`` or ``expire`` that closes it carries the same
number and the grant's index. Each of them names, as ``prev``, the leaf hash of its subscription's entry
before it. A ``done`` that is marked late may follow an ``expire``.
"""

from dataclasses import dataclass, field

from audit.entry import Entry, EntryKind, chain_digest
from contracts.errors import Corrupt


class ChainBroken(Corrupt):
    """A subscription's entries do not follow one another."""

    code = "chain-broken"
    title_zh = "订阅的日志条目前后不衔接"


@dataclass(slots=True)
class _Subscription:
    transfers: int = 0
    last: str | None = None


@dataclass(slots=True)
class _Open:
    grant: object
    subscription: object
    seq: object
    expired: bool = False


@dataclass
class Chains:
    """What has been seen of every subscription; entries are shown to it in the order of the log."""

    _subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)

    def follow(self, index: int, entry: Entry, leaf_hash: bytes) -> None:
        """Take the next entry; raise ChainBroken when it does not follow what its subscription has so far."""
        match entry.kind:
            case EntryKind.GRANT:
                self._grant(index, entry)
            case EntryKind.DONE | EntryKind.EXPIRE:
                self._close(entry)
            case _:
                return
        self._subscriptions[str(entry.fields["sub"])].last = chain_digest(leaf_hash)

    @property
    def open_grants(self) -> int:
        """The number of grants that neither ``done`` nor ``expire`` has closed."""
        return sum(not one.expired for one in self._open.values())

    def _grant(self, index: int, entry: Entry) -> None:
        fields = entry.fields
        chain = self._subscriptions.setdefault(str(fields["sub"]), _Subscription())
        if fields["seq"] != chain.transfers + 1:
            raise ChainBroken(
                f"transfer {fields['seq']} of {fields['sub']} follows transfer {chain.transfers}"
            )
        self._check_previous(chain, entry)
        chain.transfers += 1
        self._open[index] = _Open(fields["gid"], fields["sub"], fields["seq"])

    def _close(self, entry: Entry) -> None:
        fields = entry.fields
        place = fields["gidx"]
        found = self._open.get(place) if isinstance(place, int) else None
        if found is None or not isinstance(place, int):
            raise ChainBroken(f"entry {place} is no open grant")
        if (found.grant, found.subscription, found.seq) != (fields["gid"], fields["sub"], fields["seq"]):
            raise ChainBroken(f"the grant at {place} is another than the one that is closed")
        self._check_previous(self._subscriptions[str(fields["sub"])], entry)
        if entry.kind is EntryKind.DONE and (not found.expired or fields["late"]):
            del self._open[place]
        elif entry.kind is EntryKind.EXPIRE and not found.expired:
            found.expired = True
        else:
            raise ChainBroken(f"the grant at {place} had expired")

    @staticmethod
    def _check_previous(chain: _Subscription, entry: Entry) -> None:
        if entry.fields["prev"] != chain.last:
            raise ChainBroken(f"prev does not name the entry before it of {entry.fields['sub']}")
