"""Use cases of objections: raise one, take a step, keep the legal clock, and show how each stands.

Each step is one log unit: the rows, the entry that names the signed statement, and the note that the other
side has not heard yet. What comes again byte for byte gets the same answer and writes nothing.
"""

from functools import partial

import structlog

from audit.commitment import new_salt
from audit.log.entry import Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.messages import (
    AWAITS_OBJECTOR,
    AWAITS_PROVIDER,
    CLOSED_BY_TIME,
    Objection,
    ObjectionFiling,
    ObjectionLine,
    ObjectionList,
    ObjectionState,
    ObjectionStep,
    ObjectionView,
    RecipientList,
    StepFiling,
    StepKind,
)
from contracts.workdays.calendar import WorkingDays
from exchange.catalog.store import find_dataset
from exchange.corrections import model, store, view
from exchange.corrections.calendar import working_days
from exchange.corrections.tables import ObjectionRow, ObjectionStepRow
from exchange.evidence import check_speaker, conceal, log_statement
from exchange.identity import Caller
from exchange.incidents.flow import record_alarm
from exchange.parts import Parts
from nodes.signed import Signed, read_statement

DAY_MS = 86_400_000

log = structlog.get_logger(__name__)


async def raise_objection(parts: Parts, caller: Caller, filing: ObjectionFiling) -> ObjectionView:
    """Take an objection of a recipient; the same one again may bring particulars that are sealed anew.

    Raises OtherSigner, ObjectionTaken, NotReceived, ReleaseReplaced, TooManyObjections or CalendarUnusable.
    """
    signed = read_statement(filing.envelope, Objection, caller.key)
    check_speaker(signed.statement.objector, caller.participant)
    working_days(parts.settings)  # an objection whose term cannot be told is not taken
    await parts.log.commit(partial(_open, signed, filing.sealed))
    log.info("objection_raised", objection=signed.statement.objection)
    return objection(parts, caller, signed.statement.objection)


async def take_step(parts: Parts, caller: Caller, name: str, filing: StepFiling) -> ObjectionView:
    """Take the next step of a side.

    Raises OtherSigner, ObjectionUnknown, StepNotYours, StepOutOfTurn, StepUnchained, WordsMissing or
    CalendarUnusable.
    """
    signed = read_statement(filing.envelope, ObjectionStep, caller.key)
    check_speaker(signed.statement.by, caller.participant)
    if signed.statement.objection != name:
        raise model.ObjectionUnknown("the step is about another objection than the address")
    if (signed.statement.words is None) != (filing.sealed is None):
        raise model.WordsMissing(f"step {signed.statement.number} of {name}")
    working_days(parts.settings)
    await parts.log.commit(partial(_step, signed, filing.sealed))
    log.info("objection_step", objection=name, step=signed.statement.step.value)
    return objection(parts, caller, name)


def objections(parts: Parts, caller: Caller) -> ObjectionList:
    """List the newest objections in which the caller is a side."""
    with parts.database.read() as session:
        rows = store.of_participant(session, caller.participant)
    lines = [
        ObjectionLine(objection=row.objection, state=ObjectionState(row.state), steps=row.steps)
        for row in rows
    ]
    return ObjectionList(objections=lines)


def objection(parts: Parts, caller: Caller, name: str) -> ObjectionView:
    """Give one objection to one of its sides; raise ObjectionUnknown."""
    calendar, now = working_days(parts.settings), parts.clock.now()
    with parts.database.read() as session:
        row = store.find(session, name)
        if row is None or caller.participant not in {row.objector, row.provider}:
            raise model.ObjectionUnknown(f"{name} is not an objection of this participant")
        return view.show(session, row, calendar, now, reader=caller.participant)


def recipients(parts: Parts, caller: Caller, dataset: str, number: int) -> RecipientList:
    """List whom a correction has to reach, for its provider; raise CorrectionUnfit where it corrects none."""
    with parts.database.read() as session:
        row = find_dataset(session, dataset)
        found = [] if row is None else view.recipients(session, dataset, number)
        is_correction = number in store.replaced(session, dataset).values()
    if row is None or row.provider != caller.participant or not is_correction:
        raise model.CorrectionUnfit(f"release {number} is no correction of this participant")
    return RecipientList(recipients=found)


async def keep_time(parts: Parts) -> int:
    """Warn once of each objection that is overdue and close what nobody spoke of; give how many there were.

    A background task calls it. An objection is overdue at its time whether or not this has run.
    """
    calendar, now = working_days(parts.settings), parts.clock.now()
    with parts.database.read() as session:
        due = [
            row
            for row in store.running(session)
            if view.wants_reminder(row, calendar, epoch_ms(now)) or view.is_over(row, calendar, epoch_ms(now))
        ]
    if not due:
        return 0
    events = (await parts.log.commit(partial(_keep_time, parts, calendar))).value
    if events:
        parts.mailbox.announce(events=max(events))
    return len(due)


def _open(signed: Signed[Objection], sealed: str, unit: Unit) -> None:
    session, said = unit.session, signed.statement
    before = store.find(session, said.objection)
    if before is not None:
        _seal_again(unit, before, signed.digest, sealed)
        return
    model.check_objection(
        said,
        store.delivered(session, said.grant),
        replaced_by=store.replaced(session, said.dataset).get(said.release),
        unanswered=store.count_unanswered(session, said.objector, said.dataset),
        of_the_day=store.count_since(session, said.objector, said.dataset, epoch_ms(unit.now) - DAY_MS),
    )
    fields: dict[str, Json] = {
        "obj": said.objection,
        "cons": said.objector,
        "prov": said.provider,
        "gid": said.grant,
        "dsc": conceal(session, said.dataset.encode(), salt=new_salt(), now=unit.now),
        "man": said.manifest,
        "n": said.records,
        "dig": signed.digest,
    }
    log_statement(unit, signed.digest, Entry(EntryKind.OBJECTION_OPEN, unit.now, fields))
    row = ObjectionRow(
        objection=said.objection,
        objector=said.objector,
        provider=said.provider,
        dataset=said.dataset,
        release=said.release,
        digest=signed.digest,
        envelope=signed.text,
        sealed=sealed,
        state=ObjectionState.OPEN.value,
        last=signed.digest,
        opened_at=epoch_ms(unit.now),
    )
    store.save(session, row)
    store.owe_news(session, said.provider, said.objection)


def _seal_again(unit: Unit, row: ObjectionRow, digest: str, sealed: str) -> None:
    """Take the same objection again; what is sealed to the provider's newer key replaces what was."""
    if row.digest != digest:
        raise model.ObjectionTaken(f"{row.objection} is on record with other content")
    if row.sealed != sealed and ObjectionState(row.state) in AWAITS_PROVIDER:
        row.sealed = sealed
        store.save(unit.session, row)
        store.owe_news(unit.session, row.provider, row.objection)


def _step(signed: Signed[ObjectionStep], sealed: str | None, unit: Unit) -> None:
    session, said = unit.session, signed.statement
    row = store.find(session, said.objection)
    if row is None or said.by not in {row.objector, row.provider}:
        raise model.ObjectionUnknown(f"{said.objection} is not an objection of this participant")
    if any(one.digest == signed.digest for one in store.steps(session, row.objection)):
        return
    after = model.check_step(said, store.standing(row))
    fields: dict[str, Json] = {
        "obj": row.objection,
        "by": said.by,
        "what": said.step.value,
        "n": said.number,
        "dig": signed.digest,
    }
    log_statement(unit, signed.digest, Entry(EntryKind.OBJECTION_STEP, unit.now, fields))
    kept = ObjectionStepRow(
        objection=row.objection,
        number=said.number,
        digest=signed.digest,
        envelope=signed.text,
        sealed=sealed,
        at=epoch_ms(unit.now),
    )
    store.add_step(session, kept)
    row.state, row.steps, row.last = after.value, said.number, signed.digest
    if said.step is StepKind.REJECT:
        row.answered_at = epoch_ms(unit.now)
    if said.step is StepKind.CLOSE:
        row.closed_why = "closed-by-objector"
    store.save(session, row)
    store.owe_news(session, row.objector if said.by == row.provider else row.provider, row.objection)


def _keep_time(parts: Parts, calendar: WorkingDays, unit: Unit) -> list[int]:
    now, events = epoch_ms(unit.now), []
    for row in store.running(unit.session):
        if view.wants_reminder(row, calendar, now):
            row.reminded = True
            store.save(unit.session, row)
            events.append(record_alarm(parts, unit, model.overdue_alarm(row.objection, row.provider)))
        if ObjectionState(row.state) in AWAITS_OBJECTOR and view.is_over(row, calendar, now):
            row.state, row.closed_why = ObjectionState.CLOSED.value, CLOSED_BY_TIME
            store.save(unit.session, row)
            fields = {"obj": row.objection, "why": CLOSED_BY_TIME}
            unit.append(Entry(EntryKind.OBJECTION_CLOSE, unit.now, fields))
            store.owe_news(unit.session, row.objector, row.objection)
            store.owe_news(unit.session, row.provider, row.objection)
    return events
