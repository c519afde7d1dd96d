"""Whether the log vouches for the people in the database: rows can be edited, entries not without a trace.

Two people are needed for a change of policy, so whoever could write people into the database could be two.
The entry of the founders' policy therefore commits to the founders, each with name, roles and key, and the
entry of a confirmation to the person who was confirmed. In a home that was founded before this was so there
is nothing to hold its people against.
"""

from collections.abc import Sequence

from sqlmodel import Session

from audit.commitment import commit
from audit.log.entry import EntryKind
from contracts.canonical import canonical_bytes, digest
from contracts.errors import Corrupt
from exchange.log.store import entries_of
from exchange.members.model import PersonRecord
from exchange.members.store import list_people

CONFIRMED = "person.confirm"


class PeopleTampered(Corrupt):
    """The people in the database are not those that the log vouches for."""

    code = "people-tampered"
    title_zh = "数据库中的人员与日志记录不符"
    next_zh = "从备份恢复数据库,并通知审计人员;在此之前不能变更策略或人员。"
    next_en = "Restore the database from a backup and tell the auditors; until then nothing changes."


def commitment_of(person: PersonRecord) -> str:
    """Commit to a person's name, roles and key under the salt that is theirs."""
    said = {"name": person.name, "roles": sorted(person.roles), "key": person.key}
    return commit(person.salt, canonical_bytes(said))


def founders_digest(people: Sequence[PersonRecord]) -> str:
    """Give the digest over the founders by which the log vouches for them."""
    return digest(sorted(map(commitment_of, people)))


def founding_digest(session: Session) -> str | None:
    """Give the founders' digest that the log has; None in a home that was founded without one."""
    for entry in entries_of(session, EntryKind.POLICY_ACTIVATE):
        if "by" not in entry.fields and "dig" in entry.fields:
            return str(entry.fields["dig"])
    return None


def check_people(session: Session) -> None:
    """Raise PeopleTampered unless everybody was a founder or was confirmed, with this name, roles and key."""
    founding = founding_digest(session)
    if founding is None:
        return
    acts = entries_of(session, EntryKind.ADMIN_ACT)
    confirmed = {entry.fields["dig"] for entry in acts if entry.fields["what"] == CONFIRMED}
    founders = [person for person in list_people(session) if commitment_of(person) not in confirmed]
    if founders_digest(founders) != founding:
        raise PeopleTampered("a person was added, changed or taken away beside the log")
