"""Use cases of the exchange's people: one person proposes another, and a third confirms.

A change of policy needs two people, so one person alone must not be able to make a second one. A person acts
from the confirmation on; both acts are on record, with the names concealed.
"""

import structlog
from sqlmodel import Session

from audit.commitment import commit, new_salt
from audit.keys.signing import PublicKey
from audit.log.entry import EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json, canonical_bytes
from contracts.clock import epoch_ms
from contracts.errors import Conflict, NotFound, Refused
from contracts.messages import Role, Severity, Text
from exchange.evidence import admin_act, conceal, reveal
from exchange.identity import Person
from exchange.log.store import entries_of
from exchange.members import store
from exchange.members.model import PersonRecord
from exchange.members.on_record import CONFIRMED, PeopleTampered, check_people, commitment_of
from exchange.members.tables import PersonProposalRow
from exchange.parts import Alarm, Parts

log = structlog.get_logger(__name__)

MAX_WAITING = 20
PROPOSED = "person.propose"


class PersonTaken(Conflict):
    """There is a person of this name or with this key, or too many wait already."""

    code = "person-taken"
    title_zh = "已有同名或同密钥的人员,或待确认的人员过多"
    next_zh = "换一个名字,并为每个人生成各自的密钥(headwaters exchange person list)。"
    next_en = "Choose another name, and a key for each person (headwaters exchange person list)."


class PersonNotProposed(NotFound):
    """Nobody of this name waits to be confirmed."""

    code = "person-not-proposed"
    title_zh = "没有待确认的此人"
    next_zh = "用 headwaters exchange person list 查看。"
    next_en = "See headwaters exchange person list."


class OtherPersonNeeded(Refused):
    """Whoever proposed a person cannot confirm them, and nobody confirms themselves."""

    code = "other-person-needed"
    title_zh = "提议人不能自己确认新人员"
    next_zh = "请另一位管理员或运维人员确认。"
    next_en = "Ask another administrator or operator to confirm."


async def propose_person(
    parts: Parts, person: Person, name: str, roles: frozenset[Role], key: str
) -> list[Json]:
    """Have a person wait for confirmation; give all people. Raises PersonTaken or KeyInvalid."""
    PublicKey.from_text(key)

    def unit(unit: Unit) -> None:
        session = unit.session
        waiting = store.person_proposals(session)
        known = [(one.name, one.key) for one in store.list_people(session)]
        known += [(row.name, row.key) for row in waiting]
        if len(waiting) >= MAX_WAITING or any(name == one or key == other for one, other in known):
            raise PersonTaken(f"{name} cannot be added")
        row = PersonProposalRow(
            name=name,
            roles=",".join(sorted(roles)),
            key=key,
            by=person.name,
            at=epoch_ms(unit.now),
        )
        store.add_person_proposal(session, row)
        digest = conceal(session, _said(row), salt=new_salt(), now=unit.now)
        unit.append(admin_act(unit, person, PROPOSED, digest))

    await parts.log.commit(unit)
    log.info("person_proposed")
    return people(parts)


async def confirm_person(parts: Parts, person: Person, name: str) -> list[Json]:
    """Let a proposed person act; give all people.

    Raises PersonNotProposed, OtherPersonNeeded or PeopleTampered.
    """

    def unit(unit: Unit) -> int:
        session = unit.session
        row = store.find_person_proposal(session, name)
        if row is None:
            raise PersonNotProposed(f"{name} does not wait")
        if person.name == row.by:
            raise OtherPersonNeeded(f"{person.name} proposed {name}")
        check_people(session)
        _check_proposed(session, row)
        roles = frozenset(Role(role) for role in row.roles.split(","))
        new = PersonRecord(row.name, roles, row.key, new_salt())
        store.save_person(session, new)
        store.drop_person_proposal(session, name)
        unit.append(admin_act(unit, person, CONFIRMED, commitment_of(new)))
        return parts.hooks.record_alarm(parts, unit, _added(roles))

    committed = await parts.log.commit(unit)
    parts.roll.load()
    parts.mailbox.announce(events=committed.value)
    return people(parts)


def people(parts: Parts) -> list[Json]:
    """List the people who may act and those who wait to be confirmed; no salts, no private keys."""
    with parts.database.read() as session:
        acting: list[Json] = [
            {"name": one.name, "roles": sorted(one.roles), "key": one.key, "waits": False, "by": None}
            for one in store.list_people(session)
        ]
        waiting: list[Json] = [
            {"name": row.name, "roles": row.roles.split(","), "key": row.key, "waits": True, "by": row.by}
            for row in store.person_proposals(session)
        ]
    return [*acting, *waiting]


def _said(row: PersonProposalRow) -> bytes:
    return canonical_bytes({"name": row.name, "roles": row.roles, "key": row.key, "by": row.by})


def _check_proposed(session: Session, row: PersonProposalRow) -> None:
    """Raise PeopleTampered unless the log has a proposal in these very words, by this person."""
    for entry in entries_of(session, EntryKind.ADMIN_ACT):
        opened = reveal(session, str(entry.fields["dig"])) if entry.fields["what"] == PROPOSED else None
        if opened is not None and opened[1] == _said(row) and commit(*opened) == entry.fields["dig"]:
            return
    raise PeopleTampered(f"{row.name} was proposed in other words, or by nobody")


def _added(roles: frozenset[Role]) -> Alarm:
    """Tell the alliance that there is another person with these roles; the name is nobody's business."""
    return Alarm(
        event_class="person.added",
        severity=Severity.LOW,
        subject=None,
        title=Text(zh="交换中心新增了一名人员", en="The exchange has another person who may act"),
        facts={"roles": ", ".join(sorted(roles))},
    )
