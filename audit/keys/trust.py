"""Whom a verifier believes: logs, statement keys, witnesses and participants, each key with its window.

A trust root is numbered and chained, and the provinces sign it k of n with keys that they keep offline
(``audit.keys.trust_file`` reads the file and judges the signatures). A key that was replaced or revoked
stays in it, with the place in the log up to which it counts: what it signed is believed where the log
proves that it was there by then. Keys inside a proof, a report or an export are never believed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, pairwise
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import Field

from audit.formats.checkpoint import Checkpoint, CheckpointInvalid
from audit.formats.note import KeyType, NoteInvalid, VerifierKey, parse_note
from audit.formats.quorum import QUORUM_GROUP, Group, PolicyKey, Witnessed, WitnessPolicy
from audit.keys.second_keys import check_second_keys, is_line_name, read_second_key
from audit.keys.signing import PublicKey
from contracts.errors import HeadwatersError, Invalid, Undecidable
from contracts.messages import (
    MAX_SECOND_KEYS,
    At,
    Digest,
    KeyText,
    LogPlace,
    ParticipantId,
    Short,
    Statement,
    Text,
    VKey,
    WideVKey,
    Wire,
)

MAX_LOGS = 64  # thirty-two years of half-year shards
MAX_KEYS = 64  # of one role, replaced ones included


class TrustRootInvalid(Invalid):
    """The trust root contradicts itself or is not well formed."""

    code = "trust-root-invalid"
    title_zh = "信任根文件无效"
    next_zh = "向管理方重新获取信任根文件,并当面核对指纹。"
    next_en = "Get the trust root from the operator again, and compare its fingerprints out of band."


class UnknownParticipant(Undecidable):
    """The trust root does not name this participant."""

    code = "not-in-trust-root"
    title_zh = "信任根中没有该参与方"
    next_zh = "获取较新的信任根文件后重试。"
    next_en = "Get a newer trust root and try again."


class TrustedKey(Wire):
    """A key, and where it was replaced or revoked: the place up to which it counts, and why it ended."""

    key: KeyText
    until: LogPlace | None = None
    why: Literal["rotated", "revoked"] | None = None

    @property
    def public(self) -> PublicKey:
        """The key itself."""
        return PublicKey.from_text(self.key)


class TrustedWitness(Wire):
    """A witness's key, written as a vkey, and its end like that of any other key."""

    vkey: VKey
    until: LogPlace | None = None
    why: Literal["rotated", "revoked"] | None = None

    @property
    def verifier_key(self) -> VerifierKey:
        """The key itself."""
        return VerifierKey.parse(self.vkey)


_AnyTrusted: TypeAlias = TrustedKey | TrustedWitness


class TrustedParticipant(Wire):
    """A participant, its name and its keys, oldest first; ``root_key`` signs trust roots."""

    participant: ParticipantId
    name: Text
    node_keys: Annotated[list[TrustedKey], Field(min_length=1, max_length=MAX_KEYS)]
    witness_keys: Annotated[list[TrustedWitness], Field(max_length=MAX_KEYS)]
    root_key: KeyText | None


class TrustedLog(Wire):
    """One shard of the log: its origin, the key that signs its checkpoints, and those of its second lines."""

    origin: Short
    vkey: VKey
    second_keys: Annotated[list[WideVKey], Field(max_length=MAX_SECOND_KEYS)] = Field(default_factory=list)

    @property
    def verifier_key(self) -> VerifierKey:
        """The key itself."""
        return VerifierKey.parse(self.vkey)

    def require_extends(self, older: Self) -> None:
        """Raise TrustRootInvalid unless this is ``older``, perhaps with further second keys."""
        same = (self.origin, self.vkey) == (older.origin, older.vkey)
        if not same or self.second_keys[: len(older.second_keys)] != older.second_keys:
            raise TrustRootInvalid("a log, or a key of its second lines, is another than was signed")


class TrustRoot(Statement):
    """Everything that a verifier believes; number 0 is what one node pinned, signed by nobody.

    ``threshold`` is how many root keys sign the root, ``quorum`` how many witnesses cosign a checkpoint.
    """

    payload_type: ClassVar[str] = "application/vnd.headwaters.trust-root.v2+json"

    version: Literal[2] = 2
    number: Annotated[int, Field(ge=0, lt=2**31)]
    previous: Digest | None
    issued_at: At
    expires_at: At | None
    threshold: Annotated[int, Field(ge=1, le=32)]
    quorum: Annotated[int, Field(ge=1, le=32)]
    logs: Annotated[list[TrustedLog], Field(min_length=1, max_length=MAX_LOGS)]
    statement_keys: Annotated[list[TrustedKey], Field(min_length=1, max_length=MAX_KEYS)]
    participants: Annotated[list[TrustedParticipant], Field(max_length=10_000)]

    def checked(self) -> Self:
        """Give this root; raise TrustRootInvalid when a key is malformed or one part contradicts another."""
        try:
            _check(self)
        except TrustRootInvalid:
            raise
        except HeadwatersError as error:
            raise TrustRootInvalid(str(error)) from error
        return self

    def participant(self, name: str) -> TrustedParticipant:
        """Give what is known of a participant; raise UnknownParticipant."""
        for one in self.participants:
            if one.participant == name:
                return one
        raise UnknownParticipant(f"the trust root does not name {name}", participant=name)

    def root_keys(self) -> dict[str, PublicKey]:
        """Give the keys that sign trust roots, by participant."""
        return {
            one.participant: PublicKey.from_text(one.root_key)
            for one in self.participants
            if one.root_key is not None
        }

    def covers(self, until: LogPlace | None, origin: str, size: int) -> bool:
        """Tell whether the first ``size`` entries of the shard ``origin`` lie before ``until``.

        None never ends. Raises TrustRootInvalid for a shard that the root does not name.
        """
        return until is None or self.position(LogPlace(origin=origin, size=size)) <= self.position(until)

    def position(self, place: LogPlace) -> tuple[int, int]:
        """Give what orders places over all shards; raise TrustRootInvalid for a shard that is not named."""
        return self._order(place.origin), place.size

    def check(self, note: bytes, *, now: datetime) -> Witnessed:
        """Verify a cosigned checkpoint of any shard under the keys that count at its size.

        Raises NoteInvalid, and QuorumMissing when too few witnesses signed no later than ``now`` plus the
        allowed skew.
        """
        try:
            claim = Checkpoint.parse(parse_note(note).text)
            policy = self.policy_at(claim.origin, claim.size)
        except (CheckpointInvalid, TrustRootInvalid) as error:
            raise NoteInvalid(f"the note holds no checkpoint of a trusted log: {error}") from error
        return policy.check(note, now=now)

    def witness_policy(self) -> WitnessPolicy:
        """Give the policy of today: the newest shard, and the witness keys that have not ended."""
        return self._policy(self.logs[-1], {one.participant: one.witness_keys[-1:] for one in self.voters()})

    def policy_at(self, origin: str, size: int) -> WitnessPolicy:
        """Give the policy for a checkpoint: its shard's key, and the witness keys that count at that size.

        Raises TrustRootInvalid for a shard that the root does not name. A participant counts once, however
        many of its keys sign.
        """
        keys = {
            one.participant: [each for each in one.witness_keys if self.covers(each.until, origin, size)]
            for one in self.participants
        }
        return self._policy(self.logs[self._order(origin)], keys)

    def key_texts(self) -> frozenset[str]:
        """Give every key that the root names, in any role and ended ones too, as text."""
        roles: list[Iterable[str | None]] = [
            (one.vkey for one in self.logs),
            chain.from_iterable(one.second_keys for one in self.logs),
            (one.key for one in self.statement_keys),
        ]
        for party in self.participants:
            nodes, witnesses = party.node_keys, party.witness_keys
            roles += [(one.key for one in nodes), (one.vkey for one in witnesses), (party.root_key,)]
        return frozenset(text for text in chain.from_iterable(roles) if text is not None)

    def require_extends(self, older: Self) -> None:
        """Raise TrustRootInvalid unless everything that ``older`` names stands here too, unchanged.

        What may be new: logs and participants that joined, the keys that took the place of older ones, the
        end of a key that still counted, and the keys of further second lines.
        """
        if self.quorum != older.quorum or len(self.logs) < len(older.logs):
            raise TrustRootInvalid("the quorum is another than was signed, or a log is gone")
        for log, signed in zip(self.logs, older.logs, strict=False):
            log.require_extends(signed)
        _check_extends("exchange", self.statement_keys, older.statement_keys)
        here = {one.participant: one for one in self.participants}
        for before in older.participants:
            now = here.get(before.participant)
            if now is None or (now.name, now.root_key) != (before.name, before.root_key):
                raise TrustRootInvalid(f"{before.participant} is not as it was signed")
            _check_extends(before.participant, now.node_keys, before.node_keys)
            _check_extends(before.participant, now.witness_keys, before.witness_keys)

    def voters(self) -> list[TrustedParticipant]:
        """Give the participants with a witness key that has not ended."""
        return [one for one in self.participants if any(key.until is None for key in one.witness_keys)]

    def _policy(self, log: TrustedLog, keys: Mapping[str, list[TrustedWitness]]) -> WitnessPolicy:
        witnesses: dict[str, PolicyKey] = {}
        groups: dict[str, Group] = {}
        for name, several in keys.items():
            alone = len(several) == 1
            names = [name if alone else f"{name}/{number}" for number, _ in enumerate(several, start=1)]
            witnesses.update(
                {each: PolicyKey(one.verifier_key) for each, one in zip(names, several, strict=True)}
            )
            if len(several) > 1:  # a participant counts once, however many of its keys signed
                groups[name] = Group(1, tuple(names))
        groups[QUORUM_GROUP] = Group(self.quorum, tuple(name for name, several in keys.items() if several))
        second = tuple(read_second_key(text, log.origin) for text in log.second_keys)
        return WitnessPolicy((PolicyKey(log.verifier_key),), witnesses, groups, QUORUM_GROUP, second)

    def _order(self, origin: str) -> int:
        for place, one in enumerate(self.logs):
            if one.origin == origin:
                return place
        raise TrustRootInvalid(f"the trust root names no log {origin[:80]}")


def _check(root: TrustRoot) -> None:
    origins = [one.origin for one in root.logs]
    if any(one.verifier_key.name != one.origin for one in root.logs):
        raise TrustRootInvalid("a log's key bears another name than its origin")
    _check_once("origin", origins)
    _check_once("participant", [one.participant for one in root.participants])
    _check_once("witness name", [*origins, *(key.name for key in _witness_keys(root))])
    _check_once("key", list(_raw_keys(root)))
    _check_second(root)
    for keys in (root.statement_keys, *_windows(root.participants)):
        _check_ends(root, keys)
    if any(key.type is not KeyType.COSIGNATURE for key in _witness_keys(root)):
        raise TrustRootInvalid("a witness key is of another type than a cosignature's")
    if any(one.verifier_key.type is not KeyType.ED25519 for one in root.logs):
        raise TrustRootInvalid("a log's key is of another type than a log's")
    if len(root.voters()) < root.quorum:
        raise TrustRootInvalid("fewer witnesses than the quorum asks for")
    if root.number > 0 and len(root.root_keys()) < root.threshold:
        raise TrustRootInvalid("fewer root keys than must sign")
    if (root.previous is None) != (root.number <= 1):
        raise TrustRootInvalid("the first root, and only that, has no predecessor")
    if root.expires_at is not None and root.expires_at <= root.issued_at:
        raise TrustRootInvalid("the root ends before it begins")


def _check_once(what: str, values: Sequence[object]) -> None:
    if len(set(values)) != len(values):
        raise TrustRootInvalid(f"the same {what} stands twice in the trust root")


def _check_second(root: TrustRoot) -> None:
    """A second key is its log's alone, by its name; no witness and no log bears such a name."""
    for log in root.logs:
        check_second_keys(log.second_keys, log.origin)
    if any(is_line_name(key.name) for key in _witness_keys(root)):
        raise TrustRootInvalid("a witness bears the name of a log's second line")


def _check_ends(root: TrustRoot, keys: Sequence[_AnyTrusted]) -> None:
    if any((one.until is None) != (one.why is None) for one in keys):
        raise TrustRootInvalid("a key that ended says where and why")
    if any(one.until is None for one in keys[:-1]):
        raise TrustRootInvalid("a key that still counts stands before a newer one")
    ends = [root.position(one.until) for one in keys if one.until is not None]
    if any(later < earlier for earlier, later in pairwise(ends)):
        raise TrustRootInvalid("keys do not end in their order")


def _check_extends(whose: str, now: Sequence[_AnyTrusted], before: Sequence[_AnyTrusted]) -> None:
    """Keys that ended stay as they are; the newest one may have ended since, and others may follow it."""
    for place, old in enumerate(before):
        new = now[place] if place < len(now) else None
        if new is None or new.model_copy(update={"until": old.until, "why": old.why}) != old:
            raise TrustRootInvalid(f"a key of {whose} is another than the one that was signed")
        if old.until is not None and (new.until, new.why) != (old.until, old.why):
            raise TrustRootInvalid(f"a key of {whose} ends elsewhere than it was signed")


def _windows(participants: list[TrustedParticipant]) -> Iterator[Sequence[_AnyTrusted]]:
    for one in participants:
        yield one.node_keys
        yield one.witness_keys


def _witness_keys(root: TrustRoot) -> list[VerifierKey]:
    return [key.verifier_key for one in root.participants for key in one.witness_keys]


def _raw_keys(root: TrustRoot) -> Iterator[bytes]:
    yield from (one.verifier_key.public.raw for one in root.logs)
    yield from (one.public.raw for one in root.statement_keys)
    for party in root.participants:
        yield from (one.public.raw for one in party.node_keys)
    yield from (key.public.raw for key in _witness_keys(root))
    yield from (key.raw for key in root.root_keys().values())
