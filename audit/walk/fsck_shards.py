"""Walk the shards of a log one after another, and hold each joint to what the one before it says.

Only the first shard's key is relied on from the start. The last entry of a shard names the next one and its
key; the next one begins with the entry that follows from that end, and with the subscription heads whose
digest both name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import KeyType, VerifierKey, parse_note
from audit.formats.quorum import PolicyKey, WitnessPolicy
from audit.keys.signing import PublicKey
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.shards import check_opening
from audit.walk.fsck import Damage, Trusted, WalkReport, walk
from audit.walk.log_source import LogSource
from contracts.errors import HeadwatersError, Invalid

PolicyOf = Callable[[VerifierKey], WitnessPolicy | None]
"""Gives the witness policy of the shard that a key signs."""


@dataclass(frozen=True, slots=True)
class ShardWalk:
    """What a walk has seen of one shard, and what it relied on there."""

    origin: str
    report: WalkReport
    trusted: Trusted


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a shard, as what follows must name it."""

    origin: str
    size: int
    text: str
    closing: Entry


def walk_shards(
    sources: Sequence[LogSource],
    trusted: Trusted,
    policy_of: PolicyOf | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[ShardWalk]:
    """Check all shards, oldest first, up to the first damage; ``trusted`` is about the first of them.

    ``policy_of`` gives the policies of the others, the first's by default. Raises Invalid when a checkpoint
    in ``trusted.against`` is of none of the shards.
    """
    walks: list[ShardWalk] = []
    key, end = trusted.log_key, None
    against = {note: Checkpoint.parse(parse_note(note).text).origin for note in trusted.against}
    for number, source in enumerate(sources, start=1):
        mine = [note for note, origin in against.items() if origin == key.name]
        policy = _policy(trusted, key) if policy_of is None else policy_of(key)
        here = replace(trusted, log_key=key, policy=policy, against=mine)
        report = walk(source, here, progress)
        following = None
        if report.damage is None:
            report, end, following = _join(source, report, end, is_last=number == len(sources))
        walks.append(ShardWalk(key.name, report, here))
        if report.damage is not None or following is None:
            break
        key = following
    known = {one.origin for one in walks}
    if len(walks) == len(sources) and not known.issuperset(against.values()):
        raise Invalid("a checkpoint that was kept elsewhere is of none of these shards")
    return walks


def own_policy(policy: WitnessPolicy, key: VerifierKey) -> WitnessPolicy:
    """Give a policy for the shard that ``key`` signs, with the same witnesses."""
    return replace(policy, logs=(PolicyKey(key),))


def _policy(trusted: Trusted, key: VerifierKey) -> WitnessPolicy | None:
    return None if trusted.policy is None else own_policy(trusted.policy, key)


def _join(
    source: LogSource, report: WalkReport, before: _End | None, *, is_last: bool
) -> tuple[WalkReport, _End | None, VerifierKey | None]:
    """Check a sound shard's first entry against the end before it, and read its own end."""
    size = report.entries
    try:
        if before is not None:
            first = parse_entry(source.entries(0, 1)[0].leaf)
            check_opening(first, before.origin, before.size, before.text, before.closing)
    except (HeadwatersError, IndexError) as error:
        return replace(report, damage=Damage(0, f"the shard does not follow: {error}")), None, None
    if is_last:
        return report, None, None
    last = parse_entry(source.entries(size - 1, size)[0].leaf) if size else None
    if last is None or last.kind is not EntryKind.SHARD_CLOSE:
        damage = Damage(max(size - 1, 0), "another shard follows, and this one is not closed")
        return replace(report, damage=damage), None, None
    note = max(source.checkpoints(), key=lambda one: one.size)
    claim = parse_note(note.note.encode()).text
    end = _End(Checkpoint.parse(claim).origin, size, claim, last)
    key = VerifierKey(str(last.fields["next"]), KeyType.ED25519, PublicKey.from_text(str(last.fields["key"])))
    return report, end, key
