"""The only SQL behind ``trusting.trust``: directories, pinned keys, rising numbers, the largest log seen."""

from sqlmodel import Session, col, select

from audit.formats.checkpoint import Checkpoint
from audit.keys.key_history import PartyKeys
from contracts.messages import Directory
from nodes.tables import DirectoryRow, HighWaterRow, LogStateRow, PinRow
from nodes.trusting.directory import Pin, settled

NEWEST_AT = "newest-at"
REVOCATIONS = "revocations"


def newest_directory(session: Session) -> DirectoryRow | None:
    """Give the verified directory with the highest number."""
    return session.exec(select(DirectoryRow).order_by(col(DirectoryRow.number).desc()).limit(1)).first()


def keep_directory(session: Session, directory: Directory, digest: str, envelope: str) -> None:
    """Keep a verified directory and pin the keys it shows; harmless when repeated."""
    if session.get(DirectoryRow, directory.number) is None:
        session.add(DirectoryRow(number=directory.number, digest=digest, envelope=envelope))
    for member in settled(directory.members):
        pin(session, member.participant, PartyKeys.of(member))


def pins(session: Session) -> dict[str, Pin]:
    """Give every participant's pinned keys."""
    return {
        row.participant: Pin(row.node_key, row.sealing_key, row.witness_vkey, row.root_key)
        for row in session.exec(select(PinRow))
    }


def pin(session: Session, participant: str, keys: Pin) -> None:
    """Pin a participant's keys, in the place of those that led to them."""
    session.merge(
        PinRow(
            participant=participant,
            node_key=keys.node,
            sealing_key=keys.sealing,
            witness_vkey=keys.witness,
            root_key=keys.root,
        )
    )


def mark(session: Session, name: str) -> int | None:
    """Give the highest value seen under ``name``."""
    row = session.get(HighWaterRow, name)
    return None if row is None else row.value


def raise_mark(session: Session, name: str, value: int) -> bool:
    """Keep ``value`` if none above it was seen; say whether it stands."""
    row = session.get(HighWaterRow, name)
    if row is None:
        session.add(HighWaterRow(name=name, value=value))
        return True
    if value < row.value:
        return False
    row.value = value
    session.add(row)
    return True


def log_state(session: Session, origin: str) -> tuple[Checkpoint, bytes] | None:
    """Give the largest verified checkpoint of a log, with the note that carried it."""
    row = session.get(LogStateRow, origin)
    return None if row is None else (Checkpoint(row.origin, row.size, row.root), row.note)


def advance_log(session: Session, last: Checkpoint | None, claim: Checkpoint, note: bytes) -> bool:
    """Put ``claim`` in the place of ``last`` where it is larger; say whether ``last`` still stood there."""
    row = session.get(LogStateRow, claim.origin)
    if last != (None if row is None else Checkpoint(row.origin, row.size, row.root)):
        return False
    if row is None:
        session.add(LogStateRow(origin=claim.origin, size=claim.size, root=claim.root, note=note))
    elif claim.size > row.size:
        row.size, row.root, row.note = claim.size, claim.root, note
        session.add(row)
    return True
