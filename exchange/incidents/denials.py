"""Use cases of denials: log first, then refuse; and roll up what is beyond the limit.

A denial is durable before its caller hears of it. The evidence behind it (question, decision, reasons) is
kept beside the log under a salt, and may be erased.
"""

from dataclasses import dataclass
from typing import NoReturn

import structlog

from audit.commitment import commit, new_salt
from audit.log.entry import MAX_CODES, Entry, EntryKind
from audit.log.unit import Unit
from contracts.canonical import Json, canonical_bytes
from contracts.clock import epoch_ms
from contracts.errors import Refused
from exchange.evidence import conceal
from exchange.incidents import model, store
from exchange.incidents.flow import record_alarm
from exchange.incidents.model import Act, Overflow
from exchange.parts import Parts
from exchange.policies.ledger import keep, written
from policies.decision import Decision, Question

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Denial:
    """One refusal, as it goes on record; ``reasons`` are ``code: zh / en``, ``evidence`` opens the entry.

    ``decided`` is the policy's decision with its question, None where it was not the policy that refused.
    """

    participant: str
    act: Act
    dataset: str
    purpose: str
    policy: str
    decision: str
    codes: tuple[str, ...]
    reasons: tuple[str, ...]
    evidence: Json
    decided: tuple[Question, Decision] | None = None

    @classmethod
    def of(cls, question: Question, decision: Decision) -> "Denial":
        """Make the denial of a policy decision; facts that cannot be written are no evidence."""
        reasons = tuple(f"{reason.code}: {reason.zh} / {reason.en}" for reason in decision.reasons)
        asked = written(question)
        return cls(
            participant=question.participant.id,
            act=question.action,
            dataset=question.dataset.dataset,
            purpose=question.purpose,
            policy=decision.policy_digest,
            decision=decision.decision_id,
            codes=tuple(decision.codes),
            reasons=reasons,
            evidence={
                "question": None if asked is None else question.document(),
                "decision": decision.decision_id,
                "policy": decision.policy_digest,
                "reasons": list(reasons),
            },
            decided=(question, decision),
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a denial went on record: with its own entry or counted, and the number of the last event of it."""

    own_entry: bool
    event: int | None


async def refuse(parts: Parts, denial: Denial) -> NoReturn:
    """Put a denial on record, then refuse: Refused with its reasons, or TooManyDenials beyond the limit."""
    committed = await parts.log.commit(lambda unit: record_denial(parts, unit, denial))
    announce(parts, committed.value)
    parts.telemetry.denials.inc()
    log.info("request_denied", participant=denial.participant, act=denial.act, codes=list(denial.codes))
    reasons = list(denial.reasons)
    if not committed.value.own_entry:
        raise model.TooManyDenials(reasons=reasons)
    raise Refused(f"the policy refuses: {', '.join(denial.codes)}", reasons=reasons, decision=denial.decision)


def record_denial(parts: Parts, unit: Unit, denial: Denial) -> Recorded:
    """Write a denial inside ``unit``, and the alarms: a pattern of probing, a policy that cannot decide."""
    session, now = unit.session, unit.now
    logged = store.count_logged(session, denial.participant, now - model.DENIAL_WINDOW)
    own_entry = model.has_own_entry(logged)
    index = _append(unit, denial) if own_entry else None
    if own_entry and denial.decided is not None:
        keep(unit, *denial.decided)
    store.add_denial(session, denial.participant, denial.dataset, denial.act, at=now, entry=index)
    probing = model.judge_probing(
        denial.participant,
        store.denials_since(session, denial.participant, now - model.PROBE_WINDOW),
        now=now,
        last_alarm_at=store.last_alarm_at(session, model.PROBING, denial.participant),
    )
    undecided = model.judge_undecided(
        denial.codes, now=now, last_alarm_at=store.last_alarm_at(session, model.UNDECIDED, None)
    )
    alarms = [alarm for alarm in (probing, undecided) if alarm is not None]
    return Recorded(own_entry, max((record_alarm(parts, unit, alarm) for alarm in alarms), default=None))


def record_answer_denial(unit: Unit, denial: Denial) -> None:
    """Write that a side refused to sign; it is nobody's misbehaviour, so it counts towards no limit."""
    index = _append(unit, denial)
    store.add_denial(unit.session, denial.participant, denial.dataset, denial.act, at=unit.now, entry=index)


def announce(parts: Parts, recorded: Recorded) -> None:
    """Wake the nodes when a denial raised an event; call it after the commit."""
    if recorded.event is not None:
        parts.mailbox.announce(events=recorded.event)


async def roll_up_denials(parts: Parts) -> int:
    """Write one ``deny.rollup`` for each window that is over; give how many. A background task calls it."""
    with parts.database.read() as session:
        waiting = store.uncounted(session)
    now = parts.clock.now()
    if not any(model.next_overflow(name, moments, now) for name, moments in waiting.items()):
        return 0
    committed = await parts.log.commit(_roll_up)
    return committed.value


def _append(unit: Unit, denial: Denial) -> int:
    salt = new_salt()
    fields: dict[str, Json] = {
        "cons": denial.participant,
        "act": denial.act,
        "dsc": commit(salt, denial.dataset.encode()),
        "pur": commit(salt, denial.purpose.encode()),
        "pol": denial.policy,
        "dec": denial.decision,
        # A leaf has no colon in its codes; the evidence keeps them as they are.
        "why": [code.replace(":", ".") for code in denial.codes[:MAX_CODES]],
        "ev": conceal(unit.session, canonical_bytes(denial.evidence), salt=salt, now=unit.now),
    }
    return unit.append(Entry(EntryKind.DENY, unit.now, fields))


def _roll_up(unit: Unit) -> int:
    written = 0
    for participant, moments in store.uncounted(unit.session).items():
        overflow = model.next_overflow(participant, moments, unit.now)
        if overflow is not None:
            store.roll_up(unit.session, overflow, unit.append(_rollup_entry(unit, overflow)))
            written += 1
    return written


def _rollup_entry(unit: Unit, overflow: Overflow) -> Entry:
    fields: dict[str, Json] = {
        "cons": overflow.participant,
        "n": overflow.count,
        "since": epoch_ms(overflow.since),
        "until": epoch_ms(overflow.until),
    }
    return Entry(EntryKind.DENY_ROLLUP, unit.now, fields)
