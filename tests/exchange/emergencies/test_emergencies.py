"""Emergencies: declared for all to hear, over by themselves, and judged by somebody else afterwards."""

from datetime import timedelta

import pytest

from audit.commitment import commit
from audit.log.entry import EntryKind
from contracts.clock import epoch_ms
from contracts.messages import Emergency, Severity
from exchange.emergencies import flow
from exchange.emergencies.model import (
    MAX_IN_FORCE,
    EmergencyInForce,
    EmergencyOver,
    EmergencyReviewed,
    EmergencyUnknown,
    OwnReview,
    Phase,
    ReviewIsOverdue,
    TooManyEmergencies,
)
from exchange.evidence import logged_place, reveal
from nodes.signed import read_statement
from tests.exchange.emergencies.declaring import (
    DAY,
    LIU,
    WANG,
    ZHAO,
    declare,
    end,
    events,
    keep_time,
    later,
    person,
    prepared,
    review,
)
from tests.exchange.trading import DATASET, Alliance, grant_of

FORTNIGHT = timedelta(days=14)


# --- declared ---------------------------------------------------------------------------------------


def test_everybody_hears_of_an_emergency(alliance: Alliance) -> None:
    """The signed statement travels in a numbered event, and the log holds both."""
    found = declare(alliance)
    (event,) = events(alliance)
    (entry,) = alliance.entries(EntryKind.EMERGENCY_DECLARE)
    signed = read_statement(found.envelope, Emergency, alliance.parts.statement_key.public)
    with alliance.parts.database.read() as session:
        place = logged_place(session, signed.digest)

    assert (event.event_class, event.severity) == ("emergency.declared", Severity.HIGH)
    assert Emergency.parse(str(event.facts["statement"]).encode()) == signed.statement == found.statement
    assert entry.fields == {
        "eme": found.statement.emergency,
        "dig": signed.digest,
        "until": epoch_ms(alliance.clock.now() + DAY),
        "act": commit(WANG.salt, b"wang"),
        "role": "administrator",
    }
    assert place is not None
    assert alliance.parts.mailbox.heads.events == event.number


def test_the_log_holds_no_name(alliance: Alliance) -> None:
    """Neither the person nor what the emergency is about stands in a leaf."""
    declare(alliance)
    leaves = b"".join(alliance.parts.log.entries(0, alliance.parts.log.size()))

    assert b"wang" not in leaves
    assert b"ammonia" not in leaves


def test_a_life_of_more_than_thirty_days_is_refused(alliance: Alliance) -> None:
    """The time box holds against the administrator too."""
    with pytest.raises(ValueError, match="30 days"):
        declare(alliance, life=timedelta(days=30, milliseconds=1))

    assert declare(alliance, life=timedelta(days=30)).phase(alliance.clock.now()) is Phase.IN_FORCE


def test_there_are_not_many_at_once(alliance: Alliance) -> None:
    """Twenty emergencies in force are more than enough; one that is over makes room."""
    made = [declare(alliance) for _ in range(MAX_IN_FORCE)]
    with pytest.raises(TooManyEmergencies):
        declare(alliance)
    end(alliance, made[0].statement.emergency)

    assert declare(alliance).phase(alliance.clock.now()) is Phase.IN_FORCE


# --- over -------------------------------------------------------------------------------------------


def test_it_ends_by_itself(alliance: Alliance) -> None:
    """At its time it is over; the task that notes it down writes entry and event once."""
    found = declare(alliance)
    early = keep_time(alliance)
    later(alliance, DAY)
    in_force = flow.in_force(alliance.parts).emergencies
    noted = [keep_time(alliance), keep_time(alliance)]
    (entry,) = alliance.entries(EntryKind.EMERGENCY_END)

    assert (early, in_force, noted) == (0, [], [1, 0])
    assert entry.fields == {"eme": found.statement.emergency, "why": "time-over", "n": 0}
    assert [event.event_class for event in events(alliance)] == ["emergency.declared", "emergency.ended"]


def test_what_is_over_is_not_ended_again(alliance: Alliance) -> None:
    """Neither after an early end nor after its time."""
    first, second = declare(alliance).statement.emergency, declare(alliance).statement.emergency
    end(alliance, first)
    with pytest.raises(EmergencyOver):
        end(alliance, first)
    later(alliance, DAY)
    with pytest.raises(EmergencyOver):
        end(alliance, second)


def test_an_unknown_emergency_is_not_found(alliance: Alliance) -> None:
    """Ending, reviewing and showing it are refused alike."""
    with pytest.raises(EmergencyUnknown):
        end(alliance, "m-aaaaaaaaaaaa")
    with pytest.raises(EmergencyUnknown):
        review(alliance, "m-aaaaaaaaaaaa")
    with pytest.raises(EmergencyUnknown):
        flow.shown(alliance.parts, "m-aaaaaaaaaaaa")


def test_nodes_read_what_is_in_force_under_the_present_key(alliance: Alliance) -> None:
    """The list holds the signed statements of those in force and of no other."""
    kept, ended = declare(alliance), declare(alliance)
    end(alliance, ended.statement.emergency)
    (envelope,) = flow.in_force(alliance.parts).emergencies

    assert (
        read_statement(envelope, Emergency, alliance.parts.statement_key.public).statement == kept.statement
    )


# --- reviewed ---------------------------------------------------------------------------------------


def test_an_auditor_judges_it_with_the_list_of_what_was_granted(alliance: Alliance) -> None:
    """The review counts the grants; its words stand behind the log, under a commitment."""
    provider, consumer, subscription = prepared(alliance)
    name = declare(alliance).statement.emergency
    grant = grant_of(alliance.request(consumer, subscription.subscription))
    end(alliance, name)
    reviewed = review(alliance, name, finding="unjustified", words="nobody was in danger")
    shown = flow.shown(alliance.parts, name)
    (entry,) = alliance.entries(EntryKind.EMERGENCY_REVIEW)
    with alliance.parts.database.read() as session:
        opened = reveal(session, str(entry.fields["dig"]))

    assert reviewed.phase(alliance.clock.now()) is Phase.REVIEWED
    assert [(use.grant, use.provider, use.consumer, use.dataset) for use in shown.uses] == [
        (grant.grant, provider.id, consumer.id, DATASET)
    ]
    assert (entry.fields["why"], entry.fields["n"]) == ("unjustified", 1)
    assert entry.fields["role"] == "auditor"
    assert opened is not None
    assert b"nobody was in danger" in opened[1]
    assert (events(alliance)[-1].event_class, events(alliance)[-1].severity) == (
        "emergency.reviewed",
        Severity.HIGH,
    )


def test_it_is_judged_once_afterwards_and_by_somebody_else(alliance: Alliance) -> None:
    """Not while it is in force, not by its declarer, not twice."""
    both = person("wang", *WANG.roles, *LIU.roles)
    name = declare(alliance).statement.emergency
    with pytest.raises(EmergencyInForce):
        review(alliance, name)
    later(alliance, DAY)
    with pytest.raises(OwnReview):
        review(alliance, name, both)
    review(alliance, name)
    with pytest.raises(EmergencyReviewed):
        review(alliance, name)

    # The review came before the task that notes the end down, and noted it.
    assert len(alliance.entries(EntryKind.EMERGENCY_END)) == 1
    assert keep_time(alliance) == 0


def test_without_a_review_nobody_declares_again(alliance: Alliance) -> None:
    """Fourteen days after the end its declarer is refused, and nobody else; a review heals it."""
    name = declare(alliance).statement.emergency
    later(alliance, DAY + FORTNIGHT - timedelta(milliseconds=1))
    assert declare(alliance, life=timedelta(hours=1)).declared_by == "wang"
    later(alliance, timedelta(milliseconds=1))
    with pytest.raises(ReviewIsOverdue):
        declare(alliance)
    assert declare(alliance, ZHAO).declared_by == "zhao"
    review(alliance, name)

    assert declare(alliance).declared_by == "wang"


def test_an_overdue_review_is_an_alarm_once(alliance: Alliance) -> None:
    """The alliance hears that nobody judged it."""
    declare(alliance)
    later(alliance, DAY)
    keep_time(alliance)
    later(alliance, FORTNIGHT)
    told = [keep_time(alliance), keep_time(alliance)]

    assert told == [1, 0]
    assert events(alliance)[-1].event_class == "emergency.review-overdue"
