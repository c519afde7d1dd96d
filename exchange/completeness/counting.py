"""Use cases of counts: take what a node counted, hold it against the log, and miss what does not come.

Only transfers that a cut found done are compared, so it does not matter when a node counts or how late its
receipts were.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from sqlmodel import Session

from audit.completeness.counts import CountedTransfer, count_lines, differences
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import Corrupt
from contracts.messages import CountLine, CountState, MemberStatus, SubscriptionHeads, TransferCount
from exchange.completeness import model, store
from exchange.completeness.cutting import find_cut, view
from exchange.completeness.tables import HeadsCutRow, NodeCountRow
from exchange.evidence import check_speaker
from exchange.identity import Caller
from exchange.incidents.flow import record_alarm
from exchange.members.store import find_member
from exchange.parts import Parts
from exchange.transfers.store import done_in_cut
from exchange.transfers.tables import TransferRow
from nodes.signed import Signed, read_statement

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Where a count stands, and the number of the alarm that it raised."""

    row: NodeCountRow
    event: int | None


async def take_count(parts: Parts, caller: Caller, envelope: str) -> CountState:
    """Log what a node counted; where it differs from the log, the alliance hears of it.

    The same count again gives the same place. Raises SignatureInvalid, OtherSigner, CutUnknown, CountForeign
    or CountContradicts.
    """
    signed = read_statement(envelope, TransferCount, caller.key)
    check_speaker(signed.statement.participant, caller.participant)
    cut = find_cut(parts, signed.statement.cut.number)
    model.check_count(signed.statement, view(parts, cut))
    committed = await parts.log.commit(partial(_take, parts, signed))
    taken = committed.value
    if taken.event is not None:
        parts.mailbox.announce(events=taken.event)
        log.warning("count_differs", participant=caller.participant, cut=cut.number)
    located = parts.log.located(_place(taken.row))
    return CountState(index=located.index, origin=located.origin)


async def miss_counts(parts: Parts) -> int:
    """Raise an alarm for each count that is overdue; give how many. A background task calls it."""
    grace = timedelta(seconds=parts.settings.count_grace_seconds)
    with parts.database.read() as session:
        numbers = [row.number for row in store.unsettled(session, epoch_ms(parts.clock.now() - grace))]
    if not numbers or parts.log.sealed:
        return 0
    committed = await parts.log.commit(lambda unit: [_settle(parts, unit, number) for number in numbers])
    events = [event for found in committed.value for event in found]
    if events:
        parts.mailbox.announce(events=max(events))
    return len(events)


def expected_lines(session: Session, cut: int, participant: str) -> list[CountLine]:
    """Count a participant's transfers that a cut found done, from the entries that closed them."""
    return count_lines(_counted(row, participant) for row in done_in_cut(session, cut, participant))


def _take(parts: Parts, signed: Signed[TransferCount], unit: Unit) -> _Taken:
    count, session = signed.statement, unit.session
    kept = store.find_count(session, count.cut.number, count.participant)
    if kept is not None and kept.envelope is not None:
        if kept.digest != signed.digest:
            raise model.CountContradicts(f"{count.participant} counted cut {count.cut.number} before")
        return _Taken(kept, None)
    differing = differences(expected_lines(session, count.cut.number, count.participant), count.lines)
    row = kept or NodeCountRow(
        cut=count.cut.number,
        participant=count.participant,
        envelope=None,
        digest=None,
        entry=None,
        agrees=None,
        at=epoch_ms(unit.now),
    )
    row.envelope, row.digest, row.agrees = signed.text, signed.digest, not differing
    row.entry = unit.append(_entry(unit, signed))
    store.save(session, row)
    if not differing:
        return _Taken(row, None)
    alarm = model.mismatch_alarm(count.participant, count.cut, differing)
    return _Taken(row, record_alarm(parts, unit, alarm))


def _entry(unit: Unit, signed: Signed[TransferCount]) -> Entry:
    count = signed.statement
    fields: dict[str, Json] = {
        "part": count.participant,
        "since": epoch_ms(count.cut.since),
        "until": epoch_ms(count.cut.until),
        "sent": count.sent,
        "recv": count.received,
        "dig": signed.digest,
    }
    return Entry(EntryKind.COUNT, unit.now, fields)


def _settle(parts: Parts, unit: Unit, number: int) -> list[int]:
    """Miss every count of a cut that has not come; give the numbers of the alarms."""
    cut = store.find_cut(unit.session, number)
    if cut is None or cut.settled:
        return []
    missing = sorted(_owing(cut) - {row.participant for row in store.counts_of(unit.session, number)})
    events = []
    for participant in missing:
        if find_member(unit.session, participant).status is not MemberStatus.ACTIVE:
            continue
        missed = NodeCountRow(
            cut=number,
            participant=participant,
            envelope=None,
            digest=None,
            entry=None,
            agrees=None,
            at=epoch_ms(unit.now),
        )
        store.save(unit.session, missed)
        events.append(record_alarm(parts, unit, model.missing_alarm(participant, view(parts, cut))))
    cut.settled = True
    store.save(unit.session, cut)
    return events


def _owing(cut: HeadsCutRow) -> set[str]:
    """Name the sides of every subscription that a cut names."""
    heads = SubscriptionHeads.parse(cut.document).heads
    return {name for head in heads for name in (head.provider, head.consumer)}


def _counted(row: TransferRow, participant: str) -> CountedTransfer:
    if row.closed_leaf is None:
        raise Corrupt(f"{row.grant_id} is done without an entry")
    entry = parse_entry(row.closed_leaf)
    return CountedTransfer(
        subscription=row.subscription,
        role="provider" if row.provider == participant else "consumer",
        seq=row.seq,
        grant=row.grant_id,
        size_bytes=row.size_bytes or 0,
        receipt=str(entry.fields["pr"]),
    )


def _place(row: NodeCountRow) -> int:
    if row.entry is None:
        raise Corrupt(f"the count of {row.participant} for cut {row.cut} has no entry")
    return row.entry
