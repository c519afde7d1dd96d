"""Use cases of membership: invite, join, approve, suspend, quarantine, resume, revoke, and the lists.

Each act writes its rows, its log entries and the newly signed directory in one commit; before it returns,
the roll is read again and every waiting poll hears of the new directory.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from audit.commitment import commit, new_salt
from audit.formats import dsse
from audit.formats.dsse import parse_envelope
from audit.keys.signing import PublicKey, fingerprint
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.errors import Conflict
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    Directory,
    Invite,
    MemberStatus,
    Profile,
    Registration,
    Revocations,
    Severity,
    Text,
)
from exchange.evidence import admin_act, conceal
from exchange.identity import Person
from exchange.members import store
from exchange.members.key_claims import check_registration
from exchange.members.model import (
    STOPPED,
    InviteRefused,
    MemberRecord,
    NodeKeyRevoked,
    Step,
    UnknownMember,
    check_fingerprint,
    check_secret,
    next_status,
    secret_hash,
)
from exchange.members.second_keys import has_news, second_keys
from exchange.members.tables import DirectoryRow
from exchange.parts import Alarm, Parts
from nodes.addresses import checked_peer
from nodes.registration import invite_text

REVOCATIONS_TTL_SECONDS = 5

_KINDS = {
    "approve": EntryKind.MEMBER_APPROVE,
    "suspend": EntryKind.MEMBER_SUSPEND,
    "quarantine": EntryKind.MEMBER_QUARANTINE,
    "resume": EntryKind.MEMBER_RESUME,
    "revoke": EntryKind.MEMBER_REVOKE,
}
_ALARMS = {
    "suspend": (
        "member.suspended",
        Severity.MEDIUM,
        Text(zh="参与方已被暂停", en="A participant was suspended"),
    ),
    "quarantine": (
        "member.quarantined",
        Severity.HIGH,
        Text(zh="参与方已被隔离,与其往来全部停止", en="A participant was quarantined: all traffic stops"),
    ),
    "revoke": ("member.revoked", Severity.MEDIUM, Text(zh="参与方已被撤销", en="A participant was revoked")),
}


class TooManyWitnesses(Conflict):
    """The alliance has as many witnesses as its invites promise."""

    code = "witnesses-complete"
    title_zh = "见证方已满员"
    next_zh = "以非见证方身份邀请;见证方总数写在每份邀请里,不能再增加。"
    next_en = "Invite it without the witness role; every invite pins the number of witnesses."


async def invite(
    parts: Parts, person: Person, *, profile: Profile, witness: bool, life: timedelta
) -> tuple[str, str]:
    """Admit a future participant; give its id and the invite, which is secret until it is used."""
    settings, now = parts.settings, parts.clock.now()
    made = Invite(
        exchange_url=settings.public_url,
        participant=new_id(Kind.PARTICIPANT),
        profile=profile,
        witness=witness,
        secret=secrets.token_urlsafe(32),
        origin=settings.origin,
        log_vkey=parts.log.shards()[0].vkey,
        statement_key=parts.statement_key.public.text,
        quorum=settings.quorum,
        witnesses=settings.witnesses,
        expires_at=now + life,
    )
    record = MemberRecord(
        participant=made.participant,
        profile=profile,
        status=MemberStatus.INVITED,
        witness=witness,
        secret_hash=secret_hash(made.secret),
        invite_expires_at=made.expires_at,
    )

    def unit(unit: Unit) -> None:
        if witness and store.count_witnesses(unit.session) >= settings.witnesses:
            raise TooManyWitnesses(f"the alliance has {settings.witnesses} witnesses")
        store.save_member(unit.session, record, unit.now)
        unit.append(admin_act(unit, person, "member.invite", profile.content_digest()))

    await parts.log.commit(unit)
    parts.roll.load()
    return made.participant, invite_text(made)


async def join(parts: Parts, raw: bytes) -> tuple[MemberStatus, str]:
    """Take the keys that a node introduces; give its standing and the fingerprint to compare.

    The same registration may come again when its answer was lost; any other second use is refused.
    """
    registration = _registration(raw)

    def unit(unit: Unit) -> MemberRecord:
        session = unit.session
        try:
            before = store.find_member(session, registration.participant)
        except UnknownMember as error:
            # Whether an id exists is nobody's business who has no invite for it.
            raise InviteRefused("the secret is not the one that was handed out") from error
        check_secret(before, registration.secret)
        if before.status is MemberStatus.PENDING and before.node_key == registration.node_key:
            return before
        if before.status is not MemberStatus.INVITED or unit.now > before.invite_expires_at:
            raise InviteRefused("the invite was used before, or has expired")
        check_registration(parts, unit, registration, before)
        after = replace(
            before,
            status=next_status(before.status, "join"),
            node_key=registration.node_key,
            sealing_key=registration.sealing_key,
            witness_vkey=registration.witness_vkey,
            address=_address(parts, registration),
            root_key=registration.root_key,
        )
        store.save_member(session, after, unit.now)
        fields = {"part": after.participant, "kid": PublicKey.from_text(registration.node_key).key_id}
        unit.append(Entry(EntryKind.MEMBER_JOIN, unit.now, fields))
        return after

    committed = await parts.log.commit(unit)
    parts.roll.load()
    return committed.value.status, fingerprint(registration.node_key)


async def approve(parts: Parts, person: Person, participant: str, given: str) -> MemberRecord:
    """Let a pending participant act, when ``given`` is its key's fingerprint, told out of band."""

    def check(record: MemberRecord) -> None:
        next_status(record.status, "approve")
        check_fingerprint(fingerprint(record.node_key or ""), given)

    return await _act(parts, person, participant, "approve", check=check)


async def suspend(parts: Parts, person: Person, participant: str, reason: str) -> MemberRecord:
    """Stop a participant for now; the reason is committed to, and the alliance hears of it."""
    return await _act(parts, person, participant, "suspend", reason=reason)


async def quarantine(parts: Parts, person: Person, participant: str, reason: str) -> MemberRecord:
    """Cut a participant off that may be in other hands; the reason is committed to, the alliance hears of it.

    Its receipts, aborts and counts are still taken, and its keys are replaced by its root key only.
    """
    return await _act(parts, person, participant, "quarantine", reason=reason)


async def resume(parts: Parts, person: Person, participant: str) -> MemberRecord:
    """Let a suspended or quarantined participant act again; raise NodeKeyRevoked while its key is revoked."""

    def check(record: MemberRecord) -> None:
        if record.is_node_key_revoked:
            raise NodeKeyRevoked(f"{participant} has brought no other node key")

    return await _act(parts, person, participant, "resume", check=check)


async def revoke(parts: Parts, person: Person, participant: str, reason: str) -> MemberRecord:
    """End a membership for good; the reason is committed to, and the alliance hears of it."""
    return await _act(parts, person, participant, "revoke", reason=reason)


def issue_directory(parts: Parts, unit: Unit) -> int:
    """Sign the next directory inside a unit and log it; give its number."""
    before = store.latest_directory(unit.session)
    ttl = timedelta(seconds=parts.settings.directory_ttl_seconds)
    directory = Directory(
        number=before.number + 1 if before else 1,
        previous=before.digest if before else None,
        issued_at=unit.now,
        expires_at=unit.now + ttl,
        quorum=parts.settings.quorum,
        members=[m for m in map(MemberRecord.listed, store.list_members(unit.session)) if m is not None],
        past_keys=store.past_keys(unit.session, None),
        second_keys=second_keys(parts, before, unit.origin),
    )
    payload = directory.canonical()
    envelope = dsse.sign(Directory.payload_type, payload, [parts.statement_key])
    row = DirectoryRow(
        number=directory.number,
        digest=sha256_hex(payload),
        envelope=envelope.encode().decode(),
        expires_at=epoch_ms(directory.expires_at),
    )
    store.save_directory(unit.session, row)
    fields = {"n": row.number, "prev": directory.previous, "dig": row.digest}
    unit.append(Entry(EntryKind.DIRECTORY, unit.now, fields))
    return row.number


async def reissue_directory(parts: Parts) -> int | None:
    """Sign the directory anew when half of its life is over, or a second line's key is not in it yet.

    Gives its number, or None when the last one will do.
    """
    with parts.database.read() as session:
        before = store.latest_directory(session)
    half = timedelta(seconds=parts.settings.directory_ttl_seconds / 2)
    is_fresh = before is not None and epoch_ms(parts.clock.now() + half) < before.expires_at
    if is_fresh and before is not None and not has_news(parts, before):
        return None
    committed = await parts.log.commit(lambda unit: issue_directory(parts, unit))
    parts.mailbox.announce(directory=committed.value)
    return committed.value


def latest_directory(parts: Parts) -> str:
    """Give the newest directory's envelope; raise UnknownMember before the first."""
    with parts.database.read() as session:
        row = store.latest_directory(session)
    if row is None:
        raise UnknownMember("no directory has been issued yet")
    return row.envelope


def fresh_revocations(parts: Parts) -> str:
    """Sign what is revoked now, for five seconds."""
    with parts.database.read() as session:
        number, revoked = store.revocation_number(session), store.current_revocations(session)
    now = parts.clock.now()
    statement = Revocations(
        number=number,
        issued_at=now,
        expires_at=now + timedelta(seconds=REVOCATIONS_TTL_SECONDS),
        participants=revoked["participant"],
        agreements=revoked["agreement"],
        grants=revoked["grant"],
    )
    envelope = dsse.sign(Revocations.payload_type, statement.canonical(), [parts.statement_key])
    return envelope.encode().decode()


async def _act(
    parts: Parts,
    person: Person,
    participant: str,
    step: Step,
    *,
    reason: str | None = None,
    check: Callable[[MemberRecord], None] = lambda _: None,
) -> MemberRecord:
    def unit(unit: Unit) -> tuple[MemberRecord, int, int]:
        session = unit.session
        before = store.find_member(session, participant)
        check(before)
        after = replace(before, status=next_status(before.status, step))
        store.save_member(session, after, unit.now)
        if after.node_key is not None:
            unit.append(_member_entry(unit, person, after, step))
        if reason is not None:
            digest = conceal(session, reason.encode(), salt=new_salt(), now=unit.now)
            unit.append(admin_act(unit, person, f"member.{step}", digest))
        note_revocation(unit, participant, before.status, after.status)
        directory = issue_directory(parts, unit)
        return after, directory, _raise_alarm(parts, unit, participant, step)

    committed = await parts.log.commit(unit)
    after, directory, event = committed.value
    parts.roll.load()
    parts.mailbox.announce(events=event, directory=directory)
    return after


def note_revocation(unit: Unit, participant: str, before: MemberStatus, after: MemberStatus) -> None:
    """Put a participant on the revocation list when it may act no more, or lift it when it may again."""
    if (before in STOPPED) != (after in STOPPED):
        store.add_revocation(unit.session, "participant", participant, unit.now, lifted=after not in STOPPED)


def _raise_alarm(parts: Parts, unit: Unit, participant: str, step: Step) -> int:
    if step not in _ALARMS:
        return 0
    event_class, severity, title = _ALARMS[step]
    alarm = Alarm(event_class, severity, participant, title, {})
    return parts.hooks.record_alarm(parts, unit, alarm)


def _member_entry(unit: Unit, person: Person, member: MemberRecord, step: Step) -> Entry:
    fields = {
        "part": member.participant,
        "kid": PublicKey.from_text(member.node_key or "").key_id,
        "act": commit(person.salt, person.name.encode()),
        "role": "administrator",
    }
    return Entry(_KINDS[step], unit.now, fields)


def _registration(raw: bytes) -> Registration:
    """Read a registration and verify it under the key that it introduces."""
    envelope = parse_envelope(raw)
    registration = Registration.parse(envelope.payload_as(Registration.payload_type))
    key = PublicKey.from_text(registration.node_key)
    envelope.verified_by({key.key_id: key}, {key.key_id})
    return registration


def _address(parts: Parts, registration: Registration) -> str | None:
    if registration.address is None:
        return None
    return checked_peer(registration.address, parts.settings.public_url)


def listed(record: MemberRecord) -> dict[str, str | bool | None]:
    """Describe a member for its administrator, with the fingerprint to compare."""
    return {
        "participant": record.participant,
        "name": record.profile.name.zh,
        "name_en": record.profile.name.en,
        "level": record.profile.level.value,
        "status": record.status.value,
        "witness": record.witness,
        "fingerprint": fingerprint(record.node_key) if record.node_key else None,
        "address": record.address,
    }
