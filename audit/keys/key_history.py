"""How the keys of a party may change, pure: who has to sign what, and which chain of changes holds together.

A rotation is signed by the new key, and by the old one or the participant's root key; for a witness's or a
sealing key by the participant's node key as well. A revoked key vouches for nothing: the root key signs in
its place, and for a revoked witness key the node key is enough. A revocation is signed by the exchange, or by
the participant's node key or root key. What a past key signed counts where the log holds it below the place
at which the key ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from audit.formats.dsse import Envelope, parse_envelope
from audit.formats.note import KeyType, VerifierKey, VerifierKeyInvalid
from audit.keys.signing import PublicKey, SignatureInvalid, fingerprint
from contracts.canonical import NotCanonical
from contracts.errors import Corrupt, HeadwatersError, Invalid
from contracts.messages import KeyRevocation, KeyRole, KeyRotation, LogPlace, Member, PastKey, Statement

S = TypeVar("S", bound=Statement)

REVOCABLE: frozenset[KeyRole] = frozenset({"node", "witness"})


class KeyChainBroken(Corrupt):
    """The changes of a party's keys do not follow from each other."""

    code = "key-chain-broken"
    title_zh = "密钥更换记录不连续或未经双方签署"
    next_zh = "不采信新密钥;电话联系该参与方核对指纹,并保留目录作为证据。"
    next_en = (
        "Do not rely on the new key; compare fingerprints by telephone and keep the directory as evidence."
    )


class WrongRotation(Invalid):
    """The rotation does not fit the keys that the party holds."""

    code = "wrong-key-rotation"
    title_zh = "密钥更换声明与现行密钥不符"
    next_zh = "先核对现行密钥;同一更换可用相同命令再次提交。"
    next_en = "Check which key is current; the same rotation may be handed in again with the same command."


class NotRevocable(Invalid):
    """A key of this role is replaced, not revoked."""

    code = "key-not-revocable"
    title_zh = "该类密钥只能更换,不能单独吊销"
    next_zh = "节点与见证密钥可吊销;封装密钥用 headwaters node rotate-key --role sealing 更换。"
    next_en = "Node and witness keys can be revoked; replace a sealing key with headwaters node rotate-key."


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """The keys of one participant at one moment; a witness key stands here also after it was revoked."""

    node: str
    sealing: str
    witness: str | None = None
    root: str | None = None

    @classmethod
    def of(cls, member: Member) -> "PartyKeys":
        """Take them from the directory, which leaves out a witness key that is revoked."""
        ended = [past.key for past in member.past_keys if past.role == "witness"]
        witness = member.witness_vkey or (ended[-1] if ended else None)
        return cls(member.node_key, member.sealing_key, witness, member.root_key)

    def held(self, role: KeyRole) -> str | None:
        """Give the key of a role; the exchange's statement key is nobody's here."""
        return {"node": self.node, "witness": self.witness, "sealing": self.sealing}.get(role)

    def changed(self, role: KeyRole, key: str) -> "PartyKeys":
        """Give the keys with another one in a role."""
        match role:
            case "node":
                return replace(self, node=key)
            case "witness":
                return replace(self, witness=key)
            case "sealing":
                return replace(self, sealing=key)
            case "statement":
                raise WrongRotation("a participant has no statement key")


def revoked_keys(past: Iterable[PastKey]) -> frozenset[str]:
    """Give the keys that were revoked, whatever followed."""
    return frozenset(one.key for one in past if one.why == "revoked")


def read_rotation(envelope: str) -> tuple[Envelope, KeyRotation]:
    """Read a rotation in its one spelling; nothing is verified.

    Raises EnvelopeInvalid, BadMessage or NotCanonical.
    """
    return _read(envelope, KeyRotation)


def read_revocation(envelope: str) -> tuple[Envelope, KeyRevocation]:
    """Read a revocation in its one spelling; nothing is verified.

    Raises EnvelopeInvalid, BadMessage or NotCanonical.
    """
    return _read(envelope, KeyRevocation)


def check_rotation(envelope: str, before: PartyKeys, revoked: frozenset[str]) -> KeyRotation:
    """Verify that the holder of ``before`` replaces one of its keys.

    Raises WrongRotation when the old key is not the one it holds, and SignatureInvalid when one that has to
    sign did not.
    """
    opened, rotation = read_rotation(envelope)
    if rotation.participant is None or rotation.old == rotation.new:
        raise WrongRotation("the rotation is the exchange's, or changes nothing")
    if rotation.old != before.held(rotation.role):
        raise WrongRotation(f"the old key is not the present {rotation.role} key")
    new, old = _signer(rotation.role, rotation.new), _signer(rotation.role, rotation.old)
    node = PublicKey.from_text(before.node)
    root = None if before.root is None else PublicKey.from_text(before.root)
    known = {key.key_id: key for key in (new, old, node, root) if key is not None}
    # A sealing key cannot sign; then one of those that may vouch for it is enough to begin with.
    required = {new.key_id} if new is not None else {name for name, _ in opened.signatures} & known.keys()
    signed = opened.verified_by(known, required)
    if root is not None and root.key_id in signed:
        return rotation
    if before.node in revoked:
        raise SignatureInvalid("the node key is revoked: the root key, if there is one, signs in its place")
    needed = {node.key_id}
    if old is not None and rotation.old not in revoked:
        needed.add(old.key_id)
    if needed - signed:
        raise SignatureInvalid("a required signature is missing", missing=sorted(needed - signed))
    return rotation


def check_revocation(
    envelope: str, before: PartyKeys, revoked: frozenset[str], exchange: Mapping[str, PublicKey]
) -> KeyRevocation:
    """Verify that the exchange, or the holder of ``before``, revokes one of its keys.

    Raises NotRevocable, WrongRotation when it holds another key, SignatureInvalid.
    """
    opened, revocation = read_revocation(envelope)
    if revocation.participant is None or revocation.role not in REVOCABLE:
        raise NotRevocable(f"a {revocation.role} key is not revoked")
    if revocation.key != before.held(revocation.role):
        raise WrongRotation(f"the key is not the present {revocation.role} key")
    own = [text for text in (before.node, before.root) if text is not None and text not in revoked]
    known = {key.key_id: key for key in map(PublicKey.from_text, own)} | dict(exchange)
    if not any(name in known for name, _ in opened.signatures):
        raise SignatureInvalid("neither the exchange nor the participant signed the revocation")
    opened.verified_by(known, {name for name, _ in opened.signatures if name in known})
    return revocation


def check_history(member: Member, exchange: Mapping[str, PublicKey]) -> tuple[PartyKeys, ...]:
    """Verify every change of a member's keys and give what it held, newest first.

    ``exchange`` holds the exchange's statement keys, past and present, by key id. Raises KeyChainBroken.
    """
    state = PartyKeys.of(member)
    states = [state]
    for at in range(len(member.past_keys) - 1, -1, -1):
        past, earlier = member.past_keys[at], revoked_keys(member.past_keys[:at])
        try:
            state = _undone(member.participant, past, state, earlier, exchange)
        except HeadwatersError as error:
            raise KeyChainBroken(f"{member.participant}, change {at + 1}: {error.detail}") from error
        states.append(state)
    return tuple(states)


def check_statement_keys(pinned: PublicKey, past: Sequence[PastKey]) -> tuple[PublicKey, ...]:
    """Verify the rotations of the exchange's statement key and give its keys, oldest first.

    Old and new key sign each of them; ``pinned`` must be one of the keys. Raises KeyChainBroken.
    """
    keys: list[PublicKey] = []
    for at, one in enumerate(past, start=1):
        try:
            opened, rotation = read_rotation(one.statement)
            old, new = PublicKey.from_text(rotation.old), PublicKey.from_text(rotation.new)
            opened.verified_by({old.key_id: old, new.key_id: new}, {old.key_id, new.key_id})
        except HeadwatersError as error:
            raise KeyChainBroken(f"the exchange, change {at}: {error.detail}") from error
        said = (rotation.participant, rotation.role, one.role, one.why, one.key)
        if said != (None, "statement", "statement", "rotated", rotation.old) or old == new:
            raise KeyChainBroken(f"the exchange, change {at}: the statement is about another key")
        if keys and keys[-1] != old:
            raise KeyChainBroken(f"the exchange, change {at}: it does not follow the change before")
        keys = [*(keys or [old]), new]
    keys = keys or [pinned]
    if pinned not in keys or len(set(keys)) != len(keys):
        raise KeyChainBroken("the pinned key is not among the exchange's, or one came back")
    return tuple(keys)


def is_below(origin: str, index: int, until: LogPlace, shards: Sequence[str]) -> bool:
    """Tell whether entry ``index`` of the shard ``origin`` stands below ``until``.

    ``shards`` is oldest first; a shard that is not among them is below nothing.
    """
    if origin == until.origin:
        return index < until.size
    return origin in shards and until.origin in shards and shards.index(origin) < shards.index(until.origin)


def key_id_of(role: KeyRole, text: str) -> str:
    """Name a key as entries do: its suite, a colon and 16 hex digits of its SHA-256."""
    public = witness_key(text).public.text if role == "witness" else text
    return f"{public.partition(':')[0]}:{fingerprint(public).replace(' ', '')[:16]}"


def witness_key(text: str) -> VerifierKey:
    """Read a witness's vkey; raise WrongRotation for any other key."""
    try:
        key = VerifierKey.parse(text)
    except VerifierKeyInvalid as error:
        raise WrongRotation(error.detail) from error
    if key.type is not KeyType.COSIGNATURE:
        raise WrongRotation("a witness key is of type 0x04")
    return key


def _read(envelope: str, kind: type[S]) -> tuple[Envelope, S]:
    """Read a statement; raise EnvelopeInvalid, BadMessage or NotCanonical."""
    opened = parse_envelope(envelope.encode())
    payload = opened.payload_as(kind.payload_type)
    statement = kind.parse(payload)
    if statement.canonical() != payload:
        raise NotCanonical("the statement is not in its canonical spelling")
    return opened, statement


def _undone(
    participant: str,
    past: PastKey,
    after: PartyKeys,
    revoked: frozenset[str],
    exchange: Mapping[str, PublicKey],
) -> PartyKeys:
    """Verify one change and give the keys before it."""
    if past.why == "revoked":
        revocation = check_revocation(past.statement, after, revoked, exchange)
        said, about = (revocation.participant, revocation.role, revocation.key), after
    else:
        _, claimed = read_rotation(past.statement)
        about = after.changed(past.role, past.key)
        rotation = check_rotation(past.statement, about, revoked)
        said = (rotation.participant, rotation.role, rotation.old)
        if claimed.new != after.held(past.role):
            raise WrongRotation("it leads to another key than the one that followed")
    if said != (participant, past.role, past.key):
        raise WrongRotation("the statement is about another key")
    return about


def _signer(role: KeyRole, text: str) -> PublicKey | None:
    """Give the key that signs for a role; a sealing key cannot."""
    match role:
        case "witness":
            public = witness_key(text).public
            if not isinstance(public, PublicKey):
                raise WrongRotation("a witness signs with Ed25519")
            return public
        case "sealing":
            if not text.startswith("x25519:"):
                raise WrongRotation("a sealing key is an X25519 key")
            return None
        case "node" | "statement":
            return PublicKey.from_text(text)
