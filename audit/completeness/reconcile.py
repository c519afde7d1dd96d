"""Reconcile a log with itself: grants end in one way, cuts say what the entries say, and counts agree.

    granted = done + aborted + expired + open        asked = granted + denied

It needs nothing but the entries, in the order of the log, shard after shard; so an auditor, or any node that
holds a copy, comes to the same report. What the nodes signed behind their ``count`` entries is compared by
whoever keeps it, against ``Window.lines``.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from audit.completeness.counts import CountedTransfer, count_lines
from audit.completeness.heads import heads_root
from audit.log.chains import STATE_AFTER, ChainBroken, Chains, GrantState
from audit.log.entry import Entry, EntryKind
from contracts.canonical import Json, sha256_hex
from contracts.clock import BEIJING, epoch_ms
from contracts.messages import CountLine, SubscriptionHeads


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit: a code, the place where it shows, and whom it is about."""

    code: str
    shard: str
    index: int
    about: str


@dataclass(slots=True)
class FollowedGrant:
    """One grant and how it ended so far; ``size_bytes`` is what both sides signed for."""

    grant: str
    provider: str
    consumer: str
    at: datetime
    state: GrantState = "open"
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request, or ``number`` of them rolled up; ``evidence`` is the entry's commitment."""

    consumer: str
    act: str | None
    at: datetime
    number: int
    evidence: str | None


@dataclass(frozen=True, slots=True)
class LoggedCount:
    """One ``count`` entry."""

    participant: str
    sent: int
    received: int
    digest: str
    shard: str
    index: int


@dataclass(slots=True)
class Window:
    """What lies between two cuts: transfers found done, and what nodes counted; milliseconds since 1970."""

    number: int
    since: int
    until: int
    owing: frozenset[str]
    moved: dict[str, list[CountedTransfer]]
    counts: dict[str, LoggedCount] = field(default_factory=dict)

    def lines(self, participant: str) -> list[CountLine]:
        """Give what a participant should have counted."""
        return count_lines(self.moved.get(participant, []))

    def totals(self, participant: str) -> tuple[int, int]:
        """Give how many transfers a participant should have counted as sent and as received."""
        moved = self.moved.get(participant, [])
        return sum(one.role == "provider" for one in moved), sum(one.role == "consumer" for one in moved)

    @property
    def missing(self) -> list[str]:
        """Name the sides whose count is not in the log."""
        return sorted(self.owing - self.counts.keys())


@dataclass(slots=True)
class PairDay:
    """What one province asked of another on one day (UTC+8), and what came of it."""

    day: date
    provider: str | None
    consumer: str
    granted: int = 0
    done: int = 0
    aborted: int = 0
    expired: int = 0
    open: int = 0
    denied: int = 0
    size_bytes: int = 0

    @property
    def asked(self) -> int:
        """Requests that were answered, with a grant or a refusal."""
        return self.granted + self.denied


class Reconciliation:
    """Takes the entries one after the other; what it finds is in its fields afterwards."""

    def __init__(self) -> None:
        self.grants: dict[tuple[str, int], FollowedGrant] = {}
        self.refusals: list[Refusal] = []
        self.windows: list[Window] = []
        self.problems: list[Problem] = []
        self.entries = 0
        self._chains = Chains()
        self._origin = ""
        self._until: int | None = None
        self._done: list[tuple[FollowedGrant, Entry]] = []

    def follow(self, index: int, entry: Entry, leaf_hash: bytes) -> None:
        """Take the next entry; in a new shard the index begins again with its ``shard.open``."""
        self.entries += 1
        if entry.kind is EntryKind.SHARD_OPEN:
            self._origin = str(entry.fields["origin"])
        if self._until is None:
            self._until = epoch_ms(entry.at)
        match entry.kind:
            case EntryKind.HEADS:
                self._cut(index, entry)
            case EntryKind.COUNT:
                self._count(index, entry)
            case EntryKind.DENY | EntryKind.DENY_ROLLUP:
                self._refuse(entry)
            case EntryKind.SHARD_CLOSE:
                self._check_carried(index, entry)
            case _:
                pass
        try:
            self._chains.follow(index, entry, leaf_hash)
        except ChainBroken:
            self._problem("chain-broken", index, str(entry.fields.get("sub")))
            return
        if entry.kind is EntryKind.GRANT:
            self._grant(index, entry)
        elif entry.kind in STATE_AFTER:
            self._close(entry)

    def days(self, provider_of: dict[str, str] | None = None) -> list[PairDay]:
        """Sum up by day and pair; ``provider_of`` names the provider behind a refusal's evidence."""
        found: dict[tuple[date, str, str], PairDay] = {}
        for one in self.grants.values():
            row = _row(found, one.at, one.provider, one.consumer)
            row.granted += 1
            setattr(row, one.state, getattr(row, one.state) + 1)
            row.size_bytes += one.size_bytes
        for refusal in self.refusals:
            if refusal.act in {"transfer", None}:
                provider = (provider_of or {}).get(refusal.evidence or "")
                _row(found, refusal.at, provider, refusal.consumer).denied += refusal.number
        return [found[key] for key in sorted(found)]

    # --- what each kind of entry means -------------------------------------------------------------

    def _grant(self, index: int, entry: Entry) -> None:
        fields = entry.fields
        parties = (str(fields["prov"]), str(fields["cons"]))
        self.grants[self._origin, index] = FollowedGrant(str(fields["gid"]), *parties, entry.at)

    def _close(self, entry: Entry) -> None:
        place = entry.fields["gidx"]
        grant = self.grants[
            str(entry.fields.get("gsh", self._origin)), place if isinstance(place, int) else 0
        ]
        grant.state = STATE_AFTER[entry.kind]
        if entry.kind is EntryKind.DONE:
            grant.size_bytes = _int(entry.fields["len"])
            self._done.append((grant, entry))

    def _refuse(self, entry: Entry) -> None:
        fields = entry.fields
        rolled = entry.kind is EntryKind.DENY_ROLLUP
        self.refusals.append(
            Refusal(
                consumer=str(fields["cons"]),
                act=None if rolled else str(fields["act"]),
                at=entry.at,
                number=_int(fields["n"]) if rolled else 1,
                evidence=None if rolled else str(fields["ev"]),
            )
        )

    def _cut(self, index: int, entry: Entry) -> None:
        fields, heads = entry.fields, self._chains.heads()
        since, until = _int(fields["since"]), _int(fields["until"])
        if since != self._until or until < since:
            self._problem("window-gap", index, f"{since}")
        if (fields["n"], fields["root"]) != (len(heads), heads_root(heads)):
            self._problem("heads-differ", index, str(fields["root"]))
        moved: dict[str, list[CountedTransfer]] = defaultdict(list)
        for grant, done in self._done:
            moved[grant.provider].append(_counted("provider", done))
            moved[grant.consumer].append(_counted("consumer", done))
        owing = frozenset(name for head in heads for name in (head.provider, head.consumer))
        self.windows.append(Window(len(self.windows) + 1, since, until, owing, dict(moved)))
        self._until, self._done = until, []

    def _count(self, index: int, entry: Entry) -> None:
        fields = entry.fields
        who, span = str(fields["part"]), (_int(fields["since"]), _int(fields["until"]))
        window = next((one for one in reversed(self.windows) if (one.since, one.until) == span), None)
        if window is None or who in window.counts:
            self._problem("count-unasked", index, who)
            return
        count = LoggedCount(
            participant=who,
            sent=_int(fields["sent"]),
            received=_int(fields["recv"]),
            digest=str(fields["dig"]),
            shard=self._origin,
            index=index,
        )
        window.counts[who] = count
        if (count.sent, count.received) != window.totals(who):
            self._problem("count-differs", index, who)

    def _check_carried(self, index: int, entry: Entry) -> None:
        carried = SubscriptionHeads(heads=self._chains.heads()).canonical()
        if entry.fields["hds"] != sha256_hex(carried):
            self._problem("heads-differ", index, str(entry.fields["hds"]))

    def _problem(self, code: str, index: int, about: str) -> None:
        self.problems.append(Problem(code, self._origin, index, about))


def _row(
    found: dict[tuple[date, str, str], PairDay], at: datetime, provider: str | None, consumer: str
) -> PairDay:
    day = at.astimezone(BEIJING).date()
    return found.setdefault((day, provider or "", consumer), PairDay(day, provider, consumer))


def _counted(role: Literal["provider", "consumer"], done: Entry) -> CountedTransfer:
    fields = done.fields
    return CountedTransfer(
        subscription=str(fields["sub"]),
        role=role,
        seq=_int(fields["seq"]),
        grant=str(fields["gid"]),
        size_bytes=_int(fields["len"]),
        receipt=str(fields["pr"]),
    )


def _int(value: Json) -> int:
    """Give a number of an entry; the entry's own rules have said that it is one."""
    if not isinstance(value, int):
        raise TypeError("a field of an entry is no number")
    return value
