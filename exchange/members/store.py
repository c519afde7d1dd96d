"""The only SQL about members, people, directories and revocations.

Functions take the session of a read or of a log unit and give records; they decide nothing. Other rooms use
``find_member``, ``find_standing``, ``list_members`` and ``add_revocation``.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from sqlmodel import Session, and_, col, func, not_, select

from audit.keys.key_history import read_rotation
from contracts.clock import epoch_ms, from_epoch_ms
from contracts.messages import LogPlace, MemberStatus, PastKey, Profile, Role
from exchange.members.model import MemberRecord, PersonRecord, UnknownMember
from exchange.members.tables import (
    DirectoryRow,
    MemberRow,
    PastKeyRow,
    PersonProposalRow,
    PersonRow,
    RevocationRow,
)

RevocationKind = Literal["participant", "agreement", "grant"]


class Standing(NamedTuple):
    """What a decision needs to know of a participant."""

    status: MemberStatus
    profile: Profile
    node_key: str | None


def find_member(session: Session, participant: str) -> MemberRecord:
    """Give one participant in any state; raise UnknownMember."""
    return _record(_row(session, participant), past_keys(session, participant))


def find_standing(session: Session, participant: str) -> Standing:
    """Give who a participant is and where it stands, without its past keys; raise UnknownMember."""
    row = _row(session, participant)
    return Standing(MemberStatus(row.status), Profile.model_validate_json(row.profile), row.node_key)


def list_members(session: Session) -> list[MemberRecord]:
    """Give every participant in any state, in the order of their ids."""
    ended: dict[str | None, list[PastKey]] = {}
    for past in session.exec(select(PastKeyRow).order_by(col(PastKeyRow.number))):
        ended.setdefault(past.participant, []).append(_past_key(past))
    rows = session.exec(select(MemberRow).order_by(col(MemberRow.participant)))
    return [_record(row, ended.get(row.participant, [])) for row in rows]


def count_witnesses(session: Session) -> int:
    """Count the witnesses that were ever named, and those that may still join; a withdrawn invite is neither.

    Nodes never accept more than the invite promised, and a revoked witness keeps its place.
    """
    withdrawn = and_(col(MemberRow.status) == MemberStatus.REVOKED.value, col(MemberRow.node_key).is_(None))
    query = select(func.count()).select_from(MemberRow).where(col(MemberRow.witness), not_(withdrawn))
    return session.exec(query).one()


def save_member(session: Session, record: MemberRecord, now: datetime) -> None:
    """Insert or replace one participant."""
    session.merge(
        MemberRow(
            participant=record.participant,
            profile=record.profile.model_dump_json(),
            status=record.status.value,
            witness=record.witness,
            secret_hash=record.secret_hash,
            invite_expires_at=epoch_ms(record.invite_expires_at),
            node_key=record.node_key,
            sealing_key=record.sealing_key,
            witness_vkey=record.witness_vkey,
            address=record.address,
            root_key=record.root_key,
            changed_at=epoch_ms(now),
        )
    )
    session.flush()


def past_keys(session: Session, participant: str | None) -> list[PastKey]:
    """Give the keys that a participant, or with None the exchange, held before, oldest first."""
    query = select(PastKeyRow).where(col(PastKeyRow.participant) == participant)
    return [_past_key(row) for row in session.exec(query.order_by(col(PastKeyRow.number)))]


def logged_statement_key(session: Session) -> str | None:
    """Give the exchange's statement key as the log names it; None while it has never changed."""
    past = past_keys(session, None)
    return read_rotation(past[-1].statement)[1].new if past else None


def add_past_key(session: Session, participant: str | None, past: PastKey, now: datetime) -> None:
    """Keep that a key ended; a participant's keys end in the order of the log."""
    number = (session.exec(select(func.max(PastKeyRow.number))).one() or 0) + 1
    session.add(
        PastKeyRow(
            number=number,
            participant=participant,
            role=past.role,
            key=past.key,
            origin=past.until.origin,
            size=past.until.size,
            why=past.why,
            statement=past.statement,
            at=epoch_ms(now),
        )
    )
    session.flush()


def list_people(session: Session) -> list[PersonRecord]:
    """Give every person who may act."""
    return [
        PersonRecord(
            row.name, frozenset(Role(r) for r in row.roles.split(",")), row.key, bytes.fromhex(row.salt)
        )
        for row in session.exec(select(PersonRow).order_by(col(PersonRow.name)))
    ]


def person_proposals(session: Session) -> list[PersonProposalRow]:
    """Give the people who wait to be confirmed."""
    return list(session.exec(select(PersonProposalRow).order_by(col(PersonProposalRow.name))))


def find_person_proposal(session: Session, name: str) -> PersonProposalRow | None:
    """Give one person who waits to be confirmed."""
    return session.get(PersonProposalRow, name)


def add_person_proposal(session: Session, row: PersonProposalRow) -> None:
    """Have a person wait to be confirmed."""
    session.add(row)
    session.flush()


def drop_person_proposal(session: Session, name: str) -> None:
    """Have a person wait no more."""
    row = session.get(PersonProposalRow, name)
    if row is not None:
        session.delete(row)
        session.flush()


def save_person(session: Session, person: PersonRecord) -> None:
    """Insert or replace one person."""
    roles = ",".join(sorted(person.roles))
    session.merge(PersonRow(name=person.name, roles=roles, key=person.key, salt=person.salt.hex()))
    session.flush()


def latest_directory(session: Session) -> DirectoryRow | None:
    """Give the newest directory as it was issued."""
    return session.exec(select(DirectoryRow).order_by(col(DirectoryRow.number).desc()).limit(1)).first()


def save_directory(session: Session, row: DirectoryRow) -> None:
    """Insert a directory; its number must be new."""
    session.add(row)
    session.flush()


def add_revocation(
    session: Session, kind: RevocationKind, name: str, now: datetime, *, lifted: bool = False
) -> int:
    """Put ``name`` on the revocation list, or lift it; give the list's new number."""
    number = revocation_number(session) + 1
    session.add(RevocationRow(number=number, kind=kind, name=name, lifted=lifted, at=epoch_ms(now)))
    session.flush()
    return number


def revocation_number(session: Session) -> int:
    """Give the number of the newest change to the revocation list; 0 when there was none."""
    return session.exec(select(func.max(RevocationRow.number))).one() or 0


def current_revocations(session: Session) -> dict[RevocationKind, list[str]]:
    """Give what is revoked now, by kind, sorted."""
    rows = session.exec(select(RevocationRow).order_by(col(RevocationRow.number)))
    state = {(row.kind, row.name): row.lifted for row in rows}
    kinds: tuple[RevocationKind, ...] = ("participant", "agreement", "grant")
    return {kind: sorted(n for (k, n), lifted in state.items() if k == kind and not lifted) for kind in kinds}


def _row(session: Session, participant: str) -> MemberRow:
    row = session.get(MemberRow, participant)
    if row is None:
        raise UnknownMember(f"{participant} is not in the alliance", participant=participant)
    return row


def _past_key(row: PastKeyRow) -> PastKey:
    return PastKey.model_validate(
        {
            "role": row.role,
            "key": row.key,
            "until": LogPlace(origin=row.origin, size=row.size),
            "why": row.why,
            "statement": row.statement,
        }
    )


def _record(row: MemberRow, past: list[PastKey]) -> MemberRecord:
    return MemberRecord(
        participant=row.participant,
        profile=Profile.model_validate_json(row.profile),
        status=MemberStatus(row.status),
        witness=row.witness,
        secret_hash=row.secret_hash,
        invite_expires_at=from_epoch_ms(row.invite_expires_at),
        node_key=row.node_key,
        sealing_key=row.sealing_key,
        witness_vkey=row.witness_vkey,
        address=row.address,
        root_key=row.root_key,
        past_keys=tuple(past),
    )
