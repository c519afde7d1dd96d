"""The shards of the log that this node follows: the invite's, and those that it was led to from there.

A next shard is believed only where the one before it says so: its last entry names the next shard and its
key, under a final checkpoint that the log signed, that a quorum of witnesses cosigned and that extends what
this node has seen. What was believed stays; of a closed shard nothing larger than its end is accepted.
"""

import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import structlog
from sqlmodel import col, select

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.note import KeyType, VerifierKey
from audit.keys.signing import PublicKey
from audit.log.entry import EntryKind, parse_entry
from audit.log.shards import FIRST, SuccessionBroken
from audit.proofs.transfer_proof import ProvenEntry
from contracts.errors import Invalid, Unavailable
from contracts.messages import Inclusion, LogPlace, Member, MemberStatus, ShardList, ShardView
from contracts.spelling import from_base64
from nodes.home import NodeIdentity
from nodes.tables import KnownShardRow

log = structlog.get_logger(__name__)

Judge = Callable[[bytes, VerifierKey], Checkpoint]
"""Gives the claim of a final checkpoint that the key signed and a quorum cosigned, or raises."""


class SuccessionUnproven(Unavailable):
    """The end of a shard is not proved, so what follows it is not believed."""

    code = "succession-unproven"
    title_zh = "前一日志分片的终点尚未被证明"
    next_zh = "等待交换中心给出法定副署的最后检查点,然后重试。"
    next_en = "Wait for the quorum-cosigned final checkpoint and try again."


@dataclass(frozen=True, slots=True)
class KnownShard:
    """A shard that this node believes in; ``size`` and ``closing`` say and prove where it ended."""

    number: int
    origin: str
    key: VerifierKey
    size: int | None = None
    closing: Inclusion | None = None


class Shards:
    """What is known of the log's shards; safe to share between threads."""

    def __init__(self, identity: NodeIdentity, database: Database) -> None:
        self._first = KnownShard(FIRST, identity.origin, VerifierKey.parse(identity.log_vkey))
        self._database = database
        self._lock = threading.Lock()
        self._known: tuple[KnownShard, ...] = ()

    def all(self) -> tuple[KnownShard, ...]:
        """Give the shards, oldest first."""
        with self._lock:
            if not self._known:
                with self._database.read() as session:
                    rows = session.exec(select(KnownShardRow).order_by(col(KnownShardRow.number))).all()
                self._known = tuple(_known(row) for row in rows) or (self._first,)
            return self._known

    def current(self) -> KnownShard:
        """Give the newest shard."""
        return self.all()[-1]

    def named(self, origin: str) -> KnownShard | None:
        """Find a shard by its name."""
        return next((shard for shard in self.all() if shard.origin == origin), None)

    def origins(self) -> tuple[str, ...]:
        """Name the shards, oldest first."""
        return tuple(shard.origin for shard in self.all())

    def follow(self, listed: ShardList, judge: Judge) -> None:
        """Take every shard of a list that is proved to follow those that are known.

        Raises SuccessionBroken where the list contradicts them or a proof does not hold, SuccessionUnproven
        where a proof is missing, and what ``judge`` raises.
        """
        known = self.all()
        views = {view.number: view for view in listed.shards}
        for shard in known:
            _check_known(shard, views.get(shard.number))
        while (view := views.get(known[-1].number + 1)) is not None:
            ended = _ended(known[-1], views[known[-1].number], judge)
            known = (*known[:-1], ended, _follower(ended, view, {shard.origin for shard in known}))
            self._keep(known)
            log.info("shard_followed", origin=view.origin, number=view.number)

    def _keep(self, known: tuple[KnownShard, ...]) -> None:
        with self._database.transaction() as session:
            for shard in known:
                session.merge(
                    KnownShardRow(
                        number=shard.number,
                        origin=shard.origin,
                        vkey=str(shard.key),
                        size=shard.size,
                        closing=None if shard.closing is None else shard.closing.canonical().decode(),
                    )
                )
        with self._lock:
            self._known = known


def witnesses_at(
    members: Sequence[Member], origins: Sequence[str], claim: Checkpoint
) -> dict[str, list[VerifierKey]]:
    """Give the keys under which each witness may have cosigned a checkpoint, former ones in their time.

    A shard that is not among ``origins`` comes after all of them.
    """
    found: dict[str, list[VerifierKey]] = {}
    for member in members:
        past = [one for one in member.past_keys if one.role == "witness"]
        texts = [one.key for one in past if _reaches(one.until, origins, claim)]
        if member.witness_vkey is not None and member.status is not MemberStatus.REVOKED:
            texts.append(member.witness_vkey)
        if texts:
            found[member.participant] = [VerifierKey.parse(text) for text in dict.fromkeys(texts)]
    return found


def _reaches(until: LogPlace, origins: Sequence[str], claim: Checkpoint) -> bool:
    if until.origin == claim.origin:
        return claim.size <= until.size
    return until.origin not in origins or origins.index(until.origin) > origins.index(claim.origin)


def _known(row: KnownShardRow) -> KnownShard:
    closing = None if row.closing is None else Inclusion.parse(row.closing.encode())
    return KnownShard(row.number, row.origin, VerifierKey.parse(row.vkey), row.size, closing)


def _check_known(shard: KnownShard, view: ShardView | None) -> None:
    if view is None or (view.origin, view.vkey) != (shard.origin, str(shard.key)):
        raise SuccessionBroken(f"shard {shard.number} is not the one that was known before")
    if shard.size is not None and view.size != shard.size:
        raise SuccessionBroken(f"shard {shard.number} ended with {shard.size} entries")


def _ended(shard: KnownShard, view: ShardView, judge: Judge) -> KnownShard:
    """Verify the end of a shard: its last entry, under its final checkpoint."""
    closing = view.closing
    if closing is None:
        raise SuccessionUnproven(f"the end of {shard.origin} is not shown")
    claim = judge(closing.checkpoint.encode(), shard.key)
    if claim.origin != shard.origin or closing.index != claim.size - 1:
        raise SuccessionBroken(f"what is shown is not the last entry of {shard.origin}")
    try:
        ProvenEntry.of(closing).verify(claim)
    except Invalid as error:
        raise SuccessionBroken(f"the last entry of {shard.origin} is not proved") from error
    return replace(shard, size=claim.size, closing=closing)


def _follower(ended: KnownShard, view: ShardView, taken: AbstractSet[str]) -> KnownShard:
    """Give the shard that the last entry of ``ended`` names; raise unless ``view`` is that one, and new."""
    closing = ended.closing
    entry = parse_entry(from_base64(closing.leaf if closing else ""))
    if entry.kind is not EntryKind.SHARD_CLOSE:
        raise SuccessionBroken(f"{ended.origin} does not end with shard.close")
    key = VerifierKey.parse(view.vkey)
    named = (entry.fields["next"], entry.fields["next"], entry.fields["key"])
    if key.type is not KeyType.ED25519 or (view.origin, key.name, PublicKey(key.public.raw).text) != named:
        raise SuccessionBroken(f"{view.origin} is not what {ended.origin} names as the next shard")
    if view.origin in taken:  # two keys would answer to one name, here and in every trust root
        raise SuccessionBroken(f"{view.origin} is the name of an earlier shard")
    return KnownShard(view.number, view.origin, key)
