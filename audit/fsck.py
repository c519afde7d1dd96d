"""Walk a whole log and name the first index at which it stops being true.

For every entry the walk recomputes its leaf hash, holds it against the tiles, parses it and follows its
subscription's chain; at every stored checkpoint it verifies the signature and the root. A checkpoint that was
kept elsewhere (by a witness, a reader, a report) is held against the log in the same way: that is how a log
that was cut off or written anew is found out.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.chains import Chains
from audit.checkpoint import Checkpoint
from audit.edge import RightEdge
from audit.entry import parse_entry
from audit.log_source import LogSource, StoredEntry
from audit.merkle import HASH_SIZE, Frontier, leaf_hash
from audit.note import VerifierKey, parse_note
from audit.quorum import WitnessPolicy
from audit.tile import TILE_HEIGHT, TILE_WIDTH
from contracts.errors import Corrupt, HeadwatersError, Invalid


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
class Report:
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


class _Bad(Exception):
    def __init__(self, index: int, what: str) -> None:
        super().__init__(what)
        self.damage = Damage(index, what)


def walk(source: LogSource, trusted: Trusted, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check the whole log in ``source``; ``progress`` hears the entries walked and the size, now and then.

    Raises Invalid when a checkpoint in ``trusted.against`` is not one of this log.
    """
    steps = _Walk(source, trusted, _kept_elsewhere(trusted))
    damage = None
    try:
        steps.run(progress)
    except _Bad as bad:
        damage = bad.damage
    return Report(steps.edge.size, steps.checked, steps.chains.open_grants, damage)


class _Walk:
    def __init__(self, source: LogSource, trusted: Trusted, against: list[_Claim]) -> None:
        self._source = source
        self._trusted = trusted
        self._against = against
        self._sound = 0  # the largest size whose signed root has been reached
        self.edge = RightEdge(Frontier(), [])
        self.chains = Chains()
        self.checked = 0

    def run(self, progress: Callable[[int, int], None] | None) -> None:
        claims = heapq.merge(
            (_Claim(size, note.encode(), _Kept.LOG) for size, note in self._source.checkpoints()),
            (_Claim(size, note.encode(), _Kept.PUBLISHED) for size, note in self._source.cosigned()),
            self._against,
            key=lambda claim: claim.place,
        )
        count = self._source.entry_count()
        for claim in claims:
            root = self._signed_root(claim)
            self._walk_to(claim, progress, max(count, claim.size))
            if root != self.edge.root():
                what = f"the entries up to {claim.size} do not lead to the root of {claim.kept} checkpoint"
                raise _Bad(self._sound, what)
            self._sound = claim.size
            self.checked += 1
        if count > self.edge.size:
            raise _Bad(self.edge.size, "no signed checkpoint covers the entries from here")

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
        tile = self._source.tile(0, n, first + end - start)
        self.edge = self.edge.copy()
        for index in range(start, end):
            entry = stored.get(index)
            if entry is None:
                raise _Bad(index, f"the entry is missing; {claim.kept} checkpoint promises {claim.size}")
            value = _check_bytes(entry)
            at = (index % TILE_WIDTH) * HASH_SIZE
            if tile[at : at + HASH_SIZE] != value:
                raise _Bad(index, "the entry and the tile of leaf hashes disagree")
            self._check_meaning(entry, value)
            self.edge.append(value)
        self._check_upper_tiles()

    def _entries(self, start: int, end: int) -> dict[int, StoredEntry]:
        try:
            return {entry.index: entry for entry in self._source.entries(start, end)}
        except HeadwatersError as error:
            raise _Bad(start, f"the entries cannot be read: {error}") from error

    def _check_meaning(self, entry: StoredEntry, value: bytes) -> None:
        try:
            parsed = parse_entry(entry.leaf)
            self.chains.follow(entry.index, parsed, value)
        except HeadwatersError as error:
            raise _Bad(entry.index, str(error)) from error
        if entry.kind is not None and entry.kind != parsed.kind:
            raise _Bad(entry.index, "the entry is filed under another kind")

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

    def _signed_root(self, claim: _Claim) -> bytes:
        """Verify a checkpoint before the walk relies on its size."""
        try:
            checkpoint = _verified(claim, self._trusted)
        except HeadwatersError as error:
            raise _Bad(self._sound, f"{claim.kept} checkpoint of size {claim.size}: {error}") from error
        if checkpoint.size != claim.size:
            raise _Bad(self._sound, f"{claim.kept} checkpoint is filed under size {claim.size}")
        return checkpoint.root


def _check_bytes(entry: StoredEntry) -> bytes:
    value = leaf_hash(entry.leaf)
    if entry.leaf_hash is not None and entry.leaf_hash != value:
        raise _Bad(entry.index, "the bytes of the entry are not those that were hashed")
    return value


def _verified(claim: _Claim, trusted: Trusted) -> Checkpoint:
    if trusted.policy is not None and claim.kept is _Kept.PUBLISHED:
        return trusted.policy.check(claim.note, now=trusted.now).checkpoint
    return _log_signed(claim.note, trusted.log_key)


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
