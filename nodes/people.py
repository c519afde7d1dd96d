"""The people of a node: who may act here, under which key, in which role.

Administration, audit and operation are different roles, and one person of a small node may hold several. A
person's request is accepted in ``nodes.callers``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from audit.database import Database
from audit.keys.signing import PublicKey
from contracts.errors import Conflict, Unauthenticated
from contracts.identifiers import parse_name
from contracts.messages import Role
from nodes.tables import PersonRow

ALL_ROLES = frozenset(Role)


class UnknownPerson(Unauthenticated):
    """Nobody of this name may act here."""

    code = "unknown-person"
    title_zh = "此人未在本节点登记"
    next_zh = "由管理员登记此人的公钥,或换用已登记的人员密钥。"
    next_en = "Have an administrator register the person's key, or act as somebody who is registered."


class PersonExists(Conflict):
    """The person is registered with another key."""

    code = "person-exists"
    title_zh = "此人已登记了另一把密钥"
    next_zh = "换一个名字,或先由管理员注销旧密钥。"
    next_en = "Choose another name, or have an administrator remove the old key first."


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may act at this node."""

    name: str
    key: PublicKey
    roles: frozenset[Role]


class People:
    """The register of people in the node's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, key: PublicKey, roles: Iterable[Role], *, at_ms: int) -> Person:
        """Register a person; harmless when repeated, PersonExists when the key is another."""
        person = Person(parse_name(name), key, frozenset(roles))
        with self._database.transaction() as session:
            row = session.get(PersonRow, name)
            if row is not None and row.key != key.text:
                raise PersonExists(f"{name} has another key")
            if row is None:
                roles_text = ",".join(sorted(person.roles))
                session.add(PersonRow(name=name, key=key.text, roles=roles_text, added_at=at_ms))
        return person

    def find(self, name: str) -> Person:
        """Give a person by name; raise UnknownPerson."""
        with self._database.read() as session:
            row = session.get(PersonRow, name)
            if row is None:
                raise UnknownPerson(f"{name[:40]!r} is not registered")
            return _person(row)


def _person(row: PersonRow) -> Person:
    roles = frozenset(Role(text) for text in row.roles.split(",") if text)
    return Person(row.name, PublicKey.from_text(row.key), roles)
