"""A whole copy of the log, kept by every node: what the exchange loses or rewrites, the alliance still has.

A round reads the newest quorum-cosigned checkpoint and fetches what the copy lacks, from the right edge of
the tree down to the entries; every tile and every bundle is held against that checkpoint before it stays, so
a round that was cut off goes on where it stopped. ``scrub`` holds what lies on disk against the checkpoint
again and fetches what was damaged.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import root_from
from audit.formats.note import parse_note
from audit.log.entry import parse_entry
from audit.log.shards import FIRST
from audit.proofs.equivocation import fork_path
from audit.walk.log_source import HEADS_FILE
from contracts.canonical import sha256_hex
from contracts.errors import HeadwatersError
from contracts.messages import Severity
from nodes.alarms import Alarms
from nodes.trusting.shards import KnownShard
from nodes.trusting.trust import Trust
from nodes.witnessing.mirror_files import CHECKPOINT, MirrorFiles, Mirrors
from nodes.witnessing.mirror_walk import MENDED, MENDED_TITLE, MirrorMismatch, Walk, downwards

log = structlog.get_logger(__name__)


class LogFiles(Protocol):
    """Who serves a log's checkpoints and files, unverified; ``nodes.broker.Broker`` is one."""

    def checkpoint(self, shard: int | None = None) -> bytes: ...
    def log_file(self, path: str, shard: int | None = None) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: how far the newest copy reaches, what was fetched, and which files were damaged."""

    size: int
    fetched: int
    checked: int = 0
    mended: tuple[str, ...] = ()


class Mirror:
    """The copies of all shards; one round at a time."""

    def __init__(self, mirrors: Mirrors, *, source: LogFiles, trust: Trust, alarms: Alarms) -> None:
        self._mirrors = mirrors
        self._source = source
        self._trust = trust
        self._alarms = alarms
        self._lock = threading.Lock()
        self._scrubbed = 0  # how many files of this pass have been checked again

    @property
    def folder(self) -> Path:
        """The folder that holds one folder for each shard."""
        return self._mirrors.folder

    def files(self, number: int | None = None) -> MirrorFiles:
        """Give the copy of a shard, of the newest by default."""
        return self._mirrors.shard(self._trust.shards.current().number if number is None else number)

    def update(self) -> Round:
        """Bring the copies up to the newest published checkpoint, those of closed shards up to their ends.

        Raises:
            QuorumMissing: too few witnesses cosigned what is published; the copy stays as it is.
            LogStopped, HistoryUnsettled: the log contradicts itself, or what was copied before.
            SuccessionBroken, SuccessionUnproven: what is published is of no shard that follows a known one.
            MirrorMismatch: a file does not fit the checkpoint.
            ExchangeSilent, ClockBehind.
        """
        with self._lock:
            self._trust.sight.check_open()
            newest = self._source.checkpoint()
            self._trust.see_checkpoint(newest)
            shards = self._trust.shards.all()
            fetched = sum(self._grow(shard, newest) for shard in shards)
            standing = self._standing(self.files(shards[-1].number))
            return Round(0 if standing is None else standing.size, fetched)

    def scrub(self, limit: int | None = None) -> Round:
        """Hold files on disk against the checkpoints again, ``limit`` at most, all without one.

        A file that does not fit is fetched again. The next call goes on where this one stopped. Raises
        MirrorMismatch where what comes back fits no better, ExchangeSilent.
        """
        with self._lock:
            places, walks, size = [], {}, 0
            for shard in self._trust.shards.all():
                claim = self._standing(self.files(shard.number))
                size = 0 if claim is None else claim.size
                if claim is not None and size:
                    walks[shard.number] = self._walk(shard, claim)
                    places += [(shard.number, level, n) for level, n in downwards(size, 0)]
            begin = 0 if limit is None or self._scrubbed >= len(places) else self._scrubbed
            chosen = places[begin:] if limit is None else places[begin : begin + limit]
            for number in sorted({number for number, _, _ in chosen}):
                walks[number].edge(fresh=False)
            for number, level, n in chosen:
                walks[number].make_sure(level, n)
            self._scrubbed = begin + len(chosen)
            mended = tuple(path for walk in walks.values() for path in walk.mended)
            return Round(size, sum(walk.fetched for walk in walks.values()), len(chosen), mended)

    def _grow(self, shard: KnownShard, newest: bytes) -> int:
        """Bring the copy of one shard up to date; give how many files were fetched."""
        files = self.files(shard.number)
        standing = self._standing(files)
        since = 0 if standing is None else standing.size
        if shard.size is not None and since == shard.size:
            return 0
        note = self._cosigned(shard, newest)
        claim = Checkpoint.parse(parse_note(note).text)
        if claim.size < since:
            return 0
        walk = self._walk(shard, claim)
        if claim.size > since:
            walk.edge(fresh=True)
            walk.fetch(since)
            if standing is not None:
                self._joined(files, standing, claim, note)
            if shard.number > FIRST:
                self._carried(files, shard, claim.size)
        files.keep(CHECKPOINT, note)
        files.prune(claim.size, since)
        if walk.fetched:
            log.info("mirror_grew", shard=shard.number, size=claim.size, fetched=walk.fetched)
        return walk.fetched

    def _cosigned(self, shard: KnownShard, newest: bytes) -> bytes:
        """Give the checkpoint to copy up to; the end of a closed shard was judged when it was followed."""
        if shard.closing is not None:
            return shard.closing.checkpoint.encode()
        note = newest
        if Checkpoint.parse(parse_note(note).text).origin != shard.origin:
            note = self._source.checkpoint(shard.number)
            self._trust.see_checkpoint(note)
        self._trust.witness_policy().check(note, now=self._trust.guard_clock())
        return note

    def _walk(self, shard: KnownShard, claim: Checkpoint) -> Walk:
        files = self.files(shard.number)
        return Walk(files, lambda path: self._source.log_file(path, shard.number), claim, self._alarms)

    def _standing(self, files: MirrorFiles) -> Checkpoint | None:
        """Give the checkpoint of a copy; one that cannot be read is as good as none."""
        try:
            return files.checkpoint()
        except HeadwatersError:
            self._alarms.raise_alarm(MENDED, Severity.LOW, MENDED_TITLE, {"path": CHECKPOINT})
            return None

    def _joined(self, files: MirrorFiles, old: Checkpoint, new: Checkpoint, note: bytes) -> None:
        """The grown tree holds the one that was copied before; else the two checkpoints are the proof."""
        reader = files.reader(new.size)
        if root_from(old.size, reader) == old.root:
            return
        self._trust.sight.accuse(files.note() or b"", note, fork_path(old.size, new.size, reader))
        raise MirrorMismatch(f"the tree of {new.size} does not hold the copied one of {old.size}")

    def _carried(self, files: MirrorFiles, shard: KnownShard, size: int) -> None:
        """Keep the subscription heads that the shard took over, as its first entry names them."""
        named = parse_entry(files.bundle(0, size=size)[0]).fields.get("hds")
        held = files.read(HEADS_FILE)
        if held is not None and sha256_hex(held) == named:
            return
        heads = self._source.log_file("heads", shard.number)
        if sha256_hex(heads) != named:
            raise MirrorMismatch(
                f"the heads of shard {shard.number} are not those that its first entry names"
            )
        files.keep(HEADS_FILE, heads)
