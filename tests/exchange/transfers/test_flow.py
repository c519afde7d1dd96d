"""Granting: the log first, then the answer."""

from audit.checkpoint import Checkpoint
from audit.entry import EntryKind
from audit.merkle import leaf_hash, verify_inclusion
from audit.note import parse_note
from tests.exchange.trading import Trade
import base64


def test_smoke(trade: Trade) -> None:
    """A grant is logged."""
    logged = trade.alliance.request(trade.consumer, trade.subscription)
    note = parse_note(logged.checkpoint.encode())
    assert note.verified([trade.alliance.parts.log_signer.verifier_key])
    checkpoint = Checkpoint.parse(note.text)
    verify_inclusion(leaf_hash(base64.b64decode(logged.leaf)), logged.index, checkpoint.size, [base64.b64decode(x) for x in logged.inclusion_path], checkpoint.root)
    assert len(trade.alliance.entries(EntryKind.GRANT)) == 1
