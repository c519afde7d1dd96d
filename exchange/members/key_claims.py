"""Which keys and names a participant may bring: such as nobody holds or ever held, in any role.

A directory in which one key stands twice, or a witness bears the name of a shard, is refused by every node,
and by every verifier of a trust root. So one registration must not be able to lead there. Of some of its keys
a registration does not even prove possession: anybody could name another's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from audit.formats.note import KeyType, VerifierKey, VerifierKeyInvalid
from audit.keys.second_keys import is_line_name
from audit.keys.trust import MAX_KEYS
from audit.log.shards import shard_origin
from audit.log.unit import Unit
from contracts.errors import Conflict, Invalid
from contracts.messages import KeyRole, KeyRotation, PastKey, Registration
from exchange.members import store
from exchange.members.model import MemberRecord
from exchange.parts import Parts


class WrongWitnessKey(Invalid):
    """The registration's witness key does not fit the invite."""

    code = "wrong-witness-key"
    title_zh = "见证密钥与邀请不符"
    next_zh = "用原邀请重新运行 headwaters node join。"
    next_en = "Run headwaters node join again with the invite as it was issued."


class KeyTaken(Conflict):
    """Another participant registered this key."""

    code = "key-taken"
    title_zh = "该密钥已被另一参与方登记"
    next_zh = "每个参与方使用自己的密钥;换一个空目录重新加入。"
    next_en = "Every participant has keys of its own; join again from an empty folder."


class KeysExhausted(Conflict):
    """A party has replaced its key as often as a trust root has room for."""

    code = "keys-exhausted"
    title_zh = "该类密钥的更换次数已达上限"
    next_zh = "联系交换中心:以新的参与方编号重新加入。"
    next_en = "Ask the exchange for a new invite, and join again under a new id."


@dataclass(slots=True)
class Claims:
    """Every key that somebody holds or held, as text, and every name that stands for a key."""

    keys: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    founding: str = ""

    @classmethod
    def gather(cls, parts: Parts, unit: Unit) -> Self:
        """Collect the participants', the exchange's and the log's."""
        found = cls(founding=parts.settings.origin)
        found.keys.add(parts.statement_key.public.text)
        found.keys.update(past.key for past in store.past_keys(unit.session, None))
        found.names.add(parts.settings.origin)
        for shard in parts.log.shards():
            found._add_named(VerifierKey.parse(shard.vkey))
        for member in store.list_members(unit.session):
            found._add(member)
        return found

    def take(self, key: str) -> None:
        """Claim a key; raise KeyTaken."""
        if key in self.keys:
            raise KeyTaken("a key is another participant's, was used before, or stands twice")
        self.keys.add(key)

    def take_witness(self, key: VerifierKey, participant: str) -> None:
        """Claim a witness's key with its name; raise KeyTaken or WrongWitnessKey."""
        if is_line_name(key.name) or self._is_reserved(key.name, participant):
            raise WrongWitnessKey(
                "a witness does not bear a name of the log's: readers tell keys apart by it"
            )
        if key.name in self.names:
            raise KeyTaken("the witness's name is not its own")
        self.take(key.public.text)
        self.names.add(key.name)

    def _is_reserved(self, name: str, participant: str) -> bool:
        """Tell whether a name is the log's or may become a shard's; below it a participant has its own."""
        stem = shard_origin(self.founding, "")
        own = re.compile(rf"{re.escape(f'{self.founding}/{participant}')}(/w[1-9][0-9]*)?", re.ASCII)
        return (name == self.founding or f"{name}/".startswith(stem)) and own.fullmatch(name) is None

    def _add(self, member: MemberRecord) -> None:
        held = (member.node_key, member.sealing_key, member.root_key)
        self.keys.update(text for text in held if text is not None)
        self.keys.update(past.key for past in member.past_keys if past.role != "witness")
        for text in member.witness_keys:
            self._add_named(VerifierKey.parse(text))

    def _add_named(self, key: VerifierKey) -> None:
        self.keys.add(key.public.text)
        self.names.add(key.name)


def check_registration(parts: Parts, unit: Unit, registration: Registration, before: MemberRecord) -> None:
    """Check the keys that a participant joins with; raise WrongWitnessKey, KeyTaken or Invalid."""
    claims = Claims.gather(parts, unit)
    if not registration.sealing_key.startswith("x25519:"):
        raise Invalid("the sealing key is an X25519 key")
    if before.witness != (registration.witness_vkey is not None):
        raise WrongWitnessKey("the invite says otherwise about being a witness")
    claims.take(registration.node_key)
    claims.take(registration.sealing_key)
    if registration.root_key is not None:
        claims.take(registration.root_key)
    if registration.witness_vkey is not None:
        claims.take_witness(_cosigning_key(registration.witness_vkey), registration.participant)


def check_count(role: KeyRole, past: Iterable[PastKey]) -> None:
    """Check that a trust root has room for one more key; raise KeysExhausted.

    Every node draws a root with all keys of everybody in it: with one too many none can be drawn.
    """
    ended = {one.key for one in past if one.role == role}
    if len(ended) + 2 > MAX_KEYS:  # the present one ends, and another follows
        raise KeysExhausted(f"a trust root has room for {MAX_KEYS} {role} keys", most=MAX_KEYS)


def check_replacement(parts: Parts, unit: Unit, rotation: KeyRotation, before: MemberRecord) -> None:
    """Check the key that takes the place of another; raise KeyTaken, WrongWitnessKey or KeysExhausted."""
    check_count(rotation.role, before.past_keys)
    claims = Claims.gather(parts, unit)
    if rotation.role == "witness" and rotation.participant is not None:
        claims.take_witness(_cosigning_key(rotation.new), rotation.participant)
    else:
        claims.take(rotation.new)


def _cosigning_key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except VerifierKeyInvalid as error:
        raise WrongWitnessKey(error.detail) from error
    if key.type is not KeyType.COSIGNATURE:
        raise WrongWitnessKey("a witness key is of type 0x04")
    return key
