"""Histories of transfers for tests: entries that follow one another as the exchange would write them."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audit.completeness.counts import CountedTransfer, count_lines, totals
from audit.completeness.heads import heads_root
from audit.formats.merkle import leaf_hash
from audit.keys.signing import SigningKey
from audit.log.chains import Chains
from audit.log.entry import Entry, EntryKind, chain_digest
from contracts.canonical import Json, digest, sha256_hex
from contracts.clock import epoch_ms
from contracts.messages import SubscriptionHead, SubscriptionHeads
from tests.audit.logs import NOW, ORIGIN

PROVIDER, CONSUMER = "p-providerxxxx", "p-consumerxxxx"
_KEY = SigningKey.from_seed(bytes([7]) * 32).public.text


@dataclass
class Told:
    """One grant of a story; ``state`` is how it ended."""

    gid: str
    sub: str
    seq: int
    shard: str
    index: int
    state: str = "open"


@dataclass
class Story:
    """Writes entries one after the other; ``books`` is what both sides truly moved since the last cut."""

    entries: list[Entry] = field(default_factory=list)
    grants: list[Told] = field(default_factory=list)
    books: list[CountedTransfer] = field(default_factory=list)
    shards: list[tuple[str, int]] = field(default_factory=list)
    now: datetime = NOW
    _last: dict[str, str] = field(default_factory=dict)
    _count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _window: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self._window = (epoch_ms(self.now), epoch_ms(self.now))
        nothing: dict[str, Json] = {"from": None, "prev": None, "size": None, "hds": None}
        self._open_shard(ORIGIN, nothing)

    @property
    def origin(self) -> str:
        return self.shards[-1][0]

    def add(self, kind: EntryKind, fields: dict[str, Json]) -> int:
        """Append an entry a minute later; give its index in its shard."""
        self.now += timedelta(minutes=1)
        self.entries.append(Entry(kind, self.now, fields))
        return len(self.entries) - 1 - self.shards[-1][1]

    def grant(self, sub: str = "s-firstxxxxxxx") -> Told:
        self._count[sub] += 1
        seq = self._count[sub]
        gid = "g-" + sha256_hex(f"{sub}{seq}".encode())[7:19].translate(str.maketrans("0189", "abcd"))
        named = ("man", "agr", "rec", "obl", "pol", "dsc", "pur", "ev")
        fields: dict[str, Json] = {
            "gid": gid,
            "sub": sub,
            "seq": seq,
            "prev": self._last.get(sub),
            "prov": PROVIDER,
            "cons": CONSUMER,
            "ckey": _KEY,
            "dec": "c-abcdefghijkm",
            "exp": epoch_ms(self.now) + 600_000,
            **{name: digest(name) for name in named},
        }
        told = Told(gid, sub, seq, self.origin, self._link(sub, EntryKind.GRANT, fields))
        self.grants.append(told)
        return told

    def done(self, told: Told, *, logged: bool = True) -> None:
        """Let both sides sign; ``logged`` False leaves the entry out, as a hostile exchange would."""
        receipt = digest(told.gid)
        for role in ("provider", "consumer"):
            self.books.append(
                CountedTransfer(
                    subscription=told.sub,
                    role="provider" if role == "provider" else "consumer",
                    seq=told.seq,
                    grant=told.gid,
                    size_bytes=5,
                    receipt=receipt,
                )
            )
        if logged:
            late = told.state != "open"
            said: dict[str, Json] = {
                "cc": digest("cc"),
                "len": 5,
                "pr": receipt,
                "cr": digest("cr"),
                "late": late,
            }
            self._close(told, EntryKind.DONE, said)
            told.state = "done"

    def expire(self, told: Told) -> None:
        self._close(told, EntryKind.EXPIRE, {"pr": None})
        told.state = "expired"

    def abort(self, told: Told) -> None:
        self._close(told, EntryKind.ABORT, {"by": PROVIDER, "why": "checks-failed", "dig": digest("abort")})
        told.state = "aborted"

    def deny(self) -> None:
        fields: dict[str, Json] = {
            "cons": CONSUMER,
            "act": "transfer",
            "dec": "c-abcdefghijkm",
            "why": ["agreement.expired"],
            **{name: digest(name) for name in ("dsc", "pur", "pol", "ev")},
        }
        self.add(EntryKind.DENY, fields)

    def cut(self) -> int:
        """Cut the heads as the entries so far say."""
        heads = self.heads()
        since, until = self._window[1], epoch_ms(self.now + timedelta(minutes=1))
        self._window = (since, until)
        return self.add(
            EntryKind.HEADS, {"since": since, "until": until, "n": len(heads), "root": heads_root(heads)}
        )

    def counts(self) -> None:
        """Let both sides count what they moved in the window that was cut last."""
        since, until = self._window
        for part, role in ((PROVIDER, "provider"), (CONSUMER, "consumer")):
            lines = count_lines(one for one in self.books if one.role == role)
            sent, received = totals(lines)
            fields: dict[str, Json] = {
                "part": part,
                "since": since,
                "until": until,
                "sent": sent,
                "recv": received,
                "dig": digest(part),
            }
            self.add(EntryKind.COUNT, fields)
        self.books = []

    def next_shard(self, origin: str) -> None:
        carried = SubscriptionHeads(heads=self.heads()).canonical()
        hds = sha256_hex(carried)
        size = len(self.entries) + 1 - self.shards[-1][1]
        before = self.origin
        self.add(EntryKind.SHARD_CLOSE, {"next": origin, "key": _KEY, "hds": hds})
        self._open_shard(origin, {"from": before, "prev": digest("checkpoint"), "size": size, "hds": hds})

    def heads(self) -> list[SubscriptionHead]:
        """Compute the heads from the entries so far."""
        chains = Chains()
        for index, entry in self.placed():
            chains.follow(index, entry, leaf_hash(entry.encode()))
        return chains.heads()

    def placed(self) -> list[tuple[int, Entry]]:
        """Give each entry with its index in its shard."""
        placed, base = [], 0
        for place, entry in enumerate(self.entries):
            base = place if entry.kind is EntryKind.SHARD_OPEN else base
            placed.append((place - base, entry))
        return placed

    def _open_shard(self, origin: str, fields: dict[str, Json]) -> None:
        self.shards.append((origin, len(self.entries)))
        self.entries.append(Entry(EntryKind.SHARD_OPEN, self.now, {"origin": origin, **fields}))

    def _close(self, told: Told, kind: EntryKind, said: dict[str, Json]) -> None:
        shard: dict[str, Json] = {} if told.shard == self.origin else {"gsh": told.shard}
        fields: dict[str, Json] = {
            "gid": told.gid,
            "sub": told.sub,
            "seq": told.seq,
            "gidx": told.index,
            "prev": self._last[told.sub],
            **shard,
            **said,
        }
        self._link(told.sub, kind, fields)

    def _link(self, sub: str, kind: EntryKind, fields: dict[str, Json]) -> int:
        index = self.add(kind, fields)
        self._last[sub] = chain_digest(leaf_hash(self.entries[-1].encode()))
        return index
