"""The roll: members and people as the running process knows them, for checking signatures without a query.

The exchange is one process; whoever commits a change to members or people calls ``load`` before it answers,
so the roll is never older than the newest answer.
"""

from audit.database import Database
from contracts.errors import Unauthenticated
from contracts.messages import MemberStatus
from exchange.members import store
from exchange.members.model import MemberRecord, PersonRecord, UnknownMember


class UnknownCaller(Unauthenticated):
    """The signing key is not registered here."""

    code = "unknown-caller"
    title_zh = "签名密钥未在本中心登记"
    next_zh = "先用邀请加入联盟(headwaters node join),或核对人员名称。"
    next_en = "Join with an invite first (headwaters node join), or check the person's name."


class Roll:
    """Members and people by name; read on the event loop and in threads, replaced as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._members: dict[str, MemberRecord] = {}
        self._people: dict[str, PersonRecord] = {}
        self.load()

    def load(self) -> None:
        """Read everything again; call it after each commit that touched members or people."""
        with self._database.read() as session:
            members = {m.participant: m for m in store.list_members(session)}
            people = {p.name: p for p in store.list_people(session)}
        self._members, self._people = members, people

    def member(self, participant: str) -> MemberRecord:
        """Give a participant in any state; raise UnknownMember."""
        found = self._members.get(participant)
        if found is None:
            raise UnknownMember(f"{participant} is not in the alliance", participant=participant)
        return found

    def caller(self, keyid: str) -> MemberRecord:
        """Give the participant behind a request's key id; raise UnknownCaller."""
        found = self._members.get(keyid)
        if found is None or found.node_key is None:
            raise UnknownCaller("no participant with this id has registered a key")
        return found

    def person(self, name: str) -> PersonRecord:
        """Give a person; raise UnknownCaller."""
        found = self._people.get(name)
        if found is None:
            raise UnknownCaller("no person with this name is registered")
        return found

    def is_active(self, participant: str) -> bool:
        """Say whether a participant may act now."""
        found = self._members.get(participant)
        return found is not None and found.status is MemberStatus.ACTIVE

    def members(self) -> list[MemberRecord]:
        """List every participant in any state."""
        return list(self._members.values())

    def witnesses(self) -> list[MemberRecord]:
        """List the members that cosign checkpoints now."""
        return [m for m in self._members.values() if m.is_witness]
