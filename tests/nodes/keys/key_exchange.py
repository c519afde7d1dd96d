"""An exchange in memory that takes key changes, logs them and shows where; ``grow`` and spoiling as ever."""

import base64
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from audit.formats.merkle import inclusion_path, tree_root
from audit.keys.key_history import PartyKeys, check_revocation, check_rotation, key_id_of, revoked_keys
from audit.keys.signing import SigningKey
from audit.log.entry import Entry, EntryKind
from contracts.errors import NotFound
from contracts.messages import (
    Inclusion,
    KeyRevocation,
    KeyRotation,
    LogPlace,
    Member,
    MemberStatus,
    PastKey,
    RevocationReason,
)
from nodes.signed import peek_statement, sign_statement
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


@dataclass
class KeyExchange(SimulatedExchange):
    """Key changes are checked as the exchange checks them; ``lose_answers`` swallows replies."""

    places: dict[str, int] = field(default_factory=dict)
    past_keys: list[PastKey] = field(default_factory=list)
    lose_answers: int = 0

    def issue_directory(self, **changes: Any) -> str:
        return super().issue_directory(**({"past_keys": self.past_keys} | changes))

    def append(self, kind: EntryKind, fields: dict[str, Any], digest: str) -> int:
        """Log a statement and remember where it stands."""
        index = len(self.leaves)
        self.log_entries(Entry(kind, self.clock.now(), fields).encode())
        self.places.setdefault(digest, index)
        return index

    def rotate(self, text: str) -> httpx.Response:
        said = peek_statement(text, KeyRotation).statement
        member = self.members[said.participant or ""]
        held = PartyKeys.of(member)
        if held.held(said.role) != said.new:
            check_rotation(text, held, revoked_keys(member.past_keys))
            self.end(member, text, said)
        if self.lose_answers:
            self.lose_answers -= 1
            raise httpx.ReadTimeout("the answer was lost")
        return httpx.Response(200, json={"participant": member.participant, "status": member.status.value})

    def end(self, member: Member, text: str, said: KeyRotation) -> None:
        fields = {"part": said.participant, "role": said.role, "dig": said.content_digest()}
        fields |= {"old": key_id_of(said.role, said.old), "new": key_id_of(said.role, said.new)}
        index = self.append(EntryKind.KEY_ROTATE, fields, said.content_digest())
        until = LogPlace(origin=ORIGIN, size=index)
        past = PastKey(role=said.role, key=said.old, until=until, why="rotated", statement=text)
        name = {"node": "node_key", "witness": "witness_vkey", "sealing": "sealing_key"}[said.role]
        update = {name: said.new, "past_keys": [*member.past_keys, past]}
        self.set_member(member.model_copy(update=update))

    def revoke(
        self, participant: str, role: str, text: str | None = None, reason: RevocationReason = "lost"
    ) -> httpx.Response:
        """Revoke a member's key, in the exchange's name unless the member said so itself."""
        member = self.members[participant]
        keys = PartyKeys.of(member)
        key = keys.node if role == "node" else keys.witness
        fields = {
            "participant": participant,
            "role": role,
            "key": key,
            "reason": reason,
            "at": self.clock.now(),
        }
        said = KeyRevocation.model_validate(fields)
        text = text or sign_statement(said, self.statement_key).text
        known = {self.statement_key.key_id: self.statement_key.public}
        said = check_revocation(text, keys, revoked_keys(member.past_keys), known)
        entry: dict[str, Any] = {"part": participant, "role": role, "kid": key_id_of(said.role, said.key)}
        entry |= {"n": len(self.leaves), "dig": said.content_digest()}
        index = self.append(EntryKind.KEY_REVOKE, entry, said.content_digest())
        until = LogPlace(origin=ORIGIN, size=index)
        past = PastKey(role=said.role, key=said.key, until=until, why="revoked", statement=text)
        update: dict[str, Any] = {"past_keys": [*member.past_keys, past]}
        update |= {"status": MemberStatus.SUSPENDED} if role == "node" else {"witness_vkey": None}
        self.set_member(member.model_copy(update=update))
        status = self.members[participant].status.value
        return httpx.Response(200, json={"participant": participant, "status": status})

    def replace_statement_key(self) -> SigningKey:
        """Replace the exchange's own key; give the old one."""
        old, new = self.statement_key, SigningKey.generate()
        said = KeyRotation(
            participant=None, role="statement", old=old.public.text, new=new.public.text, at=self.clock.now()
        )
        text = sign_statement(said, old, new).text
        fields = {"part": None, "role": "statement", "dig": said.content_digest()}
        fields |= {"old": old.key_id, "new": new.key_id}
        index = self.append(EntryKind.KEY_ROTATE, fields, said.content_digest())
        until = LogPlace(origin=ORIGIN, size=index)
        self.past_keys = [
            *self.past_keys,
            PastKey(role="statement", key=old.public.text, until=until, why="rotated", statement=text),
        ]
        self.statement_key = new
        self.issue_directory()
        return old

    def shown(self, digest: str) -> Inclusion:
        """Prove where a statement stands."""
        if digest not in self.places:
            raise NotFound(digest)
        index, size = self.places[digest], len(self.leaves)
        path = inclusion_path(
            index, size, lambda level, i: tree_root(self.leaves[i << level : (i + 1) << level])
        )
        return Inclusion(
            index=index,
            leaf=base64.b64encode(self.leaf_bytes[self.leaves[index]]).decode(),
            path=[base64.b64encode(one).decode() for one in path],
            checkpoint=self.checkpoint().decode(),
        )

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        match (request.method, *path.strip("/").split("/")):
            case ("POST", "keys", "rotations"):
                return self.rotate(request.content.decode())
            case ("POST", "keys", "revocations"):
                said = peek_statement(request.content.decode(), KeyRevocation).statement
                return self.revoke(said.participant or "", said.role, request.content.decode())
            case _:
                return super()._answer(request, path)

    def _signed(self, request: httpx.Request, path: str) -> httpx.Response:
        match (request.method, *path.strip("/").split("/")):
            case ("GET", "log", "statements", digest):
                with suppress(NotFound):  # its signature is judged as any other's
                    super()._signed(request, path)
                return httpx.Response(200, content=self.shown(digest).canonical())
            case _:
                return super()._signed(request, path)
