"""The only SQL behind ``witnessing.gossip``: how peers answer, and which checkpoints are unsettled."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from contracts.canonical import sha256_hex
from nodes.witnessing.network_tables import GossipClaimRow, GossipPeerRow

MAX_CLAIMS = 64  # of one origin: a peer must not fill the disk with what cannot be settled


def peers(session: Session) -> Sequence[GossipPeerRow]:
    """List how every peer that was ever asked has answered."""
    return session.exec(select(GossipPeerRow).order_by(col(GossipPeerRow.participant))).all()


def note_answer(
    session: Session, participant: str, *, size: int | None, trouble: str | None, at: int
) -> None:
    """Keep that a peer answered; ``trouble`` names what was wrong with the answer."""
    row = session.get(GossipPeerRow, participant) or GossipPeerRow(participant=participant, asked_at=at)
    row.asked_at = row.answered_at = at
    row.size, row.trouble, row.silent_since = size, trouble, None
    session.add(row)


def note_silence(session: Session, participant: str, trouble: str, at: int) -> int:
    """Keep that a peer did not answer; give since when it has been silent."""
    row = session.get(GossipPeerRow, participant) or GossipPeerRow(participant=participant, asked_at=at)
    since = at if row.silent_since is None else row.silent_since
    row.asked_at, row.silent_since, row.trouble = at, since, trouble
    session.add(row)
    return since


def claims(session: Session) -> Sequence[GossipClaimRow]:
    """List the checkpoints that are not settled, oldest first."""
    return session.exec(select(GossipClaimRow).order_by(col(GossipClaimRow.since))).all()


def keep_claim(session: Session, origin: str, note: bytes, participant: str, at: int) -> None:
    """Keep a checkpoint that could not be settled, once, and no more of them than there is room for."""
    digest = sha256_hex(note)
    held = session.exec(select(GossipClaimRow.digest).where(GossipClaimRow.origin == origin)).all()
    if digest not in held and len(held) < MAX_CLAIMS:
        session.add(
            GossipClaimRow(origin=origin, digest=digest, participant=participant, note=note, since=at)
        )


def drop_claim(session: Session, claim: GossipClaimRow) -> None:
    """Forget a checkpoint that is settled."""
    stale = session.get(GossipClaimRow, (claim.origin, claim.digest))
    if stale is not None:
        session.delete(stale)
