"""The rules of the directory, pure: which directory may follow which, and what it may never change.

A signature alone does not make a directory good. Its number never falls and the next one names its
predecessor; a participant that was seen keeps its keys; the quorum stays, and witnesses never outnumber the
invite.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from audit.note import KeyType, VerifierKey
from contracts.errors import Conflict, Corrupt
from contracts.messages import Directory, Member, MemberStatus


class DirectoryRolledBack(Conflict):
    """An older directory was served again."""

    code = "directory-rolled-back"
    title_zh = "交换中心给出了更旧的成员目录"
    next_zh = "保留现场,电话联系交换中心与其他省核对目录编号。"
    next_en = (
        "Keep things as they are and compare the directory's number with the exchange and other provinces."
    )


class DirectoryForked(Corrupt):
    """The directory contradicts the one that was verified before."""

    code = "directory-forked"
    title_zh = "成员目录与先前验证过的目录矛盾"
    next_zh = "停止交换数据,电话联系交换中心与其他省核对目录。"
    next_en = (
        "Stop exchanging data and compare directories with the exchange and other provinces by telephone."
    )


class MemberKeyChanged(Corrupt):
    """A participant's pinned key was changed in the directory."""

    code = "member-key-changed"
    title_zh = "目录中某参与方的密钥被更换"
    next_zh = "电话联系该参与方核对指纹;在此之前不采信新目录。"
    next_en = "Compare fingerprints with that participant by telephone before the new directory is believed."


class TooManyWitnesses(Corrupt):
    """The directory changes the witnesses or the quorum beyond the invite."""

    code = "too-many-witnesses"
    title_zh = "目录中的见证方超出邀请的约定"
    next_zh = "联盟的见证方变更须重新邀请;先与其他省核对。"
    next_en = "Witnesses change by a new invite only; compare with other provinces first."


@dataclass(frozen=True, slots=True)
class Pin:
    """The keys under which a participant was first seen."""

    node_key: str
    witness_vkey: str | None


def check_succession(last_number: int, last_digest: str, fresh: Directory, digest: str) -> None:
    """Check that ``fresh`` may follow the last directory; raise DirectoryRolledBack or DirectoryForked.

    Numbers in between may have been missed; the log holds an entry for each of them.
    """
    if fresh.number < last_number:
        raise DirectoryRolledBack(f"number {fresh.number} came after {last_number}")
    if fresh.number == last_number and digest != last_digest:
        raise DirectoryForked(f"there are two directories with number {fresh.number}")
    if fresh.number == last_number + 1 and fresh.previous != last_digest:
        raise DirectoryForked(f"directory {fresh.number} does not follow the one seen before")
    if (fresh.number == 1) != (fresh.previous is None):
        raise DirectoryForked("the first directory, and only that, has no predecessor")


def check_members(fresh: Directory, pins: Mapping[str, Pin], *, quorum: int, witnesses: int) -> None:
    """Check members against the pinned keys; raise DirectoryForked, MemberKeyChanged or TooManyWitnesses.

    ``quorum`` and ``witnesses`` are the invite's. A participant counts as seen once it was more than pending.
    """
    if fresh.quorum != quorum:
        raise TooManyWitnesses(f"the quorum is {fresh.quorum}, the invite said {quorum}")
    _check_distinct(fresh.members)
    for member in fresh.members:
        pin = pins.get(member.participant)
        if pin is not None and pin != Pin(member.node_key, member.witness_vkey):
            raise MemberKeyChanged(f"{member.participant} has other keys than before")
    known = {pin.witness_vkey for pin in pins.values()} | {m.witness_vkey for m in settled(fresh.members)}
    count = len(known - {None})
    if count > witnesses:
        raise TooManyWitnesses(f"{count} witnesses have been named, the invite said {witnesses}")


def settled(members: list[Member]) -> list[Member]:
    """Give the members that were approved once: their keys are pinned."""
    return [one for one in members if one.status not in {MemberStatus.INVITED, MemberStatus.PENDING}]


def _check_distinct(members: list[Member]) -> None:
    # One key under two names would count twice towards the quorum.
    keys = [_cosigning_key(one.witness_vkey) for one in members if one.witness_vkey is not None]
    for values in (
        [one.participant for one in members],
        [one.node_key for one in members],
        [key.public.raw.hex() for key in keys],
        [key.name for key in keys],
    ):
        if values and Counter(values).most_common(1)[0][1] > 1:
            raise DirectoryForked("two members share an id or a key")


def _cosigning_key(vkey: str) -> VerifierKey:
    key = VerifierKey.parse(vkey)
    if key.type is not KeyType.COSIGNATURE:
        raise DirectoryForked("a witness key is of another type than a cosignature's")
    return key
