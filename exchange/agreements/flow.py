"""Use cases of applications and agreements: apply, answer, bring both signatures together, end.

The policy says whether an application may be made; whether to agree is the two sides' business. Every step
that settles something is one log unit, and a step that finds its turn already taken changes nothing.
"""

import json
from functools import partial

import structlog

from audit.commitment import new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.clock import epoch_ms
from contracts.identifiers import Kind, new_id
from contracts.messages import AgreementAnswer, Application, ApplicationView, Text
from exchange.agreements import model, store
from exchange.agreements.decide import decide_and_act
from exchange.agreements.facts import CurrentDataset, Gathered, gather_application
from exchange.agreements.model import AgreementState, Turn
from exchange.agreements.signing import advance, open_offer, take_answer
from exchange.agreements.tables import ApplicationRow
from exchange.evidence import check_speaker, conceal, log_statement
from exchange.identity import Caller
from exchange.members.store import add_revocation
from exchange.parts import Parts
from nodes.signed import Signed, read_statement
from policies.decision import Decision

log = structlog.get_logger(__name__)


async def apply(parts: Parts, caller: Caller, envelope: str) -> ApplicationView:
    """Take an application and, when both nodes answer, bring it to an agreement at once.

    The same envelope again gives the application as it stands. Raises OtherSigner, DatasetUnknown,
    OwnDataset, ApplicationTaken, TooManyApplications; Refused or TooManyDenials after the denial is on
    record.
    """
    signed = read_statement(envelope, Application, caller.key)
    check_speaker(signed.statement.consumer, caller.participant)
    if not _is_known(parts, signed):
        gather = partial(gather_application, application=signed.statement, address=caller.address)
        await decide_and_act(parts, gather, partial(_open, signed))
        log.info("application_opened", application=signed.statement.application)
    await advance(parts, signed.statement.application)
    return application(parts, caller, signed.statement.application)


def applications(parts: Parts, caller: Caller) -> list[ApplicationView]:
    """List the applications in which the caller is consumer or provider."""
    with parts.database.read() as session:
        return [_view(row) for row in store.applications_of(session, caller.participant)]


def application(parts: Parts, caller: Caller, name: str) -> ApplicationView:
    """Give one application of the caller's; raise ApplicationUnknown."""
    return _view(_own_application(parts, caller, name))


async def answer(parts: Parts, caller: Caller, name: str, given: AgreementAnswer) -> ApplicationView:
    """Take the answer that a person gave after a hold, then ask the other side.

    The same answer again gives the application as it stands. Raises ApplicationUnknown, NotYourTurn,
    OtherTerms, AnswerIncomplete or SignatureInvalid.
    """
    row = _own_application(parts, caller, name)
    if not _is_repeated(row, given):
        offer = open_offer(row)
        if offer is None or offer.party != caller.participant:
            raise model.NotYourTurn(f"{name} does not wait for this participant")
        await take_answer(parts, offer, given, caller.key)
    await advance(parts, name)
    return application(parts, caller, name)


async def resume_waiting(parts: Parts) -> None:
    """Ask again for every application that waits for a node; a background task calls it every few seconds."""
    with parts.database.read() as session:
        waiting = store.waiting_applications(session)
    silent: set[str] = set()  # asked once a round: one silent node must not hold up everybody's applications
    for name in waiting:
        silent.update(await advance(parts, name, silent))


async def end_agreement(parts: Parts, caller: Caller, name: str, why: str) -> None:
    """End an agreement from either side and put it on the revocation list; again changes nothing.

    ``why`` stays beside the log; the entry says only which side ended it. Raises AgreementUnknown.
    """
    await parts.log.commit(partial(_end, caller.participant, name, why))
    log.info("agreement_ended", agreement=name)


# --- units ------------------------------------------------------------------------------------------


def _open(
    signed: Signed[Application], unit: Unit, gathered: Gathered[CurrentDataset], decision: Decision
) -> None:
    session, asked, question = unit.session, signed.statement, gathered.question
    before = store.find_application(session, asked.application)
    if before is not None:
        _check_same(before, signed)
        return
    if store.count_open(session, asked.consumer) >= model.MAX_OPEN_APPLICATIONS:
        raise model.TooManyApplications(f"{model.MAX_OPEN_APPLICATIONS} applications are open")
    if store.count_since(session, asked.consumer, unit.now - model.MINUTE) >= model.MAX_APPLICATIONS_A_MINUTE:
        raise model.TooManyApplications(f"{model.MAX_APPLICATIONS_A_MINUTE} applications came in a minute")
    terms = model.draft_terms(
        signed,
        gathered.ground.record,
        agreement=new_id(Kind.AGREEMENT),
        now=unit.now,
        emergency_until_ms=None if question.emergency is None else question.emergency.until_ms,
    )
    fields = {
        "app": asked.application,
        "cons": asked.consumer,
        "prov": terms.provider,
        "dsc": conceal(session, asked.dataset.encode(), salt=new_salt(), now=unit.now),
        "pur": conceal(session, question.purpose.encode(), salt=new_salt(), now=unit.now),
        "dig": signed.digest,
    }
    log_statement(unit, signed.digest, Entry(EntryKind.APPLICATION_OPEN, unit.now, fields))
    store.add_application(
        session,
        ApplicationRow(
            application=asked.application,
            consumer=asked.consumer,
            provider=terms.provider,
            dataset=asked.dataset,
            purpose=asked.purpose,
            record=terms.record,
            digest=signed.digest,
            envelope=signed.text,
            policy=decision.policy_digest,
            decision=decision.decision_id,
            turn=Turn.PROVIDER.value,
            held=False,
            agreement=terms.agreement,
            payload=terms.canonical().decode(),
            provider_envelope=None,
            agreement_envelope=None,
            reasons="[]",
            opened_at=epoch_ms(unit.now),
        ),
    )


def _end(participant: str, name: str, why: str, unit: Unit) -> None:
    row = store.find_agreement(unit.session, name)
    if row is None or participant not in {row.provider, row.consumer}:
        raise model.AgreementUnknown(f"{name} is not an agreement of this participant")
    if row.state == AgreementState.ENDED.value:
        return
    row.state = AgreementState.ENDED.value
    row.ended_by, row.ended_why, row.ended_at = participant, why, epoch_ms(unit.now)
    unit.session.add(row)
    add_revocation(unit.session, "agreement", name, unit.now)
    side = "provider" if participant == row.provider else "consumer"
    unit.append(Entry(EntryKind.AGREEMENT_END, unit.now, {"agr": name, "why": f"ended-by-{side}"}))


# --- reading ----------------------------------------------------------------------------------------


def _is_known(parts: Parts, signed: Signed[Application]) -> bool:
    with parts.database.read() as session:
        row = store.find_application(session, signed.statement.application)
    if row is not None:
        _check_same(row, signed)
    return row is not None


def _check_same(row: ApplicationRow, signed: Signed[Application]) -> None:
    if row.digest != signed.digest:
        raise model.ApplicationTaken(f"{row.application} is on record with other content")


def _is_repeated(row: ApplicationRow, given: AgreementAnswer) -> bool:
    """Say whether this answer, or a refusal, is on record already: a node repeats what it is unsure of."""
    if given.outcome == "refused":
        return row.turn == Turn.REFUSED
    return given.envelope is not None and given.envelope == row.provider_envelope


def _own_application(parts: Parts, caller: Caller, name: str) -> ApplicationRow:
    with parts.database.read() as session:
        row = store.find_application(session, name)
    if row is None or caller.participant not in {row.consumer, row.provider}:
        raise model.ApplicationUnknown(f"{name} is not an application of this participant")
    return row


def _view(row: ApplicationRow) -> ApplicationView:
    agreed = row.agreement_envelope is not None
    return ApplicationView(
        application=row.application,
        state=model.state_of(Turn(row.turn)),
        application_envelope=row.envelope,
        agreement=row.agreement if agreed else None,
        agreement_envelope=row.agreement_envelope,
        agreement_payload=row.payload,
        reasons=[Text.model_validate(reason) for reason in json.loads(row.reasons)],
    )
