"""Whose word is enough: logs, witnesses, groups and the quorum over them (c2sp.org/tlog-policy).

``check`` turns a note into evidence or raises. A known key whose signature fails condemns the note; a
cosignature from the future is not counted; too few witnesses is neither yes nor no.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from audit.formats.checkpoint import Checkpoint, CheckpointInvalid
from audit.formats.cosignature import Cosignature, CosignatureInvalid
from audit.formats.note import (
    KeyType,
    Note,
    NoteInvalid,
    NoteSignature,
    SuiteName,
    VerifierKey,
    VerifierKeyInvalid,
    parse_note,
)
from audit.keys.suites import SuiteMissing
from contracts.errors import Invalid, Undecidable

MAX_SKEW_SECONDS = 5  # how far a witness's clock may run ahead of the reader's
MAX_POLICY_BYTES = 64 * 1024
MAX_NAMES = 64  # logs, witnesses and groups each; tlog-policy asks for at least 32

QUORUM_GROUP = "quorum-witnesses"


class PolicyInvalid(Invalid):
    """The witness policy is not well formed."""

    code = "witness-policy-invalid"
    title_zh = "见证策略格式不正确"


class QuorumMissing(Undecidable):
    """Too few witnesses have cosigned the checkpoint."""

    code = "quorum-missing"
    title_zh = "副署的见证方不足"
    next_zh = "等待更多见证方副署后重试;若本机时钟落后,先校时。"
    next_en = "Try again when more witnesses have cosigned; if this machine's clock is behind, set it first."


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """One log or witness of the policy: its key, and where to reach it, if that is said."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least ``k`` of ``members``, which are witnesses or groups."""

    k: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that its log signed and a quorum cosigned; ``cosignatures`` are those that count.

    ``log`` and ``witnesses`` are the keys behind it, the latter in the order of the cosignatures.
    ``second_keys`` are those of the log's second lines that hold, ``unchecked`` those whose line stands there
    and could not be verified on this machine: nothing is claimed for them.
    """

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]
    log: VerifierKey
    witnesses: tuple[VerifierKey, ...]
    second_keys: tuple[VerifierKey, ...] = ()
    unchecked: tuple[VerifierKey, ...] = ()

    @property
    def cosigned_at(self) -> datetime | None:
        """The lower median of the witnesses' times, which a minority of wrong clocks cannot move far."""
        times = sorted(one.at for one in self.cosignatures)
        return times[(len(times) - 1) // 2] if times else None

    @property
    def suites(self) -> tuple[SuiteName, ...]:
        """The suites in which the log itself is found to have signed."""
        return tuple(dict.fromkeys(key.suite for key in (self.log, *self.second_keys)))


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """PolicyKey logs, named witnesses, groups of them, and the name whose satisfaction is the quorum.

    ``quorum`` is None where no witness is asked for. Names of witnesses and groups are the policy's own; a
    witness's key carries the name that stands in its signature lines. ``second_keys`` are those of the log's
    second lines: one that fails condemns the note, one that is missing says nothing, none is ever counted.
    """

    logs: tuple[PolicyKey, ...]
    witnesses: Mapping[str, PolicyKey]
    groups: Mapping[str, Group]
    quorum: str | None
    second_keys: tuple[VerifierKey, ...] = ()

    @classmethod
    def k_of_n(cls, log: VerifierKey, witnesses: Mapping[str, VerifierKey], k: int) -> Self:
        """Ask for ``k`` of the named ``witnesses``; raise PolicyInvalid when that cannot be."""
        lines = [f"log {log}", *(f"witness {name} {key}" for name, key in witnesses.items())]
        lines += [f"group {QUORUM_GROUP} {k} {' '.join(witnesses)}", f"quorum {QUORUM_GROUP}"]
        return cls.parse("".join(f"{line}\n" for line in lines))

    @classmethod
    def k_of_parties(cls, log: VerifierKey, parties: Mapping[str, Sequence[VerifierKey]], k: int) -> Self:
        """Ask for ``k`` of the named ``parties``; one counts once, whichever of its keys signed.

        Raises PolicyInvalid when that cannot be.
        """
        lines, names = [f"log {log}"], []
        for party, keys in parties.items():
            of_it = [party] if len(keys) == 1 else [f"{party}/{place}" for place in range(1, len(keys) + 1)]
            lines += [f"witness {name} {key}" for name, key in zip(of_it, keys, strict=True)]
            if len(of_it) > 1:
                lines.append(f"group {party} any {' '.join(of_it)}")
            names.append(party)
        lines += [f"group {QUORUM_GROUP} {k} {' '.join(names)}", f"quorum {QUORUM_GROUP}"]
        return cls.parse("".join(f"{line}\n" for line in lines))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a policy file; raise PolicyInvalid for an unknown word or name, or one defined twice."""
        if len(text.encode(errors="replace")) > MAX_POLICY_BYTES:
            raise PolicyInvalid(f"a policy has at most {MAX_POLICY_BYTES} bytes")
        draft = _Draft()
        for number, line in enumerate(text.split("\n"), start=1):
            words = line.replace("\t", " ").split(" ")
            words = [word for word in words if word]
            if not words or words[0].startswith("#"):
                continue
            try:
                draft.read(words)
            except (PolicyInvalid, VerifierKeyInvalid) as error:
                raise PolicyInvalid(f"line {number}: {error.detail}", line=number) from error
        if draft.quorum is None or not draft.logs:
            raise PolicyInvalid("a policy names at least one log and exactly one quorum")
        quorum = None if draft.quorum == "none" else draft.quorum
        return cls(tuple(draft.logs), draft.witnesses, draft.groups, quorum)

    def format(self) -> str:
        """Write the policy file; it has no words for second lines."""
        lines = [_line("log", str(log.key), log.url) for log in self.logs]
        lines += [_line("witness", name, str(one.key), one.url) for name, one in self.witnesses.items()]
        lines += [_line("group", name, str(one.k), *one.members) for name, one in self.groups.items()]
        lines.append(_line("quorum", self.quorum or "none"))
        return "".join(lines)

    def satisfied_by(self, names: AbstractSet[str]) -> bool:
        """Tell whether the witnesses of these policy names make the quorum; says nothing about signatures."""
        return self.quorum is None or self._satisfied(self.quorum, names)

    def check(self, note: bytes, *, now: datetime) -> Witnessed:
        """Verify a cosigned checkpoint.

        Raises NoteInvalid when the log's signature is missing or a known key's fails, and QuorumMissing when
        too few known witnesses signed no later than ``now`` plus the allowed skew.
        """
        signed = parse_note(note)
        try:
            checkpoint = Checkpoint.parse(signed.text)
        except CheckpointInvalid as error:
            raise NoteInvalid(f"the note holds no checkpoint: {error}") from error
        logs = [log.key for log in self.logs]
        names = {one.key: name for name, one in self.witnesses.items()}
        verified = signed.verified([*logs, *names])
        signers = [key for key, _ in verified if key in logs and key.name == checkpoint.origin]
        if not signers:
            raise NoteInvalid("no trusted log of this origin signed the checkpoint")
        second, unchecked = _second_lines(signed, self.second_keys)
        latest = now.timestamp() + MAX_SKEW_SECONDS
        counted: dict[str, tuple[Cosignature, VerifierKey]] = {}
        ahead = 0
        for key, line in verified:
            if key in names:
                cosignature = _cosignature(line)
                if cosignature.timestamp_seconds <= latest:
                    counted[names[key]] = (cosignature, key)
                else:
                    ahead += 1
        if not self.satisfied_by(counted.keys()):
            raise QuorumMissing(
                f"{len(counted)} witnesses of {len(self.witnesses)} have cosigned, {ahead} of the future",
                have=len(counted),
                ahead=ahead,
            )
        cosignatures, witnesses = (
            tuple(one for one, _ in counted.values()),
            tuple(k for _, k in counted.values()),
        )
        return Witnessed(checkpoint, cosignatures, signers[0], witnesses, second, unchecked)

    def _satisfied(self, name: str, names: AbstractSet[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in names
        return sum(self._satisfied(member, names) for member in group.members) >= group.k


@dataclass
class _Draft:
    """A policy while its lines are read, top to bottom: a name must be defined before it is used."""

    logs: list[PolicyKey] = field(default_factory=list)
    witnesses: dict[str, PolicyKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    _grouped: set[str] = field(default_factory=set)
    _keys: set[VerifierKey] = field(default_factory=set)

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self.logs.append(self._trusted(vkey, KeyType.ED25519, url))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._check_new(name)
                self.witnesses[name] = self._trusted(vkey, KeyType.COSIGNATURE, url)
            case ["group", name, k, *members] if members:
                self._check_new(name)
                self.groups[name] = self._group(k, members)
            case ["quorum", name] if self.quorum is None:
                if name != "none":
                    self._check_known(name)
                self.quorum = name
            case _:
                raise PolicyInvalid("the line is not well formed, or a second quorum")
        if max(len(self.logs), len(self.witnesses), len(self.groups)) > MAX_NAMES:
            raise PolicyInvalid(f"a policy has at most {MAX_NAMES} logs, witnesses and groups each")

    def _trusted(self, vkey: str, kind: KeyType, url: list[str]) -> PolicyKey:
        key = VerifierKey.parse(vkey)
        if key.type is not kind:
            raise PolicyInvalid("a log key has type 0x01 and a witness key 0x04")
        if key in self._keys:
            raise PolicyInvalid("the same key stands twice in the policy")
        self._keys.add(key)
        return PolicyKey(key, url[0] if url else None)

    def _group(self, k: str, members: list[str]) -> Group:
        for member in members:
            self._check_known(member)
            if member in self._grouped:
                raise PolicyInvalid(f"{member} stands in two groups")
            self._grouped.add(member)
        least = {"any": "1", "all": str(len(members))}.get(k, k)
        if least not in {str(count) for count in range(1, len(members) + 1)}:
            raise PolicyInvalid(f"a group of {len(members)} asks for 1 to {len(members)} of them")
        return Group(int(least), tuple(members))

    def _check_new(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise PolicyInvalid(f"the name {name} is taken")

    def _check_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise PolicyInvalid(f"{name} is not defined above")


def _line(*words: str | None) -> str:
    return " ".join(word for word in words if word) + "\n"


def _second_lines(
    signed: Note, keys: Iterable[VerifierKey]
) -> tuple[tuple[VerifierKey, ...], tuple[VerifierKey, ...]]:
    """Give the keys whose lines hold, and those whose lines this machine cannot verify; raise NoteInvalid."""
    held, unchecked = list[VerifierKey](), list[VerifierKey]()
    for key in keys:
        try:
            held += [one for one, _ in signed.verified([key])]
        except SuiteMissing:
            unchecked.append(key)
    return tuple(held), tuple(unchecked)


def _cosignature(line: NoteSignature) -> Cosignature:
    try:
        return Cosignature.read(line)
    except CosignatureInvalid as error:
        raise NoteInvalid(f"the cosignature of {line.name} is not well formed") from error
