"""The legal clock: ten working days of the State Council's calendar, overdue told once, closed by time."""

from datetime import UTC, datetime, timedelta

import pytest

from audit.log.entry import EntryKind
from contracts.clock import BEIJING
from contracts.messages import ObjectionState, Role, SecurityEvent, Severity, StepKind
from exchange.corrections import desk, store
from exchange.corrections.calendar import CalendarUnusable, working_days
from exchange.identity import Person
from exchange.incidents import flow as incidents
from exchange.retention import flow as retention
from nodes.signed import peek_statement
from tests.exchange.corrections.disputing import (
    correct,
    deliver,
    hand_in,
    keep_time,
    later,
    objection,
    raised,
    shown_to,
    take,
    tell,
    verified,
)
from tests.exchange.trading import DATASET, Alliance, Trade

# The alliance's clock stands at Monday 2 March 2026; the tenth working day after is Monday the 16th.
DUE = datetime(2026, 3, 17, tzinfo=BEIJING)
ADMIN = Person("zhang-wei", frozenset({Role.ADMINISTRATOR}), bytes(32))


def until(alliance: Alliance, at: datetime) -> None:
    """Let time pass until a moment."""
    later(alliance, at - alliance.clock.now())


def events(alliance: Alliance) -> list[SecurityEvent]:
    """Read the alliance's events."""
    listed = incidents.events(alliance.parts, 0).events
    return [peek_statement(one, SecurityEvent).statement for one in listed]


def test_the_term_ends_with_the_tenth_working_day(trade: Trade) -> None:
    """An objection is overdue at its moment, whether or not the task has run."""
    shown = raised(trade)
    until(trade.alliance, DUE - timedelta(milliseconds=1))
    before = shown_to(trade.alliance, trade.consumer, shown.objection).overdue
    later(trade.alliance, timedelta(milliseconds=1))

    assert (shown.due_at, shown.guessed_years) == (DUE.astimezone(UTC), [])
    assert (before, shown_to(trade.alliance, trade.consumer, shown.objection).overdue) == (False, True)


@pytest.mark.parametrize("steps", [[], [StepKind.ACKNOWLEDGE], [StepKind.ACKNOWLEDGE, StepKind.VERIFY]])
def test_an_overdue_answer_is_told_to_the_alliance_once(trade: Trade, steps: list[StepKind]) -> None:
    """Acknowledged or verified is no answer; the event names the provider, and neither data nor objector."""
    shown = raised(trade)
    for kind in steps:
        shown = take(trade.alliance, shown, kind, trade.provider)
    until(trade.alliance, DUE)
    done = [keep_time(trade.alliance), keep_time(trade.alliance)]
    (event,) = events(trade.alliance)

    assert done == [1, 0]
    assert (event.event_class, event.severity, event.subject) == (
        "objection.overdue",
        Severity.MEDIUM,
        trade.provider.id,
    )
    assert event.facts == {"objection": shown.objection, "working_days": 10}
    assert trade.alliance.parts.mailbox.heads.events == event.number


def test_an_answer_in_time_stops_the_clock(trade: Trade) -> None:
    """A rejection, a correction and a withdrawal leave nothing overdue."""
    rejected = take(
        trade.alliance,
        take(trade.alliance, raised(trade), StepKind.ACKNOWLEDGE, trade.provider),
        StepKind.REJECT,
        trade.provider,
    )
    withdrawn = take(trade.alliance, raised(trade), StepKind.WITHDRAW, trade.consumer)
    corrected = verified(trade)
    correct(trade, 1, corrected.objection)
    until(trade.alliance, DUE)
    keep_time(trade.alliance)

    assert events(trade.alliance) == []
    assert not any(
        shown_to(trade.alliance, trade.provider, one.objection).overdue
        for one in (rejected, withdrawn, corrected)
    )


def test_an_answer_after_its_time_stays_late(trade: Trade) -> None:
    """The record of a late correction is kept: late correction is a heading of the law."""
    shown = verified(trade)
    until(trade.alliance, DUE)
    correct(trade, 1, shown.objection)
    (line,) = desk.overview(trade.alliance.parts)

    assert (line.state, line.overdue, line.due_at) == (ObjectionState.CORRECTED, True, DUE)
    assert line.answered_at == trade.alliance.clock.now()


def test_an_answer_without_a_word_is_closed_by_time(trade: Trade) -> None:
    """Ten working days after the answer the objection closes, and both sides hear of it."""
    shown = verified(trade)
    correct(trade, 1, shown.objection)
    tell(trade.alliance)
    heard = len(trade.consumer.news)
    later(trade.alliance, timedelta(days=14))
    early = keep_time(trade.alliance)
    until(trade.alliance, DUE)
    done = keep_time(trade.alliance)
    (entry,) = trade.alliance.entries(EntryKind.OBJECTION_CLOSE)
    closed = shown_to(trade.alliance, trade.consumer, shown.objection)
    tell(trade.alliance)

    assert (early, done) == (0, 1)
    assert entry.fields == {"obj": shown.objection, "why": "time-over"}
    assert (closed.state, closed.closed_why) == (ObjectionState.CLOSED, "time-over")
    assert len(trade.consumer.news) == heard + 1


def test_a_year_without_an_arrangement_is_said_aloud(trade: Trade) -> None:
    """Weekends alone are counted for it, and every view says so; the operator's file takes that away."""
    said = objection(trade, deliver(trade))
    until(trade.alliance, datetime(2026, 12, 28, 10, tzinfo=BEIJING))
    shown = hand_in(trade.alliance, trade.consumer, said)
    folder = trade.alliance.parts.settings.home / "workdays"
    folder.mkdir()
    (folder / "2027.json").write_text(
        '{"year":2027,"document":"test","title":"test","make_up":[],'
        '"holidays":[{"name":"元旦","from":"2027-01-01","to":"2027-01-03"}]}'
    )
    known = shown_to(trade.alliance, trade.provider, shown.objection)

    assert (shown.due_at, shown.guessed_years) == (datetime(2027, 1, 12, tzinfo=BEIJING), [2027])
    assert (known.due_at, known.guessed_years) == (datetime(2027, 1, 13, tzinfo=BEIJING), [])


def test_a_file_that_cannot_be_used_is_refused(alliance: Alliance) -> None:
    """A term is never counted with half a calendar."""
    folder = alliance.parts.settings.home / "workdays"
    folder.mkdir()
    whole = '{"year":2027,"document":"t","title":"t","make_up":[],"holidays":[%s]}'
    holiday = '{"name":"x","from":"2027-01-01","to":"2027-01-03"}'
    for name, text in (
        ("2027.json", "no JSON"),
        ("2027.json", whole % ""),
        ("2028.json", whole % holiday),
    ):
        (folder / name).write_text(text)
        with pytest.raises(CalendarUnusable):
            working_days(alliance.parts.settings)
        (folder / name).unlink()
    (folder / "2027.json").write_text(whole % holiday)

    assert [one.year for one in working_days(alliance.parts.settings).arrangements] == [2025, 2026, 2027]


def test_settled_objections_go_with_the_evidence(trade: Trade) -> None:
    """After their time settled objections and their sealed words are erased; what replaces what stays."""
    closed, waiting = verified(trade), raised(trade, 2)
    correct(trade, 1, closed.objection)
    shown = shown_to(trade.alliance, trade.consumer, closed.objection)
    take(trade.alliance, shown, StepKind.CLOSE, trade.consumer)
    later(trade.alliance, timedelta(days=6 * 366))
    before = trade.alliance.clock.now().astimezone(BEIJING).date() - timedelta(days=5 * 366)
    erased = trade.alliance.run(retention.erase(trade.alliance.parts, ADMIN, before))[1]
    with trade.alliance.parts.database.read() as session:
        links, steps = store.replaced(session, DATASET), store.steps(session, closed.objection)
        whom = [one.participant for one in store.told(session, DATASET, 3)]

    assert (erased.objections, links, steps) == (1, {1: 3}, [])
    assert [one.objection for one in desk.overview(trade.alliance.parts)] == [waiting.objection]
    assert whom == [trade.consumer.id]


def test_no_objection_is_taken_without_a_calendar(trade: Trade) -> None:
    """Nothing is logged while the term cannot be told; the node keeps what it signed and sends it again."""
    said = objection(trade, deliver(trade))
    folder = trade.alliance.parts.settings.home / "workdays"
    folder.mkdir()
    (folder / "2027.json").write_text("no JSON")
    with pytest.raises(CalendarUnusable):
        hand_in(trade.alliance, trade.consumer, said)
    logged = trade.alliance.entries(EntryKind.OBJECTION_OPEN)
    (folder / "2027.json").unlink()

    assert logged == []
    assert hand_in(trade.alliance, trade.consumer, said).state is ObjectionState.OPEN
