"""What a sequencer knows of its log: the shard, its key, the right edge and the checkpoint it signed last.

It is read back from the store and held against that checkpoint at every start and after every failed write;
where the two disagree the log stops for good. A shard that was closed, and whose final checkpoint a quorum
has cosigned, is followed by the next one here, in one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import Frontier, leaf_hash
from audit.formats.note import NoteSigner, format_note, parse_note
from audit.formats.tile import TILE_WIDTH
from audit.keys.signing import PublicKey
from audit.log import log_store
from audit.log.edge import RightEdge
from audit.log.entry import Entry, parse_entry
from audit.log.log_store import StoredNote
from audit.log.shards import (
    FIRST,
    Shard,
    ShardNotWitnessed,
    ShardStillOpen,
    SuccessionBroken,
    opening_entry,
)
from audit.log.unit import Draft, Unit
from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.errors import Corrupt, HeadwatersError

ShardSigner = Callable[[int, str], NoteSigner]
"""Gives the signer of a shard by its number and name."""


class LogDamaged(Corrupt):
    """The stored log contradicts its last signed checkpoint."""

    code = "log-damaged"
    title_zh = "存储的日志与最近签署的检查点不符"


class LogForked(Corrupt):
    """Someone else wrote to this log while it was open."""

    code = "log-overwritten"
    title_zh = "日志在运行期间被他人写入"


@dataclass(frozen=True, slots=True)
class Standing:
    """A log that agrees with the checkpoint that was signed last."""

    shard: Shard
    signer: NoteSigner
    edge: RightEdge
    note: bytes

    def check_alone(self, connection: Connection) -> None:
        """Raise LogForked when the store holds anything else than this."""
        shard = log_store.newest_shard(connection)
        newest = log_store.newest_checkpoint(connection, self.shard.number)
        if shard != self.shard or newest is None or newest.note.encode() != self.note:
            raise LogForked(f"the last checkpoint should be that of {self.edge.size} entries")
        if log_store.entry_count(connection, self.shard) != self.edge.size:
            raise LogForked(f"the log should have {self.edge.size} entries under its last checkpoint")

    def append(self, connection: Connection, draft: Draft, now: datetime) -> "Standing":
        """Write what a batch adds, under a new checkpoint; give what stands once it is durable."""
        if not draft.rows:
            return self
        draft.integrate()
        shard = self.shard
        if draft.carried is not None:
            shard = shard._replace(size=draft.edge.size)
            log_store.end_shard(connection, shard, epoch_ms(now), draft.carried)
        log_store.append(connection, shard.number, draft.rows, draft.edge.changed)
        return _signed(connection, shard, self.signer, draft.edge, now)

    def follow(self, connection: Connection, signer_of: ShardSigner, now: datetime) -> "Standing":
        """Open the shard that follows this one; give what stands once it is durable.

        Raises ShardStillOpen before this one is closed, ShardNotWitnessed before a quorum has cosigned its
        end, SuccessionBroken when the key or the heads are not those that its last entry names.
        """
        size = self.shard.size
        if size is None:
            raise ShardStillOpen(f"{self.shard.origin} takes entries")
        final = log_store.newest_cosigned(connection, self.shard.number)
        if final is None or final.size != size:
            raise ShardNotWitnessed(f"{self.shard.origin} ends with {size} entries")
        closing = _last_entry(connection, self.shard)
        fields = closing.fields
        signer = signer_of(self.shard.number + 1, str(fields["next"]))
        if (
            signer.verifier_key.name != fields["next"]
            or PublicKey(signer.verifier_key.public.raw).text != fields["key"]
        ):
            raise SuccessionBroken("the next shard's key is not the one that was named")
        if sha256_hex(log_store.carried(connection, self.shard.number) or b"") != fields["hds"]:
            raise SuccessionBroken("the heads are not those that were carried over")
        shard = Shard(
            self.shard.number + 1,
            signer.verifier_key.name,
            str(signer.verifier_key),
            self.shard.base + size,
        )
        log_store.put_shard(connection, shard, epoch_ms(now))
        draft = Draft(connection, shard, RightEdge(Frontier(), []))
        with Unit(draft, now) as unit:
            unit.append(opening_entry(self.shard.origin, size, parse_note(final.note.encode()).text, closing))
        return Standing(shard, signer, draft.edge, b"").append(connection, draft, now)


def read_back(
    connection: Connection, founding: NoteSigner, signer_of: ShardSigner, now: datetime
) -> Standing:
    """Read a log from its store and verify it; found it where there is nothing. Raises LogDamaged."""
    shard = log_store.newest_shard(connection)
    if shard is None:
        shard = Shard(FIRST, founding.verifier_key.name, str(founding.verifier_key), 0)
        log_store.put_shard(connection, shard, epoch_ms(now))
    signer = founding if shard.number == FIRST else signer_of(shard.number, shard.origin)
    if str(signer.verifier_key) != shard.vkey:
        raise LogDamaged(f"the key at hand is not that of {shard.origin}")
    newest = log_store.newest_checkpoint(connection, shard.number)
    if newest is None:
        if log_store.entry_count(connection, shard) or shard.number != FIRST:
            raise LogDamaged("there are entries and no checkpoint")
        return _signed(connection, shard, signer, RightEdge(Frontier(), []), now)
    checkpoint = _own_checkpoint(newest, signer)
    return Standing(shard, signer, _verified_edge(connection, shard, checkpoint), newest.note.encode())


def _signed(
    connection: Connection, shard: Shard, signer: NoteSigner, edge: RightEdge, now: datetime
) -> Standing:
    text = str(Checkpoint(shard.origin, edge.size, edge.root()))
    note = format_note(text, [signer.sign(text)])
    log_store.put_checkpoint(connection, shard.number, edge.size, note, epoch_ms(now))
    return Standing(shard, signer, edge, note)


def _own_checkpoint(newest: StoredNote, signer: NoteSigner) -> Checkpoint:
    try:
        parsed = parse_note(newest.note.encode())
        signed = parsed.verified([signer.verifier_key])
        checkpoint = Checkpoint.parse(parsed.text)
    except HeadwatersError as error:
        raise LogDamaged("the last checkpoint does not hold") from error
    if not signed or checkpoint.origin != signer.verifier_key.name:
        raise LogDamaged("the last checkpoint is not signed by this log's key")
    return checkpoint


def _verified_edge(connection: Connection, shard: Shard, checkpoint: Checkpoint) -> RightEdge:
    size = checkpoint.size
    if log_store.entry_count(connection, shard) != size or shard.size not in {None, size}:
        raise LogDamaged(f"the last checkpoint promises {size} entries")
    load = log_store.tile_loader(connection, shard.number)
    try:
        edge = RightEdge.read(size, load)
    except HeadwatersError as error:
        raise LogDamaged("a tile of the right edge is missing or damaged") from error
    if edge.root() != checkpoint.root:
        raise LogDamaged("the tiles lead to another root than the last checkpoint")
    if size:
        n, last = divmod(size - 1, TILE_WIDTH)
        rows = log_store.entry_rows(connection, shard, n * TILE_WIDTH, size)
        if b"".join(leaf_hash(row.leaf) for row in rows) != load(0, n, last + 1):
            raise LogDamaged("an entry on the right edge is not what its tile says")
    return edge


def _last_entry(connection: Connection, shard: Shard) -> Entry:
    size = shard.size or 0
    rows = log_store.entry_rows(connection, shard, size - 1, size)
    if not rows:
        raise LogDamaged("the closed shard has no last entry")
    return parse_entry(rows[0].leaf)
