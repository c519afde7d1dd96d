"""Use cases of key changes: replaced by their holder, revoked by the holder or by an administrator.

Each change is one commit: the member's row, the key that ended with its place in the log, the ``key.rotate``
or ``key.revoke`` entry, the next directory and the event. What the old key signed counts where the log holds
it below that entry.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeAlias

from audit.keys.key_history import (
    NotRevocable,
    WrongRotation,
    check_revocation,
    check_rotation,
    key_id_of,
    read_revocation,
    read_rotation,
    revoked_keys,
)
from audit.keys.signing import PublicKey, SigningKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.errors import Conflict, Refused
from contracts.messages import (
    KeyRevocation,
    KeyRole,
    KeyRotation,
    LogPlace,
    MemberStatus,
    PastKey,
    RevocationReason,
    Severity,
    Text,
)
from exchange.evidence import admin_act, log_statement
from exchange.identity import Person
from exchange.members import store
from exchange.members.flow import issue_directory, note_revocation
from exchange.members.key_claims import check_count, check_replacement
from exchange.members.model import MemberRecord, WrongStep
from exchange.parts import Alarm, Parts
from nodes.signed import sign_statement

_Changed: TypeAlias = tuple[MemberRecord, int, int]
"""The member as it is now, the directory's number and the event's."""

MAX_AGE = timedelta(minutes=10)  # a statement that was signed and kept back changes nothing later


class RotationOutOfTime(Refused):
    """The key change was signed too long ago, or in the future."""

    code = "key-change-out-of-time"
    title_zh = "密钥变更声明的签署时间不在允许范围内"
    next_zh = "校准本机时钟后,用同一命令重新提交。"
    next_en = "Set this machine's clock and run the same command again."


class RootKeyNeeded(Refused):
    """A quarantined participant replaces its keys with its root key only."""

    code = "root-key-needed"
    title_zh = "被隔离的参与方只能用根密钥更换密钥"
    next_zh = "用根密钥签署:headwaters node rotate-key --role node --root-key 文件;没有根密钥则重新加入。"
    next_en = "Sign with the root key: headwaters node rotate-key --root-key; without one, join anew."


class KeyAlreadyRevoked(Conflict):
    """The key is revoked already."""

    code = "key-already-revoked"
    title_zh = "该密钥已被吊销"
    next_zh = "无需再次吊销;用 headwaters node rotate-key 换上新密钥。"
    next_en = "There is nothing left to revoke; bring a new key with headwaters node rotate-key."


class StatementKeyMoved(Conflict):
    """The exchange's statement key was replaced by somebody else just now."""

    code = "statement-key-moved"
    title_zh = "声明密钥刚刚已被更换"
    next_zh = "核对目录中的现行密钥;如仍需更换,重新运行同一命令。"
    next_en = "Look at the present key in the directory; run the same command again if it is still needed."


async def take_rotation(parts: Parts, raw: str) -> MemberRecord:
    """Replace a participant's key, as its signatures say; the same rotation again changes nothing.

    Raises UnknownMember, WrongStep, RotationOutOfTime, WrongRotation, KeyTaken, WrongWitnessKey,
    KeysExhausted and SignatureInvalid; RootKeyNeeded while the participant is quarantined.
    """
    _, claimed = read_rotation(raw)
    if claimed.participant is None:
        raise WrongRotation("the exchange replaces its own key")
    participant = claimed.participant
    present = parts.roll.member(participant)
    _check_standing(present)
    if present.keys.held(claimed.role) == claimed.new:
        return present  # its answer was lost
    _check_moment(parts, claimed)
    # Anybody can send these bytes, and only what holds may keep the log's writer busy.
    check_rotation(raw, present.keys, revoked_keys(present.past_keys))
    _check_contained(present, raw)

    def unit(unit: Unit) -> _Changed:
        before = store.find_member(unit.session, participant)
        _check_standing(before)
        rotation = check_rotation(raw, before.keys, revoked_keys(before.past_keys))
        _check_contained(before, raw)
        check_replacement(parts, unit, rotation, before)
        until = _log_rotation(unit, rotation)
        past = PastKey(role=rotation.role, key=rotation.old, until=until, why="rotated", statement=raw)
        after = _with_key(before, rotation.role, rotation.new)
        return _settle(parts, unit, after, past, status=before.status)

    return await _commit(parts, unit)


async def take_revocation(parts: Parts, raw: str) -> MemberRecord:
    """Revoke a key of a participant that says so itself.

    Raises UnknownMember, WrongStep, RotationOutOfTime, NotRevocable, WrongRotation, KeyAlreadyRevoked and
    SignatureInvalid.
    """
    _, claimed = read_revocation(raw)
    if claimed.participant is None:
        raise NotRevocable("the exchange replaces its key and does not revoke it")
    present = parts.roll.member(claimed.participant)
    _check_standing(present)
    _check_moment(parts, claimed)
    revoked = revoked_keys(present.past_keys)
    if claimed.key in revoked:
        raise KeyAlreadyRevoked
    check_revocation(raw, present.keys, revoked, {})
    return await _commit(parts, partial(_revoke, parts, raw, claimed.participant, None))


async def revoke_key(
    parts: Parts, person: Person, participant: str, role: KeyRole, reason: RevocationReason
) -> MemberRecord:
    """Revoke a participant's key in the exchange's name; raise NotRevocable, WrongStep, KeyAlreadyRevoked."""

    def unit(unit: Unit) -> _Changed:
        key = store.find_member(unit.session, participant).keys.held(role)
        if key is None:
            raise WrongRotation(f"the participant has no {role} key")
        statement = KeyRevocation(participant=participant, role=role, key=key, reason=reason, at=unit.now)
        signed = sign_statement(statement, parts.statement_key)
        return _revoke(parts, signed.text, participant, person, unit)

    return await _commit(parts, unit)


async def rotate_statement_key(parts: Parts, person: Person) -> dict[str, str | int]:
    """Replace the key that the exchange signs statements with; the new file is durable before the log hears.

    Raises StatementKeyMoved when somebody else did so at the same time.
    """
    keys, old = parts.statement_keys, parts.statement_key
    new = await asyncio.to_thread(keys.prepare)
    try:
        committed = await parts.log.commit(partial(_rotate_statement, parts, person, old, new))
    except BaseException:  # a COMMIT may have reached the disk all the same, so the log is asked
        with parts.database.read() as session:
            logged = store.logged_statement_key(session)
        if logged == new.public.text:
            await asyncio.to_thread(keys.adopt, new)
        elif parts.statement_key is new:
            keys.switch(old)
        raise
    await asyncio.to_thread(keys.adopt, new)
    until, directory, event = committed.value
    parts.mailbox.announce(directory=directory, events=event)
    return {"old": old.key_id, "new": new.key_id, "origin": until.origin, "size": until.size}


def _rotate_statement(
    parts: Parts, person: Person, old: SigningKey, new: SigningKey, unit: Unit
) -> tuple[LogPlace, int, int]:
    if parts.statement_key is not old:
        raise StatementKeyMoved
    check_count("statement", store.past_keys(unit.session, None))
    rotation = KeyRotation(
        participant=None, role="statement", old=old.public.text, new=new.public.text, at=unit.now
    )
    signed = sign_statement(rotation, old, new)
    unit.append(admin_act(unit, person, "key.rotate", signed.digest))
    until = _log_rotation(unit, rotation)
    past = PastKey(role="statement", key=rotation.old, until=until, why="rotated", statement=signed.text)
    store.add_past_key(unit.session, None, past, unit.now)
    # From here on, this unit's directory and whatever follows in the batch are the new key's.
    parts.statement_keys.switch(new)
    return until, issue_directory(parts, unit), _raise_alarm(parts, unit, None, past)


def _revoke(parts: Parts, raw: str, participant: str, person: Person | None, unit: Unit) -> _Changed:
    before = store.find_member(unit.session, participant)
    _check_standing(before)
    revoked, exchange = revoked_keys(before.past_keys), parts.statement_key.public
    if read_revocation(raw)[1].key in revoked:
        raise KeyAlreadyRevoked
    known = {exchange.key_id: exchange} if person is not None else {}
    revocation = check_revocation(raw, before.keys, revoked, known)
    if person is not None:
        unit.append(admin_act(unit, person, "key.revoke", revocation.content_digest()))
    fields: dict[str, Json] = {
        "part": participant,
        "role": revocation.role,
        "kid": key_id_of(revocation.role, revocation.key),
        "n": unit.size,
        "dig": revocation.content_digest(),
    }
    until = LogPlace(origin=unit.origin, size=unit.size)
    log_statement(unit, revocation.content_digest(), Entry(EntryKind.KEY_REVOKE, unit.now, fields))
    past = PastKey(role=revocation.role, key=revocation.key, until=until, why="revoked", statement=raw)
    after = replace(before, witness_vkey=None) if revocation.role == "witness" else before
    if revocation.role == "node" and before.status is MemberStatus.ACTIVE:
        # Nobody but a thief could act in its name until it has another key.
        after = replace(after, status=MemberStatus.SUSPENDED)
    return _settle(parts, unit, after, past, status=before.status)


def _settle(
    parts: Parts, unit: Unit, after: MemberRecord, past: PastKey, *, status: MemberStatus
) -> _Changed:
    """Write what a change of keys leads to: rows, directory, event."""
    store.add_past_key(unit.session, after.participant, past, unit.now)
    store.save_member(unit.session, after, unit.now)
    note_revocation(unit, after.participant, status, after.status)
    directory = issue_directory(parts, unit)
    return after, directory, _raise_alarm(parts, unit, after.participant, past)


async def _commit(parts: Parts, unit: Callable[[Unit], _Changed]) -> MemberRecord:
    committed = await parts.log.commit(unit)
    after, directory, event = committed.value
    parts.roll.load()
    parts.mailbox.announce(directory=directory, events=event)
    return after


def _log_rotation(unit: Unit, rotation: KeyRotation) -> LogPlace:
    fields = {
        "part": rotation.participant,
        "role": rotation.role,
        "old": key_id_of(rotation.role, rotation.old),
        "new": key_id_of(rotation.role, rotation.new),
        "dig": rotation.content_digest(),
    }
    until = LogPlace(origin=unit.origin, size=unit.size)
    log_statement(unit, rotation.content_digest(), Entry(EntryKind.KEY_ROTATE, unit.now, fields))
    return until


def _check_standing(member: MemberRecord) -> None:
    if member.status is MemberStatus.REVOKED or member.listed() is None:
        raise WrongStep(f"a participant that is {member.status.value} changes no keys")


def _check_contained(member: MemberRecord, raw: str) -> None:
    """Take only the root key's word while a participant is quarantined; the others may be in other hands."""
    if member.status is not MemberStatus.QUARANTINED:
        return
    opened, _ = read_rotation(raw)
    root = None if member.root_key is None else PublicKey.from_text(member.root_key)
    if root is None or root.key_id not in {name for name, _ in opened.signatures}:
        raise RootKeyNeeded(f"{member.participant} is quarantined")
    opened.verified_by({root.key_id: root}, {root.key_id})


def _check_moment(parts: Parts, said: KeyRotation | KeyRevocation) -> None:
    if abs(parts.clock.now() - said.at) > MAX_AGE:
        raise RotationOutOfTime(f"it was signed at {said.at.isoformat()}")


def _with_key(member: MemberRecord, role: KeyRole, key: str) -> MemberRecord:
    match role:
        case "node":
            return replace(member, node_key=key)
        case "witness":
            return replace(member, witness_vkey=key)
        case "sealing":
            return replace(member, sealing_key=key)
        case "statement":
            raise WrongRotation("a participant has no statement key")


def _raise_alarm(parts: Parts, unit: Unit, participant: str | None, past: PastKey) -> int:
    if past.why == "revoked":
        title = Text(zh="密钥已被吊销", en="A key was revoked")
        alarm = Alarm("key.revoked", Severity.HIGH, participant, title, {"role": past.role})
    else:
        title = Text(zh="密钥已更换", en="A key was replaced")
        alarm = Alarm("key.rotated", Severity.LOW, participant, title, {"role": past.role})
    return parts.hooks.record_alarm(parts, unit, alarm)
