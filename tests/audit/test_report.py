"""The audit report as a document."""

from datetime import date

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import leaf_hash
from audit.formats.note import format_note
from audit.formats.proof import TlogProof
from audit.log.entry import Entry, EntryKind
from audit.proofs.report import Content
from audit.proofs.transfer_proof import ProvenEntry
from tests.audit.logs import NOW, SIGNER

SHARDS = 12  # six years of half-years


def test_a_report_reaches_back_over_many_shards() -> None:
    """An agreement may be older than many shards; each entry stands under its own shard's checkpoint."""
    entry = Entry(EntryKind.AGREEMENT_END, NOW, {"agr": "a-aaaaaaaaaaaa", "why": "expired"})
    leaf = entry.encode()
    notes = []
    for number in range(SHARDS):
        text = str(Checkpoint(f"example.org/log/{2026 + number // 2}h{1 + number % 2}", 1, leaf_hash(leaf)))
        notes.append(format_note(text, [SIGNER.sign(text)]))

    report = Content(
        dataset="air-hourly",
        day=date(2031, 12, 31),
        entries=[ProvenEntry(leaf, TlogProof(0, (), note)) for note in notes],
        statements=[],
        openings=[],
        cuts=[],
        names={},
    ).report()

    assert [one.proof.checkpoint_note for one in report.proven()] == notes
