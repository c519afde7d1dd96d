"""Entries that are proved: each under a quorum-cosigned checkpoint of the history that this node follows."""

from dataclasses import dataclass

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import ProofInvalid
from audit.formats.note import parse_note
from audit.formats.proof import ProofFileInvalid
from audit.log.entry import Entry, parse_entry
from audit.proofs.transfer_proof import ProvenEntry
from contracts.errors import Corrupt
from contracts.messages import Inclusion
from contracts.spelling import NotBase64
from nodes.node import Node
from nodes.trusting.trust_root import own_root

NOT_WITNESSED = "not-yet-witnessed"  # the exchange's answer where no quorum has cosigned an entry so far


class EntryUnproved(Corrupt):
    """What the exchange shows as an entry is not proved to be in the log."""

    code = "entry-unproved"
    title_zh = "所示条目未被证明在日志中"
    next_zh = "保留应答作为证据,并通知审计人员。"
    next_en = "Keep the answer as evidence and tell the auditors."


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """An entry and its place."""

    origin: str
    index: int
    entry: Entry


def prove(node: Node, shown: Inclusion) -> ProvedEntry:
    """Verify an inclusion that the exchange shows.

    Raises QuorumMissing, NoteInvalid, LogForked, or EntryUnproved.
    """
    proven = prove_place(node, shown)
    return ProvedEntry(shard_of(proven), shown.index, parse_entry(proven.leaf))


def shard_of(proven: ProvenEntry) -> str:
    """Name the shard of an entry, as the checkpoint says under which it was proved."""
    return Checkpoint.parse(parse_note(proven.proof.checkpoint_note).text).origin


def prove_place(node: Node, shown: Inclusion) -> ProvenEntry:
    """Verify an inclusion that the exchange shows, and give it as it stands in a proof file.

    Raises QuorumMissing, NoteInvalid, LogForked, or EntryUnproved.
    """
    note = shown.checkpoint.encode()
    root = own_root(node.trust.view(), node.trust.roots.adopted())  # it knows every shard and former keys
    root.check(note, now=node.trust.guard_clock())
    checkpoint = node.trust.see_checkpoint(note)
    try:
        proven = ProvenEntry.of(shown)
        proven.verify(checkpoint)
    except (NotBase64, ProofInvalid, ProofFileInvalid) as error:
        raise EntryUnproved(f"entry {shown.index} is not proved to be in the log") from error
    return proven
