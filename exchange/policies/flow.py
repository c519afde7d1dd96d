"""Use cases of a change of policy: propose, reject, approve, go back, shadow, and see how things stand.

An approval goes: (1) signatures and people, (2) the last decisions replayed under both bundles, in a process
of their own, (3) the next engine opened, (4) the ``policy.activate`` entry durable with the rows, (5) the
desk swapped. A process that ends between (4) and (5) finds the new policy in the log when it starts.
"""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlmodel import Session

from audit.commitment import commit
from audit.keys.signing import PublicKey
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json, canonical_bytes
from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.messages import PolicyApproval, PolicyProposal, Role
from exchange.evidence import admin_act, log_statement
from exchange.identity import Person, WrongRole
from exchange.members.model import PersonRecord
from exchange.members.on_record import check_people
from exchange.members.store import list_people
from exchange.parts import Parts
from exchange.policies import ledger, model, store
from exchange.policies.model import Expected
from exchange.policies.starting import digest_in_force, known_bundle
from exchange.policies.tables import ChangeRow
from nodes.signed import Signed, peek_statement, read_statement
from policies.bundle import Bundle, BundleTampered, shipped_bundle
from policies.trying.vetting import PastQuestion, replay_apart, vet

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """A bundle as it was handed in: its sources and the tests beside them, text by path."""

    sources: dict[str, str]
    tests: dict[str, str]


async def propose(parts: Parts, person: Person, envelope: str, files: Files | None) -> dict[str, Json]:
    """Take a signed proposal and give how things stand.

    Without files the bundle is one of the last ten that were in force. Raises StatementNotYours,
    PolicyMovedOn, PolicyProposedAlready, PolicyUnknown, BundleTampered, BundleUnfit or SignatureInvalid.
    """
    signed = read_statement(envelope, PolicyProposal, _key(parts, person))
    stated = signed.statement
    with parts.database.read() as session:
        _check_proposal(parts, session, person, signed)
        bundle = _named(session, stated.bundle) if files is None else _handed_in(files, stated.bundle)
        tests = store.tests_of(session, stated.bundle) if files is None else files.tests
    await asyncio.to_thread(vet, bundle, tests)

    def unit(unit: Unit) -> None:
        _check_proposal(parts, unit.session, person, signed)
        store.keep_bundle(unit.session, bundle, tests, unit.now)
        row = ChangeRow(
            number=0,
            bundle=stated.bundle,
            state=store.OPEN,
            widens=stated.widens,
            statement=signed.digest,
            proposal=signed.text,
            proposed_by=person.name,
            why=stated.why,
            at=epoch_ms(unit.now),
        )
        store.add_change(unit.session, row)
        log_statement(unit, signed.digest, admin_act(unit, person, "policy.propose", signed.digest))

    await parts.log.commit(unit)
    log.info("policy_proposed", policy=stated.bundle)
    return standing(parts)


async def approve(parts: Parts, person: Person, digest: str, envelope: str) -> dict[str, Json]:
    """Put a proposed bundle in force with the second signature and give how things stand.

    Raises PolicyNotProposed, StatementNotYours, PolicyMovedOn, SecondPersonNeeded, PeopleTampered,
    PolicyWidens, BundleUnfit or SignatureInvalid.
    """
    signed = read_statement(envelope, PolicyApproval, _key(parts, person))
    with parts.database.read() as session:
        proposed = _check_approval(parts, session, person, digest, signed)
        bundle = known_bundle(session, digest)
    replayed = await replay_of(parts, digest, model.REPLAYED_AT_APPROVAL)
    model.check_widening(proposed.statement, signed.statement, replayed)
    parts.policy.prepare(bundle)
    try:
        second = _Second(parts, person, digest, signed)
        committed = await parts.log.commit(partial(_activate, second, replayed))
    except BaseException:  # whatever stopped it: the engine that was opened for it is not needed
        parts.policy.drop(digest)
        raise
    follow(parts)
    if parts.policy.shadowed is not None and parts.policy.shadowed.digest == digest:
        parts.policy.shadow(None)  # it decides now
    parts.mailbox.announce(events=committed.value)
    return standing(parts)


async def reject(parts: Parts, person: Person, digest: str) -> dict[str, Json]:
    """Close a proposal without effect, also one's own; raise PolicyNotProposed."""

    def unit(unit: Unit) -> None:
        row = store.open_change(unit.session, digest)
        if row is None or row.statement is None:
            raise model.PolicyNotProposed(f"{digest} is not proposed")
        row.state, row.settled_by, row.settled_at = store.REJECTED, person.name, epoch_ms(unit.now)
        store.save_change(unit.session, row)
        unit.append(admin_act(unit, person, "policy.reject", row.statement))

    await parts.log.commit(unit)
    return standing(parts)


async def set_shadow(parts: Parts, person: Person, digest: str | None) -> dict[str, Json]:
    """Ask a bundle that was proposed or in force beside the one in force, or none.

    It runs in this process, and nothing there can interrupt it: so it is replayed apart first, and what one
    person proposed alone, another one sets. Raises PolicyUnknown, SecondPersonNeeded or BundleUnfit.
    """
    if digest is not None:
        await replay_of(parts, digest, model.REPLAYED_AT_APPROVAL)

    def unit(unit: Unit) -> Bundle | None:
        before = store.shadow_digest(unit.session)
        bundle = None if digest is None else store.bundle_of(unit.session, digest)
        if digest is not None and bundle is None:
            raise model.PolicyUnknown(f"{digest} is not known here")
        theirs = [row for row in store.changes(unit.session) if row.bundle == digest]
        if theirs and all(row.state != store.ACTIVE and row.proposed_by == person.name for row in theirs):
            raise model.SecondPersonNeeded(f"{person.name} alone proposed it")
        store.set_shadow(unit.session, digest)
        if (digest or before) is not None:
            unit.append(admin_act(unit, person, "policy.shadow", digest or before or ""))
        return bundle

    committed = await parts.log.commit(unit)
    parts.policy.shadow(committed.value)
    return standing(parts)


async def replay_of(parts: Parts, digest: str, last: int, *, looking: bool = False) -> dict[str, Any]:
    """Replay the last decisions under the policy in force and under another.

    Raises PolicyUnknown, BundleUnfit or PolicyTrialsBusy. Any: the report that ``policies.trying`` makes.
    """

    def gather() -> tuple[Bundle, Bundle, list[PastQuestion]]:
        with parts.database.read() as session:
            after = store.bundle_of(session, digest)
            if after is None:
                raise model.PolicyUnknown(f"{digest} is not known here")
            return parts.policy.bundle, after, asked_last(session, last)

    before, after, asked = await asyncio.to_thread(gather)
    return await asyncio.to_thread(replay_apart, before, after, asked, looking=looking)


def asked_last(session: Session, last: int) -> list[PastQuestion]:
    """Give the questions of the last decisions, newest first."""
    return [
        PastQuestion(kept.decision, kept.question)
        for kept in ledger.decisions(session, store.Which(limit=last))
    ]


def follow(parts: Parts) -> None:
    """Have the desk decide by what the log has in force; raise PolicyLost."""
    with parts.database.read() as session:
        digest = digest_in_force(session)
        if digest is None or digest == parts.policy.digest:
            return
        bundle = known_bundle(session, digest)
    parts.policy.take(bundle)


def standing(parts: Parts) -> dict[str, Json]:
    """Say which policy decides, what waits, what was before, and what the software brought along."""
    with parts.database.read() as session:
        rows = store.changes(session)
    in_force = [row for row in rows if row.state == store.ACTIVE]
    shipped = shipped_bundle().digest
    shadowed = parts.policy.shadowed
    return {
        "origin": parts.settings.origin,
        "policy": parts.policy.digest,
        "bundle_key": parts.bundle_signer.public,
        "since": _moment(in_force[0].settled_at) if in_force else None,
        "bridged": parts.policy.is_bridged,
        "shipped": shipped,
        "shipped_is_new": shipped not in {row.bundle for row in rows},
        "rollback": list(_former(in_force, parts.policy.digest)),
        "open": [_shown(row) for row in rows if row.state == store.OPEN],
        "changes": [_shown(row) for row in rows if row.state != store.OPEN][: 2 * model.KEPT_FOR_ROLLBACK],
        "shadow": None
        if shadowed is None
        else {
            "policy": shadowed.digest,
            "asked": shadowed.asked,
            "same": shadowed.same,
            "differences": {str(kind): count for kind, count in shadowed.counts.items()},
        },
    }


# --- units and checks -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Second:
    """The second person's act: who approves which bundle, with what signature."""

    parts: Parts
    person: Person
    digest: str
    signed: Signed[PolicyApproval]


def _activate(second: _Second, replayed: dict[str, Json], unit: Unit) -> int:
    session, parts, person = unit.session, second.parts, second.person
    digest, signed = second.digest, second.signed
    proposed = _check_approval(parts, session, person, digest, signed)
    people = {one.name: one for one in list_people(session)}
    row = store.open_change(session, digest)
    if row is None:
        raise model.PolicyNotProposed(f"{digest} is not proposed")
    widens = proposed.statement.widens and signed.statement.widens
    row.state, row.settled_by, row.settled_at = store.ACTIVE, person.name, epoch_ms(unit.now)
    row.approval, row.widens = signed.text, widens
    row.replayed = canonical_bytes(replayed).decode()
    store.save_change(session, row)
    store.supersede_open(session, unit.now)
    if store.shadow_digest(session) == digest:
        store.set_shadow(session, None)
    proposer = people[proposed.statement.person]
    fields: dict[str, Json] = {
        "pol": digest,
        "act": commit(proposer.salt, proposer.name.encode()),
        "by": commit(person.salt, person.name.encode()),
        "dig": signed.digest,
    }
    log_statement(unit, signed.digest, Entry(EntryKind.POLICY_ACTIVATE, unit.now, fields))
    return parts.hooks.record_alarm(parts, unit, model.activated(digest, widens=widens))


def _check_proposal(parts: Parts, session: Session, person: Person, signed: Signed[PolicyProposal]) -> None:
    _current(session, person, {Role.ADMINISTRATOR})
    model.check_proposal(signed.statement, _expected(parts, session, person))
    waiting = store.open_changes(session)
    if any(row.bundle == signed.statement.bundle for row in waiting) or len(waiting) >= model.MAX_OPEN:
        raise model.PolicyProposedAlready(f"{len(waiting)} proposals wait")
    if store.is_known_statement(session, signed.digest):
        raise model.PolicyMovedOn("this very proposal was made before")


def _check_approval(
    parts: Parts, session: Session, person: Person, digest: str, signed: Signed[PolicyApproval]
) -> Signed[PolicyProposal]:
    """Give the proposal that this approval is of, with both people still known under two keys."""
    approver = _current(session, person, set(model.APPROVERS))
    row = store.open_change(session, digest)
    if row is None or row.proposal is None:
        raise model.PolicyNotProposed(f"{digest} is not proposed")
    # Its signature was verified when it came in; here only that its key is still that person's counts.
    proposed = peek_statement(row.proposal, PolicyProposal)
    expected = _expected(parts, session, person)
    model.check_approval(signed.statement, proposed.statement, proposed.digest, expected)
    known = {one.name: one for one in list_people(session)}
    proposer = known.get(proposed.statement.person)
    model.check_keys(None if proposer is None else proposer.key, approver.key)
    if proposer is not None:
        read_statement(row.proposal, PolicyProposal, PublicKey.from_text(proposer.key))
    check_people(session)
    return proposed


def _expected(parts: Parts, session: Session, person: Person) -> Expected:
    in_force = digest_in_force(session) or parts.policy.digest
    return Expected(parts.settings.origin, person.name, in_force)


def _current(session: Session, person: Person, roles: set[Role]) -> PersonRecord:
    """Give the person as the database has them now; raise WrongRole without one of ``roles``."""
    found = next((one for one in list_people(session) if one.name == person.name), None)
    if found is None or not found.roles & roles:
        raise WrongRole(f"{person.name} may not do this", needed=sorted(role.value for role in roles))
    return found


def _key(parts: Parts, person: Person) -> PublicKey:
    return PublicKey.from_text(parts.roll.person(person.name).key)


def _named(session: Session, digest: str) -> Bundle:
    in_force = [row for row in store.changes(session) if row.state == store.ACTIVE]
    if not model.may_follow(digest, _former(in_force, store.active_digest(session))):
        raise model.PolicyUnknown(f"{digest} is not among the last {model.KEPT_FOR_ROLLBACK} in force")
    return known_bundle(session, digest)


def _handed_in(files: Files, digest: str) -> Bundle:
    sources = {path: text.encode() for path, text in files.sources.items()}
    bundle = Bundle.from_files(Bundle(sources).files())
    if bundle.digest != digest:
        raise BundleTampered(f"the files have the digest {bundle.digest}, the proposal says otherwise")
    return bundle


def _former(in_force: list[ChangeRow], now: str | None) -> tuple[str, ...]:
    """List the bundles that were in force before, newest first, each once."""
    former = dict.fromkeys(row.bundle for row in in_force if row.bundle != now)
    return tuple(former)[: model.KEPT_FOR_ROLLBACK]


def _shown(row: ChangeRow) -> dict[str, Json]:
    return {
        "number": row.number,
        "policy": row.bundle,
        "state": row.state,
        "widens": row.widens,
        "proposal": row.statement,
        "proposed_by": row.proposed_by,
        "settled_by": row.settled_by,
        "why": row.why,
        "at": _moment(row.at),
        "settled_at": _moment(row.settled_at),
        "replayed": None if row.replayed is None else json.loads(row.replayed),
    }


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(from_epoch_ms(at_ms))
