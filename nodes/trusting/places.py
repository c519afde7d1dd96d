"""Where signed statements stand in the log: proved once by an inclusion proof, and kept.

What a key signed counts where it was logged before the key ended, so a place is as much a part of a statement
as its signature. The exchange shows the entry and its path; the entry names the statement by its digest, and
the checkpoint must be of the one history that this node has seen.
"""

from collections.abc import Callable
from typing import Protocol

from audit.database import Database
from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import ProofInvalid
from audit.keys.key_history import read_revocation, read_rotation
from audit.log.entry import EntryKind, parse_entry
from audit.proofs.transfer_proof import ProvenEntry
from contracts.errors import Corrupt, Invalid
from contracts.messages import Directory, Inclusion, LogPlace, PastKey
from nodes.tables import StatementPlaceRow

_FIELDS = {
    EntryKind.DATASET_PUBLISH: "dig",
    EntryKind.RELEASE_PUBLISH: "man",
    EntryKind.APPLICATION_OPEN: "dig",
    EntryKind.AGREEMENT: "dig",
    EntryKind.KEY_ROTATE: "dig",
    EntryKind.KEY_REVOKE: "dig",
    EntryKind.EMERGENCY_DECLARE: "dig",
    EntryKind.OBJECTION_OPEN: "dig",
    EntryKind.OBJECTION_STEP: "dig",
}
"""The kinds of entry that log a statement, and the field that names it by its digest."""


class PlaceUnproven(Corrupt):
    """The place of a statement in the log does not hold."""

    code = "place-unproven"
    title_zh = "声明在日志中的位置未被证明"
    next_zh = "不采信该声明或密钥变更;保留应答作为证据,并通知审计人员。"
    next_en = "Do not rely on the statement or key change; keep the answer as evidence and tell the auditors."


class PlaceReader(Protocol):
    """Who shows entries; ``nodes.broker.Broker`` is one."""

    def logged_statement(self, digest: str) -> Inclusion: ...


class Places:
    """The places of statements as this node has verified them; safe to share between threads."""

    def __init__(
        self, database: Database, reader: PlaceReader, see_checkpoint: Callable[[bytes], Checkpoint]
    ) -> None:
        self._database = database
        self._reader = reader
        self._see_checkpoint = see_checkpoint

    def of(self, digest: str, kind: EntryKind | None = None) -> tuple[str, int]:
        """Give the shard and the index of a statement's entry, fetching the proof when there is none yet.

        With ``kind`` the entry must say before all eyes what the statement is. Raises PlaceUnproven, and what
        the exchange answers where it knows of no such statement.
        """
        with self._database.read() as session:
            row = session.get(StatementPlaceRow, digest)
        if row is not None:
            return row.origin, row.entry
        origin, entry = self._proved(digest, kind)
        with self._database.transaction() as session:
            session.merge(StatementPlaceRow(digest=digest, origin=origin, entry=entry))
        return origin, entry

    def check_end(self, past: PastKey) -> None:
        """Verify that a key ended where the directory says; raise PlaceUnproven."""
        said = (read_rotation if past.why == "rotated" else read_revocation)(past.statement)[1]
        origin, index = self.of(said.content_digest())
        if past.until != LogPlace(origin=origin, size=index):
            raise PlaceUnproven(f"the {past.role} key ended at {index}, the directory says otherwise")

    def check_news(self, last: Directory | None, fresh: Directory) -> None:
        """Verify where each key ended that ``last`` did not tell; what was verified before stays verified."""
        known = [] if last is None else _past_keys(last)
        for past in _past_keys(fresh):
            if past not in known:
                self.check_end(past)

    def _proved(self, digest: str, kind: EntryKind | None) -> tuple[str, int]:
        shown = self._reader.logged_statement(digest)
        try:
            proven = ProvenEntry.of(shown)
            entry = parse_entry(proven.leaf)
        except Invalid as error:
            raise PlaceUnproven("the leaf or the path is not well formed") from error
        field = _FIELDS.get(entry.kind)
        if field is None or entry.fields[field] != digest or kind not in {None, entry.kind}:
            raise PlaceUnproven(f"the {entry.kind.value} entry is not the statement's")
        checkpoint = self._see_checkpoint(shown.checkpoint.encode())
        try:
            proven.verify(checkpoint)
        except ProofInvalid as error:
            raise PlaceUnproven(f"entry {shown.index} is not proved to be in the log") from error
        return checkpoint.origin, shown.index


def _past_keys(directory: Directory) -> list[PastKey]:
    return [*directory.past_keys, *(past for member in directory.members for past in member.past_keys)]
