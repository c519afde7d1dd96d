"""Proofs of what a node received: assembled once both entries are witnessed, then verified as by a stranger.

Both entries are shown under one checkpoint wherever the log lets them, so the proof carries its signatures
once. Where a key has been replaced since it signed the terms, the proof also carries the entry that logged
them in time.
"""

from audit.formats.dsse import Envelope, parse_envelope
from audit.keys.trust import TrustRoot
from audit.proofs.transfer_proof import TERMS, Envelopes, ProvenEntry, Term, TransferProof, encode_proof
from audit.proofs.verify import verify_transfer
from contracts.canonical import sha256_hex
from contracts.errors import NotFound
from contracts.messages import LoggedGrant
from nodes.granted import grant_place
from nodes.node import Node
from nodes.sharing_tables import OutboxRow
from nodes.trusting.proved import prove_place, shard_of

_ATTEMPTS = 3  # the log may publish a checkpoint between two questions; never three times in a row, nearly


def transfer_proof(node: Node, row: OutboxRow, consumer_receipt: str, closing: ProvenEntry) -> bytes:
    """Assemble the proof of a transfer that ``closing`` ends; raise what ``verify_transfer`` raises.

    Raises ExchangeSilent, QuorumMissing, NoteInvalid, LogForked or EntryUnproved when an entry cannot be had.
    """
    logged = LoggedGrant.parse(row.logged.encode())
    texts = {
        "grant": logged.grant_envelope,
        "manifest": logged.manifest_envelope,
        "agreement": logged.agreement_envelope,
        "record": logged.record_envelope,
        "provider_receipt": row.provider_receipt,
        "consumer_receipt": consumer_receipt,
    }
    envelopes = Envelopes(**{name: parse_envelope(text.encode()) for name, text in texts.items()})
    trust = node.trust.export_trust_root()
    closing, granted = _together(node, closing, *grant_place(logged))
    terms = _terms(node, envelopes, trust.root)
    proof = encode_proof(TransferProof(closing, granted, envelopes, terms))
    verify_transfer(proof, None, trust, now=node.trust.guard_clock())
    return proof


def _together(
    node: Node, closing: ProvenEntry, origin: str, grant_index: int
) -> tuple[ProvenEntry, ProvenEntry]:
    """Prove the grant's entry, and the closing one again where the log has moved on in between."""
    number = node.trust.sight.shard(origin).number
    granted = prove_place(node, node.broker.inclusion(grant_index, number))
    for _ in range(_ATTEMPTS):
        if granted.proof.checkpoint_note == closing.proof.checkpoint_note or shard_of(closing) != origin:
            break  # a transfer that spans two shards has two checkpoints
        closing = prove_place(node, node.broker.inclusion(closing.proof.index, number))
        if granted.proof.checkpoint_note != closing.proof.checkpoint_note:
            granted = prove_place(node, node.broker.inclusion(grant_index, number))
    return closing, granted


def _terms(node: Node, envelopes: Envelopes, root: TrustRoot) -> dict[Term, ProvenEntry]:
    ended = {key.public.key_id for one in root.participants for key in one.node_keys if key.until is not None}
    terms: dict[Term, ProvenEntry] = {}
    for name in TERMS:
        envelope: Envelope = getattr(envelopes, name)
        if ended.isdisjoint(key for key, _ in envelope.signatures):
            continue
        try:
            shown = node.broker.logged_statement(sha256_hex(envelope.payload))
        except NotFound:
            continue  # the grant's own entry may be early enough; the verifier says so
        terms[name] = prove_place(node, shown)
    return terms
