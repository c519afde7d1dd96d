"""Use cases of showing heads: its own to a party, and the proof that nothing was sent to whoever asks it."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from audit.completeness.heads import show_heads
from audit.database import Database
from audit.formats.dsse import Envelope, parse_envelope
from audit.proofs.silence import ProvenCut, SilenceProof, check_silent, encode_silence
from audit.proofs.transfer_proof import ProvenEntry
from contracts.clock import epoch_ms
from contracts.messages import OwnHeads, ShownHead, SubscriptionHead, SubscriptionHeads
from exchange.agreements.store import find_agreement
from exchange.completeness import store
from exchange.completeness.cutting import find_cut
from exchange.completeness.model import CutUnknown
from exchange.completeness.tables import HeadsCutRow
from exchange.identity import Caller
from exchange.log.flow import inclusion_at
from exchange.parts import Parts
from exchange.reports.proving import Prover
from exchange.subscriptions.model import SubscriptionUnknown
from exchange.subscriptions.store import find_subscription, subscriptions_of
from exchange.subscriptions.tables import SubscriptionRow


def own_heads(parts: Parts, caller: Caller, number: int) -> OwnHeads:
    """Show what a cut says of the caller's subscriptions; raise CutUnknown or NotYetWitnessed."""
    cut = find_cut(parts, number)
    with parts.database.read() as session:
        names = [row.subscription for row in subscriptions_of(session, caller.participant)]
    heads = _heads(cut)
    return OwnHeads(
        number=number,
        entry=inclusion_at(parts, cut.entry),
        heads=[shown for name in names for shown in _own(heads, name)],
    )


def party_silence(
    parts: Parts, caller: Caller, subscription: str, *, since: datetime, until: datetime
) -> bytes:
    """Prove to a side of a subscription that nothing was sent; raises as ``prove_silence`` does."""
    with parts.database.read() as session:
        row = find_subscription(session, subscription)
    if row is None or caller.participant not in {row.provider, row.consumer}:
        raise SubscriptionUnknown(f"{subscription} is not a subscription of this participant")
    return prove_silence(parts.database, subscription, since=since, until=until)


def prove_silence(database: Database, subscription: str, *, since: datetime, until: datetime) -> bytes:
    """Write the file that proves that nothing was sent between two moments, by the cuts around them.

    Raises SubscriptionUnknown, CutUnknown where no cut lies at or before ``since`` or at or after ``until``,
    SilenceNotProven where something was sent, NotYetWitnessed.
    """
    with database.read() as session:
        row = find_subscription(session, subscription)
        if row is None:
            raise SubscriptionUnknown(f"{subscription} is not on record")
        earlier = store.cut_at_or_before(session, epoch_ms(since))
        later = store.cut_at_or_after(session, epoch_ms(until))
        if earlier is None or later is None or earlier.number >= later.number:
            raise CutUnknown("no two cuts of the heads lie around these moments")
        before, after = _said(earlier, subscription), _said(later, subscription)
        check_silent(before, after)
        prover = Prover(session.connection())
        agreement = _agreement(session, prover, row) if after is not None else None
        return encode_silence(
            SilenceProof(
                subscription,
                _proven(prover, earlier, subscription),
                _proven(prover, later, subscription),
                agreement,
            )
        )


def _said(cut: HeadsCutRow, subscription: str) -> SubscriptionHead | None:
    return next((head for head in _heads(cut) if head.subscription == subscription), None)


def _proven(prover: Prover, cut: HeadsCutRow, subscription: str) -> ProvenCut:
    return ProvenCut(prover.prove(cut.entry), tuple(show_heads(_heads(cut), subscription)))


def _agreement(session: Session, prover: Prover, row: SubscriptionRow) -> tuple[Envelope, ProvenEntry] | None:
    agreement = find_agreement(session, row.agreement)
    if agreement is None:
        return None
    return parse_envelope(agreement.envelope.encode()), prover.prove(agreement.entry)


def _own(heads: Sequence[SubscriptionHead], name: str) -> list[ShownHead]:
    return [shown for shown in show_heads(heads, name) if shown.head.subscription == name]


def _heads(cut: HeadsCutRow) -> list[SubscriptionHead]:
    return SubscriptionHeads.parse(cut.document).heads
