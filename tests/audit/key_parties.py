"""A participant that changes its keys as it should, for the tests of key histories."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from audit.formats.cosignature import Cosigner
from audit.formats.dsse import sign
from audit.keys.key_history import PartyKeys, revoked_keys
from audit.keys.signing import SealingKey, SigningKey
from contracts.messages import (
    KeyRevocation,
    KeyRole,
    KeyRotation,
    Level,
    LogPlace,
    Member,
    MemberStatus,
    PastKey,
    Profile,
    Text,
)

AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ORIGIN = "log.example/2026"
NAME = "p-aaaaaaaaaaaa"
EXCHANGE = SigningKey.from_seed(b"\x09" * 32)
KNOWN = {EXCHANGE.key_id: EXCHANGE.public}
PROFILE = Profile(
    name=Text(zh="四川", en="Sichuan"),
    admin_code=None,
    admin_code_edition=None,
    level=Level.PROVINCE,
    sector="x",
)


@dataclass
class Party:
    """A participant that changes its keys as it should; ``past`` is what the directory would say."""

    node: SigningKey = field(default_factory=SigningKey.generate)
    witness: SigningKey = field(default_factory=SigningKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)
    root: SigningKey | None = field(default_factory=SigningKey.generate)
    number: int = 1
    size: int = 10
    past: list[PastKey] = field(default_factory=list)
    is_witness: bool = True

    @property
    def pen(self) -> Cosigner:
        return Cosigner(f"{ORIGIN}/{NAME}/w{self.number}", self.witness)

    def keys(self) -> PartyKeys:
        root = None if self.root is None else self.root.public.text
        witness = str(self.pen.verifier_key)
        return PartyKeys(self.node.public.text, self.sealing.public_text, witness, root)

    def member(self) -> Member:
        keys = self.keys()
        gone = keys.witness in revoked_keys(self.past)
        return Member(
            participant=NAME,
            profile=PROFILE,
            status=MemberStatus.ACTIVE,
            node_key=keys.node,
            sealing_key=keys.sealing,
            witness_vkey=None if gone else keys.witness,
            address=None,
            root_key=keys.root,
            past_keys=self.past,
        )

    def rotate(self, role: KeyRole, *, by_root: bool = False) -> str:
        """Replace a key and note it; give the statement."""
        before, old_node, old_witness = self.keys(), self.node, self.witness
        match role:
            case "node":
                self.node = SigningKey.generate()
                signers = [self.node, old_node]
            case "witness":
                self.witness, self.number = SigningKey.generate(), self.number + 1
                signers = [self.witness, old_witness, old_node]
            case _:
                self.sealing = SealingKey.generate()
                signers = [old_node]
        if by_root and self.root is not None:
            signers = [*([] if role == "sealing" else signers[:1]), self.root]
        text = rotation(role, before.held(role) or "", self.keys().held(role) or "", signers)
        self.end(role, before.held(role) or "", "rotated", text)
        return text

    def revoke(self, role: KeyRole, by: SigningKey) -> str:
        """Revoke the present key of a role and note it; give the statement."""
        text = revocation(role, self.keys().held(role) or "", by)
        self.end(role, self.keys().held(role) or "", "revoked", text)
        return text

    def end(self, role: KeyRole, key: str, why: str, statement: str) -> None:
        self.size += 3
        until = LogPlace(origin=ORIGIN, size=self.size)
        fields = {"role": role, "key": key, "until": until, "why": why, "statement": statement}
        self.past = [*self.past, PastKey.model_validate(fields)]


def rotation(role: KeyRole, old: str, new: str, signers: list[SigningKey], who: str | None = NAME) -> str:
    said = KeyRotation(participant=who, role=role, old=old, new=new, at=AT)
    return sign(KeyRotation.payload_type, said.canonical(), signers).encode().decode()


def revocation(role: KeyRole, key: str, by: SigningKey) -> str:
    said = KeyRevocation(participant=NAME, role=role, key=key, reason="compromised", at=AT)
    return sign(KeyRevocation.payload_type, said.canonical(), [by]).encode().decode()
