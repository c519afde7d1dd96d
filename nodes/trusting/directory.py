"""The rules of the directory, pure: which directory may follow which, and what it may never change.

A signature alone does not make a directory good. Its number never falls and the next one names its
predecessor; nobody who was in it vanishes, and no change of keys that it told is told otherwise; whoever
was seen holds the keys that an unbroken chain of its own signatures leads to; the quorum stays, and
witnesses, of which a participant is one however many keys it had, never outnumber the invite.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from audit.formats.note import KeyType, VerifierKey, VerifierKeyInvalid
from audit.keys.key_history import PartyKeys, check_history
from audit.keys.second_keys import check_second_keys
from audit.keys.signing import PublicKey
from contracts.errors import Conflict, Corrupt, Unavailable
from contracts.messages import Directory, Member, MemberStatus


class DirectoryRolledBack(Conflict):
    """An older directory was served again."""

    code = "directory-rolled-back"
    title_zh = "交换中心给出了更旧的成员目录"
    next_zh = "保留现场,电话联系交换中心与其他省核对目录编号。"
    next_en = (
        "Keep things as they are and compare the directory's number with the exchange and other provinces."
    )


class DirectoryExpired(Unavailable):
    """The directory has expired."""

    code = "directory-expired"
    title_zh = "成员目录已过期"
    next_zh = "检查与交换中心的连接;节点会自动获取新目录。"
    next_en = "Check the connection to the exchange; the node fetches a new directory by itself."


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


Pin: TypeAlias = PartyKeys
"""The keys under which a participant was last seen."""


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


def check_growth(last: Directory, fresh: Directory) -> None:
    """Check that nobody vanished and that past keys and second keys only grow; raise DirectoryForked."""
    now = {one.participant: one for one in fresh.members}
    for before in settled(last.members):
        after = now.get(before.participant)
        if after is None:
            raise DirectoryForked(f"{before.participant} is gone from the directory")
        if after.past_keys[: len(before.past_keys)] != before.past_keys:
            raise DirectoryForked(f"{before.participant} has another past than before")
    if fresh.past_keys[: len(last.past_keys)] != last.past_keys:
        raise DirectoryForked("the exchange has another past than before")
    if fresh.second_keys[: len(last.second_keys)] != last.second_keys:
        raise DirectoryForked("the log's second lines have other keys than before")


def check_members(
    fresh: Directory,
    pins: Mapping[str, Pin],
    *,
    exchange: Mapping[str, PublicKey],
    quorum: int,
    witnesses: int,
) -> None:
    """Check members against the pinned keys.

    ``quorum`` and ``witnesses`` are the invite's, ``exchange`` the exchange's statement keys by key id. A
    participant counts as seen once it was more than pending. Raises DirectoryForked, KeyChainBroken,
    MemberKeyChanged or TooManyWitnesses.
    """
    if fresh.quorum != quorum:
        raise TooManyWitnesses(f"the quorum is {fresh.quorum}, the invite said {quorum}")
    _check_distinct(fresh.members)
    try:
        check_second_keys(fresh.second_keys)
    except VerifierKeyInvalid as error:
        raise DirectoryForked(error.detail) from error
    for member in fresh.members:
        held, pin = check_history(member, exchange), pins.get(member.participant)
        if pin is not None and not _leads_from(pin, held):
            raise MemberKeyChanged(f"{member.participant} has keys that do not follow from those before")
    known = {name for name, pin in pins.items() if pin.witness is not None}
    known |= {one.participant for one in settled(fresh.members) if PartyKeys.of(one).witness is not None}
    if len(known) > witnesses:
        raise TooManyWitnesses(f"{len(known)} witnesses have been named, the invite said {witnesses}")


def other_witnesses(directory: Directory, participant: str) -> list[str]:
    """Name the witnesses beside ``participant`` that take part now."""
    return [
        one.participant
        for one in directory.members
        if one.witness_vkey is not None
        and one.status is MemberStatus.ACTIVE
        and one.participant != participant
    ]


def settled(members: list[Member]) -> list[Member]:
    """Give the members that were approved once: their keys are pinned."""
    return [one for one in members if one.status not in {MemberStatus.INVITED, MemberStatus.PENDING}]


def _leads_from(pin: Pin, held: tuple[PartyKeys, ...]) -> bool:
    if not pin.sealing:  # pinned by an older version, which kept neither sealing nor root key
        return pin in {replace(one, sealing="", root=None) for one in held}
    return pin in held


def _check_distinct(members: list[Member]) -> None:
    # One key under two names would count twice towards the quorum; one name for two keys confuses readers.
    held: list[str] = []
    names: list[str] = []
    for member in members:
        past = {(one.role, one.key) for one in member.past_keys}
        witnesses = {member.witness_vkey, *(key for role, key in past if role == "witness")} - {None}
        cosigning = [_cosigning_key(vkey) for vkey in witnesses if vkey is not None]
        names += [key.name for key in cosigning]
        held += [key.public.text for key in cosigning]
        held += {member.node_key, *(key for role, key in past if role == "node")}
        held += {member.sealing_key, *(key for role, key in past if role == "sealing")}
        held += [] if member.root_key is None else [member.root_key]
    for values in ([one.participant for one in members], held, names):
        if values and Counter(values).most_common(1)[0][1] > 1:
            raise DirectoryForked("two members share an id or a key")


def _cosigning_key(vkey: str) -> VerifierKey:
    key = VerifierKey.parse(vkey)
    if key.type is not KeyType.COSIGNATURE:
        raise DirectoryForked("a witness key is of another type than a cosignature's")
    return key
