"""Walk a whole log and name the first index at which it stops being true.

For every entry the walk recomputes its leaf hash, holds it against the tiles, parses it and follows its
subscription's chain; at every stored checkpoint it verifies the signature and the root. A checkpoint that was
kept elsewhere (by a witness, a reader, a report) is held against the log in the same way: that is how a log
that was cut off or written anew is found out. No entry may be dated well before the moment at which a quorum
had cosigned what stands below it.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import HASH_SIZE, Frontier, leaf_hash
from audit.formats.note import VerifierKey, parse_note
from audit.formats.quorum import WitnessPolicy
from audit.formats.tile import TILE_HEIGHT, TILE_WIDTH
from audit.log.chains import Chains
from audit.log.edge import RightEdge
from audit.log.entry import EntryKind, Leaf, parse_entry, read_leaf
from audit.log.log_store import StoredEntry
from audit.log.shards import SuccessionBroken
from audit.walk.fsck_locate import first_unproven
from audit.walk.log_source import LogSource
from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.errors import Corrupt, HeadwatersError, Invalid
from contracts.messages import SubscriptionHeads

_BOUNDS = frozenset({EntryKind.SHARD_OPEN, EntryKind.SHARD_CLOSE})

# A cosignature may still be on its way when the next entry comes, and clocks differ by some seconds.
MAX_BACK_DATING_MS = 120_000


class LogBad(Corrupt):
    """The log is damaged, cut off, or was written anew."""

    code = "log-bad"
    title_zh = "日志已损坏、被截断或被改写"


@dataclass(frozen=True, slots=True)
class Damage:
    """The first index from which the log cannot be relied on, and what is wrong there."""

    index: int
    what: str


@dataclass(frozen=True, slots=True)
class WalkReport:
    """What a walk has seen; ``damage`` is None when everything holds."""

    entries: int
    checkpoints: int
    open_grants: int
    damage: Damage | None

    def require_sound(self) -> None:
        """Raise LogBad when the walk has found damage."""
        if self.damage is not None:
            raise LogBad(f"at index {self.damage.index}: {self.damage.what}", index=self.damage.index)


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a walk relies on: the log's key, perhaps a witness policy, and checkpoints kept elsewhere.

    Without a policy, cosignatures are not judged. ``now`` bounds the times of cosignatures.
    """

    log_key: VerifierKey
    now: datetime
    policy: WitnessPolicy | None = None
    against: Sequence[bytes] = ()


class _Kept(StrEnum):
    LOG = "the log's own"
    PUBLISHED = "the published"
    ELSEWHERE = "the pinned"


@dataclass(frozen=True, slots=True)
class _Claim:
    """A checkpoint note that awaits the walk at its size."""

    size: int
    note: bytes
    kept: _Kept  # by whom, for the report

    @property
    def place(self) -> tuple[int, int]:
        """Where the walk meets it: by size, and at one size the log's own claim first."""
        return self.size, list(_Kept).index(self.kept)


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a verified checkpoint says, and when its witnesses cosigned it: 0 where none are judged."""

    size: int
    root: bytes
    cosigned_ms: int = 0


class _Bad(Exception):
    def __init__(self, index: int, what: str) -> None:
        super().__init__(what)
        self.damage = Damage(index, what)


def walk(
    source: LogSource, trusted: Trusted, progress: Callable[[int, int], None] | None = None
) -> WalkReport:
    """Check the whole log in ``source``; ``progress`` hears the entries walked and the size, now and then.

    Raises Invalid when a checkpoint in ``trusted.against`` is not one of this log.
    """
    steps = _Walk(source, trusted, _kept_elsewhere(trusted))
    damage = None
    try:
        steps.run(progress)
    except _Bad as bad:
        damage = bad.damage
    return WalkReport(steps.edge.size, steps.checked, steps.chains.open_grants, damage)


class _Walk:
    def __init__(self, source: LogSource, trusted: Trusted, against: list[_Claim]) -> None:
        self._source = source
        self._trusted = trusted
        self._against = against
        # The largest size whose root was reached: under the log's word alone, and under somebody else's too.
        self._sound = 0
        self._vouched = 0
        self._earliest_ms = 0  # no entry from here on may be dated before this
        self.edge = RightEdge(Frontier(), [])
        self.chains = Chains(origin=trusted.log_key.name)
        self.checked = 0
        self._ended = False  # shard.close has been met

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        claims = heapq.merge(
            (_Claim(size, note.encode(), _Kept.LOG) for size, note in self._source.checkpoints()),
            (_Claim(size, note.encode(), _Kept.PUBLISHED) for size, note in self._source.cosigned()),
            self._against,
            key=lambda claim: claim.place,
        )
        count = self._source.entry_count()
        for claim in claims:
            signed = self._signed_root(claim)
            try:
                self._walk_to(claim, progress, max(count, claim.size))
                self._check_root(claim, signed.root)
            except _Bad as bad:
                raise self._located(bad, claim, signed.root) from bad
            self._earliest_ms = max(self._earliest_ms, signed.cosigned_ms - MAX_BACK_DATING_MS)
            self._sound = claim.size
            self._vouched = claim.size if self._is_vouched(claim) else self._vouched
            self.checked += 1
        if count > self.edge.size:
            raise _Bad(self.edge.size, "no signed checkpoint covers the entries from here")

    def _check_root(self, claim: _Claim, root: bytes) -> None:
        if root != self.edge.root():
            what = f"the entries up to {claim.size} do not lead to the root of {claim.kept} checkpoint"
            raise _Bad(self._sound_for(claim), what)

    def _located(self, bad: _Bad, claim: _Claim, root: bytes) -> _Bad:
        """Name the index from which nothing is proven, where that lies before the one that was met."""
        found = [first_unproven(self._source, root, claim.size, self._sound_for(claim))]
        for kept in self._against:
            # What the log signed of itself may be made up whole; a checkpoint kept elsewhere is not.
            root = _verified(kept, self._trusted).root
            found.append(first_unproven(self._source, root, kept.size, self._vouched))
        return _Bad(min(index for index in (bad.damage.index, *found) if index is not None), str(bad))

    def _sound_for(self, claim: _Claim) -> int:
        """Say how far the log is proven, now that it contradicts ``claim``.

        Whoever wrote a history anew may hold the log's key: against a witness, the log's word proves nothing.
        """
        return self._vouched if self._is_vouched(claim) else self._sound

    def _is_vouched(self, claim: _Claim) -> bool:
        witnessed = claim.kept is _Kept.PUBLISHED and self._trusted.policy is not None
        return witnessed or claim.kept is _Kept.ELSEWHERE

    def _walk_to(self, claim: _Claim, progress: Callable[[int, int], None] | None, total: int) -> None:
        while (start := self.edge.size) < claim.size:
            end = min(claim.size, (start // TILE_WIDTH + 1) * TILE_WIDTH)
            self._walk_bundle(start, end, claim)
            if progress is not None:
                progress(end, total)

    def _walk_bundle(self, start: int, end: int, claim: _Claim) -> None:
        """Check the entries ``start`` to ``end``, which lie in one bundle, and the tiles they complete."""
        n, first = divmod(start, TILE_WIDTH)
        stored = self._entries(start, end)
        tile = self._source.tile(0, n, first + end - start)[first * HASH_SIZE :]
        values = [leaf_hash(entry.leaf) for entry in stored]
        bad = _first_bad(start, end, stored, values, tile)
        self._check_meaning(stored if bad is None else stored[: bad.index - start], values)
        if bad is not None:
            raise _Bad(bad.index, f"{bad.what}; {claim.kept} checkpoint reaches {claim.size}")
        self.edge = self.edge.copy()
        self.edge.extend(values)
        self._check_upper_tiles()

    def _entries(self, start: int, end: int) -> Sequence[StoredEntry]:
        try:
            return self._source.entries(start, end)
        except HeadwatersError as error:
            raise _Bad(start, f"the entries cannot be read: {error}") from error

    def _check_meaning(self, stored: Sequence[StoredEntry], values: Sequence[bytes]) -> None:
        for entry, value in zip(stored, values, strict=False):
            try:
                leaf = read_leaf(entry.leaf)
                if self._ended or leaf.kind in _BOUNDS:
                    self._check_bound(entry.idx, leaf)
                self.chains.follow(entry.idx, leaf, value)
            except HeadwatersError as error:
                raise _Bad(entry.idx, str(error)) from error
            if entry.kind is not None and entry.kind != leaf.kind:
                raise _Bad(entry.idx, "the entry is filed under another kind")
            if self._earliest_ms and _moment_ms(leaf, entry.leaf) < self._earliest_ms:
                raise _Bad(entry.idx, "the entry is dated before what had been cosigned when it came")

    def _check_bound(self, index: int, leaf: Leaf) -> None:
        """Hold a shard to its first and last entry: both name where every subscription stood."""
        fields = leaf.fields
        if self._ended:
            raise SuccessionBroken("an entry follows shard.close")
        if leaf.kind is EntryKind.SHARD_CLOSE:
            if sha256_hex(SubscriptionHeads(heads=self.chains.heads()).canonical()) != fields["hds"]:
                raise SuccessionBroken("shard.close names other subscription heads than the entries lead to")
            self._ended = True
            return
        if index or fields["origin"] != self._trusted.log_key.name:
            raise SuccessionBroken("shard.open is not the first entry of the shard it names")
        if fields["hds"] is None:
            return
        heads = self._source.heads() or b""
        if sha256_hex(heads) != fields["hds"]:
            raise SuccessionBroken("the subscription heads that were carried over are missing, or others")
        self.chains = Chains(SubscriptionHeads.parse(heads).heads, self._trusted.log_key.name)

    def _check_upper_tiles(self) -> None:
        for (level, n), hashes in self.edge.changed.items():
            if not level:
                continue
            first = n * TILE_WIDTH << (TILE_HEIGHT * level)
            stored = self._source.tile(level, n, len(hashes) // HASH_SIZE)
            for at in range(0, len(hashes), HASH_SIZE):
                if stored[at : at + HASH_SIZE] != hashes[at : at + HASH_SIZE]:
                    index = first + (at // HASH_SIZE << (TILE_HEIGHT * level))
                    raise _Bad(index, f"the tile of level {level} disagrees with the entries under it")

    def _signed_root(self, claim: _Claim) -> _Signed:
        """Verify a checkpoint before the walk relies on its size."""
        try:
            signed = _verified(claim, self._trusted)
        except HeadwatersError as error:
            what = f"{claim.kept} checkpoint of size {claim.size}: {error}"
            raise _Bad(self._sound_for(claim), what) from error
        if signed.size != claim.size:
            raise _Bad(self._sound_for(claim), f"{claim.kept} checkpoint is filed under size {claim.size}")
        return signed


def _first_bad(
    start: int, end: int, stored: Sequence[StoredEntry], values: Sequence[bytes], tile: bytes
) -> Damage | None:
    """Name the first entry that is missing, or that the store or its tile contradicts."""
    whole = len(stored) == end - start and stored[0].idx == start and stored[-1].idx == end - 1
    hashed = [
        value if entry.leaf_hash is None else entry.leaf_hash
        for entry, value in zip(stored, values, strict=True)
    ]
    if whole and b"".join(values) == tile and hashed == values:
        return None  # the store gives each index once and in order, so both ends fix what lies between
    for at in range(end - start):
        if at >= len(stored) or stored[at].idx != start + at:
            return Damage(start + at, "the entry is missing")
        if hashed[at] != values[at]:
            return Damage(start + at, "the bytes of the entry are not those that were hashed")
        if tile[at * HASH_SIZE : (at + 1) * HASH_SIZE] != values[at]:
            return Damage(start + at, "the entry and the tile of leaf hashes disagree")
    return Damage(end - 1, "the tile of leaf hashes is too long")


def _verified(claim: _Claim, trusted: Trusted) -> _Signed:
    if trusted.policy is not None and claim.kept is not _Kept.LOG:
        try:
            witnessed = trusted.policy.check(claim.note, now=trusted.now)
        except HeadwatersError:
            if claim.kept is _Kept.PUBLISHED:
                raise
        else:
            cosigned_ms = 0 if witnessed.cosigned_at is None else epoch_ms(witnessed.cosigned_at)
            return _Signed(witnessed.checkpoint.size, witnessed.checkpoint.root, cosigned_ms)
    checkpoint = _log_signed(claim.note, trusted.log_key)
    return _Signed(checkpoint.size, checkpoint.root)


def _moment_ms(leaf: Leaf, raw: bytes) -> int:
    moment = leaf.fields.get("ts")
    return moment if isinstance(moment, int) else epoch_ms(parse_entry(raw).at)


def _log_signed(note: bytes, key: VerifierKey) -> Checkpoint:
    parsed = parse_note(note)
    if not parsed.verified([key]):
        raise Invalid("the log's key did not sign it")
    checkpoint = Checkpoint.parse(parsed.text)
    if checkpoint.origin != key.name:
        raise Invalid("it is another log's")
    return checkpoint


def _kept_elsewhere(trusted: Trusted) -> list[_Claim]:
    claims = [
        _Claim(_log_signed(note, trusted.log_key).size, note, _Kept.ELSEWHERE) for note in trusted.against
    ]
    return sorted(claims, key=lambda claim: claim.place)
