"""The log as this node has seen it: one history, vouched for by witnesses, under the pinned key.

Every checkpoint must extend, or be extended by, the largest one seen (RFC 9162 s2.1.4): by the node's own
mirror, by a path that came with it, or by one that the exchange gives. Where two checkpoints are proved to be
two histories, the proof is kept and the log is stopped (``nodes.witnessing.forks``). A clock behind the
newest verified moment refuses. What is verified is durable before it is used.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosignature
from audit.formats.merkle import ProofInvalid, consistency_roots, verify_consistency
from audit.formats.note import KeyType, NoteInvalid, VerifierKey, parse_note
from audit.formats.quorum import PolicyKey, QuorumMissing, WitnessPolicy
from audit.proofs.equivocation import prove_fork
from contracts.clock import Clock, from_epoch_ms, monotonic_seconds
from contracts.errors import HeadwatersError, Unavailable
from contracts.messages import Member, ShardList
from nodes.home import NodeIdentity
from nodes.trusting import trust_store as store
from nodes.trusting.shards import KnownShard, Shards, witnesses_at
from nodes.witnessing.forks import Forks, LogForked
from nodes.witnessing.mirror_files import Mirrors

log = structlog.get_logger(__name__)

MAX_SKEW = timedelta(seconds=5)
_REMEMBERED_CHECKPOINTS = 256
_LOOK_PAUSE_SECONDS = 1.0

WitnessKeys = Callable[[], Mapping[str, VerifierKey]]
"""Gives the keys of the witnesses that the verified directory names, by participant."""


class HistoryUnsettled(LogForked):
    """Two checkpoints of the log are not shown to be one history."""

    code = "history-unsettled"
    title_zh = "无法证明两个检查点属于同一历史"
    next_zh = "暂不采信;节点会继续向交换中心与其他见证方求证。"
    next_en = "Do not rely on it yet; the node goes on asking the exchange and the other witnesses."


class ShardOverrun(LogForked):
    """The log signed more of a shard than its last entry."""

    code = "shard-overrun"
    title_zh = "日志在分片结束之后仍签署了更多条目"
    next_zh = "保留该检查点作为证据,立即通知其他省与主管部门。"
    next_en = "Keep the checkpoint as evidence and tell the other provinces at once."


class ClockBehind(Unavailable):
    """This machine's clock is behind a moment that was verified."""

    code = "clock-behind"
    title_zh = "本机时钟落后于已验证的时间"
    next_zh = "校准本机时钟(NTP)后重试。"
    next_en = "Set this machine's clock (NTP) and try again."


class PathReader(Protocol):
    """Who gives consistency paths, unverified; ``nodes.broker.Broker`` is one."""

    def consistency(self, old: int, new: int, shard: int | None = None) -> list[bytes]: ...
    def shards(self) -> ShardList: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A checkpoint and the note that carries it."""

    claim: Checkpoint
    note: bytes


class LogSight:
    """What is verified of the log, and how it becomes so; safe to share between threads."""

    def __init__(
        self,
        identity: NodeIdentity,
        *,
        database: Database,
        paths: PathReader,
        clock: Clock,
        witness_keys: WitnessKeys,
        members: Callable[[], Sequence[Member]],
        forks: Forks,
        mirrors: Mirrors,
    ) -> None:
        self._identity = identity
        self._database = database
        self._paths = paths
        self._clock = clock
        self._witness_keys = witness_keys
        self._members = members
        self._forks = forks
        self._mirrors = mirrors
        self._shards = Shards(identity, database)
        self._looked_at_seconds = -_LOOK_PAUSE_SECONDS
        self._lock = threading.Lock()
        self._seen: dict[Checkpoint, None] = {}

    @property
    def shards(self) -> Shards:
        """The shards of the log that are known."""
        return self._shards

    def shard(self, origin: str) -> KnownShard:
        """Give a shard by its name, after a look for new ones where it is not known.

        Raises NoteInvalid when the log has no such shard; what the look raises, SuccessionBroken among it.
        """
        found = self._shards.named(origin)
        if found is None and self._may_look():
            try:
                self.look_for_shards()
            except HeadwatersError:
                self._looked_at_seconds = -_LOOK_PAUSE_SECONDS  # nothing is known yet, so look again
                raise
            found = self._shards.named(origin)
        if found is None:
            raise NoteInvalid(f"the log has no shard {origin[:80]}")
        return found

    def look_for_shards(self) -> None:
        """Ask the exchange for the shards and follow those that are proved.

        Raises SuccessionBroken, SuccessionUnproven, QuorumMissing, LogForked, ExchangeSilent.
        """
        self._shards.follow(self._paths.shards(), self._final)

    def see_checkpoint(self, note: bytes, offered: Sequence[bytes] = ()) -> Checkpoint:
        """Verify a checkpoint: signed by the log, and one history with the largest one seen.

        A cosignature by a known witness must hold too; that there are enough of them is ``witness_policy``'s
        matter. ``offered`` is a path between the two that came with the note, shared subtree first
        (``audit.proofs.equivocation.fork_path``); it is believed no more than any other.

        Raises:
            NoteInvalid, CheckpointInvalid: it is no checkpoint of this log.
            LogStopped: the log is proved to have signed two histories, now or before.
            HistoryUnsettled: nobody could show that the two are one history.
            ExchangeSilent: the exchange was needed for that, and does not answer.
        """
        signed = parse_note(note)
        claim = Checkpoint.parse(signed.text)
        shard = self.shard(claim.origin)
        self.check_open(claim.origin)
        verified = signed.verified([shard.key, *self._witness_keys().values()])
        if shard.key not in [key for key, _ in verified]:
            raise NoteInvalid("the pinned log did not sign this checkpoint")
        _check_end(shard, claim)
        times = [
            Cosignature.read(line).timestamp_seconds * 1000
            for key, line in verified
            if key.type is KeyType.COSIGNATURE
        ]
        if claim not in self._seen:
            self._connect(Sighting(claim, note), offered)
        moment = self._vouched(times)
        if moment is not None and moment > (self._newest_ms() or 0):
            with self._database.transaction() as session:
                store.raise_mark(session, store.NEWEST_AT, moment)
        return claim

    def overhear(self, note: bytes) -> Checkpoint:
        """Read a checkpoint that the log signed and hold it against the mirror alone; call nobody.

        Raises NoteInvalid, CheckpointInvalid, LogStopped.
        """
        signed = parse_note(note)
        claim = Checkpoint.parse(signed.text)
        shard = self._shards.named(claim.origin)
        if shard is None or not signed.verified([shard.key]):
            raise NoteInvalid("the pinned log did not sign this checkpoint")
        _check_end(shard, claim)
        self._mirrored(Sighting(claim, note))
        return claim

    def check_open(self, origin: str | None = None) -> None:
        """Raise LogStopped once a shard, the newest by default, is proved to have signed two histories."""
        self._forks.check(origin or self._shards.current().origin)

    def accuse(self, first: bytes, second: bytes, path: Sequence[bytes]) -> None:
        """Stop the log if two notes and a path prove two histories, and raise LogStopped; else do nothing."""
        try:
            shard = self._shards.named(Checkpoint.parse(parse_note(first).text).origin)
            if shard is None:
                return
            proof = prove_fork(first, second, shard.key, path)
        except HeadwatersError:
            return  # neither yes nor no: the caller says what that means
        self._forks.keep(proof.encode(), shard.key)
        self.check_open(shard.origin)

    def last_sighting(self, origin: str | None = None) -> Sighting | None:
        """Give the largest checkpoint of a shard, the newest by default, that was verified, with its note."""
        with self._database.read() as session:
            found = store.log_state(session, origin or self._shards.current().origin)
        return None if found is None else Sighting(*found)

    def last_checkpoint(self) -> Checkpoint | None:
        """Give the largest checkpoint of the newest shard that was verified."""
        last = self.last_sighting()
        return None if last is None else last.claim

    def newest_at(self) -> datetime | None:
        """Give the newest moment that the exchange, or enough witnesses, have vouched for."""
        ms = self._newest_ms()
        return None if ms is None else from_epoch_ms(ms)

    def guard_clock(self) -> datetime:
        """Give the present moment; raise ClockBehind when this clock is behind the newest verified one."""
        now = self._clock.now()
        newest = self.newest_at()
        if newest is not None and now + MAX_SKEW < newest:
            raise ClockBehind(f"the clock is {int((newest - now).total_seconds())} s behind")
        return now

    def witness_policy(self) -> WitnessPolicy:
        """Give the alliance's quorum over its witnesses; raise QuorumMissing while too few have joined."""
        keys = self._witness_keys()
        if len(keys) < self._identity.quorum:
            raise QuorumMissing(f"{len(keys)} witnesses have joined", have=len(keys))
        shards = self._shards.all()
        policy = WitnessPolicy.k_of_n(shards[0].key, keys, self._identity.quorum)
        return replace(policy, logs=tuple(PolicyKey(shard.key) for shard in shards))

    # --- private ----------------------------------------------------------------------------------

    def _final(self, note: bytes, key: VerifierKey) -> Checkpoint:
        """Judge the final checkpoint of a shard: its own key signed it, and a quorum of its witnesses."""
        claim = Checkpoint.parse(parse_note(note).text)
        parties = witnesses_at(self._members(), self._shards.origins(), claim)
        if len(parties) < self._identity.quorum:
            raise QuorumMissing(f"{len(parties)} witnesses have joined", have=len(parties))
        policy = WitnessPolicy.k_of_parties(key, parties, self._identity.quorum)
        policy.check(note, now=self.guard_clock())
        return self.see_checkpoint(note)

    def _may_look(self) -> bool:
        # A stranger's notes must not make this node ask the exchange without end.
        with self._lock:
            now = monotonic_seconds()
            if now - self._looked_at_seconds < _LOOK_PAUSE_SECONDS:
                return False
            self._looked_at_seconds = now
            return True

    def _vouched(self, times_ms: list[int]) -> int | None:
        # n - k witnesses may lie without breaking the quorum's promise; one more time than that is honest.
        needed = self._identity.witnesses - self._identity.quorum + 1
        return sorted(times_ms, reverse=True)[needed - 1] if len(times_ms) >= needed else None

    def _connect(self, seen: Sighting, offered: Sequence[bytes]) -> None:
        while True:
            last = self.last_sighting(seen.claim.origin)
            if last is not None:
                self._prove(last, seen, offered)
            with self._database.transaction() as session:
                # Two branches seen at once must meet each other, not only their common past.
                if store.advance_log(session, None if last is None else last.claim, seen.claim, seen.note):
                    break
        with self._lock:
            self._seen[seen.claim] = None
            if len(self._seen) > _REMEMBERED_CHECKPOINTS:
                del self._seen[next(iter(self._seen))]

    def _newest_ms(self) -> int | None:
        with self._database.read() as session:
            return store.mark(session, store.NEWEST_AT)

    def _prove(self, last: Sighting, seen: Sighting, offered: Sequence[bytes]) -> None:
        """Hold a checkpoint against the largest one; the mirror settles most, without a call."""
        old, new = sorted((last, seen), key=lambda one: one.claim.size)
        if old.claim.size == new.claim.size:
            if old.claim == new.claim:
                return
            self.accuse(old.note, new.note, ())
        if old.claim.size == 0 or self._mirrored(seen) or self._offered(old, new, offered):
            return
        number = self.shard(seen.claim.origin).number
        path = self._paths.consistency(old.claim.size, new.claim.size, number)
        try:
            verify_consistency(old.claim.size, new.claim.size, path, old.claim.root, new.claim.root)
        except ProofInvalid as error:
            self.accuse(old.note, new.note, path)
            sizes = f"{old.claim.size} and {new.claim.size}"
            log.error("history_unsettled", sizes=sizes)  # noqa: TRY400  # a fact, no stack
            raise HistoryUnsettled(f"sizes {sizes} are not shown to be one history") from error

    def _mirrored(self, seen: Sighting) -> bool:
        """Say whether the mirror holds this very history; what contradicts it is proved, if it can be."""
        try:
            mirror = self._mirrors.shard(self.shard(seen.claim.origin).number)
            whole, note = mirror.checkpoint(), mirror.note()
            if whole is None or note is None or seen.claim.size > whole.size:
                return False
            if mirror.root(seen.claim.size) == seen.claim.root:
                return True
            path = mirror.path(seen.claim.size, whole.size)
        except HeadwatersError:
            return False  # a damaged mirror proves nothing; its next round mends it
        self.accuse(seen.note, note, path)
        return False

    def _offered(self, old: Sighting, new: Sighting, path: Sequence[bytes]) -> bool:
        try:
            roots = consistency_roots(old.claim.size, new.claim.size, path)
        except ProofInvalid:
            return False
        if roots == (old.claim.root, new.claim.root):
            return True
        self.accuse(old.note, new.note, path)
        return False


def _check_end(shard: KnownShard, claim: Checkpoint) -> None:
    if shard.size is not None and claim.size > shard.size:
        log.error("shard_overrun", origin=shard.origin, size=claim.size, end=shard.size)
        raise ShardOverrun(f"{shard.origin} ended with {shard.size} entries, and {claim.size} were signed")
