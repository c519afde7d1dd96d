"""Conditions of a record: who, from where and when, held against the same rules written in Python."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import BEIJING, epoch_ms, from_epoch_ms
from contracts.messages import Condition, Hours, Level
from policies.decision import Question
from policies.embedded import EmbeddedEngine, open_embedded
from tests.policies.questions import AGREEMENT, APPLY, DATASET, NOW_MS, PARTICIPANT, TRANSFER

NETWORKS = ["10.51.0.0/16", "10.51.3.4/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.168.1.128/25"]
conditions = st.builds(
    Condition,
    purposes=st.lists(st.sampled_from(["joint-warning", "green-credit"]), max_size=1),
    territories=st.lists(st.sampled_from(["50", "51", "5101", "510107"]), max_size=2),
    levels=st.lists(st.sampled_from(Level), max_size=3),
    sectors=st.lists(st.sampled_from(["government", "finance"]), max_size=2),
    networks=st.lists(st.sampled_from(NETWORKS), max_size=2),
    weekdays=st.lists(st.integers(1, 7), max_size=4),
    hours=st.none() | st.builds(Hours, begin=st.integers(0, 23), end=st.integers(1, 24)),
)
ADDRESSES = [None, "10.51.3.4", "10.52.0.1", "192.168.1.127", "192.168.1.128", "2001:db8::7", "fe80::1"]


@cache
def engine() -> EmbeddedEngine:
    """Open the shipped policy once."""
    return open_embedded("")


@given(
    listed=st.lists(conditions, min_size=1, max_size=2),
    question=st.sampled_from([APPLY, TRANSFER]),
    territory=st.sampled_from([None, "51", "5101", "510107", "50"]),
    level=st.sampled_from(Level),
    address=st.sampled_from(ADDRESSES),
    hours_later=st.integers(0, 24 * 7),
)
def test_a_use_is_denied_exactly_where_a_condition_is_not_met(
    listed: list[Condition],
    question: Question,
    territory: str | None,
    level: Level,
    address: str | None,
    hours_later: int,
) -> None:
    """Each limit that is not met gives its code, every one of them, and nothing else does."""
    now_ms = NOW_MS + hours_later * 3_600_000
    asked = replace(
        question,
        now_ms=now_ms,
        participant=replace(PARTICIPANT, level=level.value, territory=territory),
        dataset=replace(DATASET, conditions=tuple(listed)),
        address=address,
    )
    if asked.agreement is not None:
        asked = replace(asked, agreement=replace(AGREEMENT, expires_ms=now_ms + 1))
    if asked.application is not None:
        asked = replace(asked, application=replace(asked.application, until_ms=now_ms + 1))

    decision = engine().decide_now(asked)

    expected = sorted(set(unmet(asked, listed)))
    assert decision.codes == expected or (not expected and decision.allowed)


def unmet(question: Question, listed: Iterable[Condition]) -> Iterable[str]:
    """Name the limits that a question does not meet."""
    at = from_epoch_ms(question.now_ms).astimezone(BEIJING)
    who = question.participant
    for condition in listed:
        if condition.purposes and question.purpose not in condition.purposes:
            continue
        if condition.territories and not any(
            (who.territory or "").startswith(stem) for stem in condition.territories
        ):
            yield "territory-not-allowed"
        if condition.levels and who.level not in condition.levels:
            yield "level-not-allowed"
        if condition.sectors and who.sector not in condition.sectors:
            yield "sector-not-allowed"
        if question.action == "apply":
            continue
        if condition.networks and not any(lies_in(question.address, block) for block in condition.networks):
            yield "network-not-allowed"
        if condition.weekdays and at.isoweekday() not in condition.weekdays:
            yield "weekday-not-allowed"
        if condition.hours and at.hour not in hours_of(condition.hours):
            yield "hour-not-allowed"


def lies_in(address: str | None, block: str) -> bool:
    """Say whether an address lies in a block of its own version."""
    return address is not None and ip_address(address) in ip_network(block)


def hours_of(hours: Hours) -> set[int]:
    """List the hours: up to the end, past midnight where the end lies before the begin, else none."""
    if hours.begin < hours.end:
        return set(range(hours.begin, hours.end))
    return set() if hours.begin == hours.end else set(range(hours.begin, 24)) | set(range(hours.end))


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (datetime(2026, 11, 22, 15, 59, tzinfo=UTC), True),  # Sunday 23:59 in Beijing
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), False),  # Monday 00:00
    ],
)
def test_weekdays_turn_at_midnight_in_beijing(at: datetime, allowed: bool) -> None:
    """Weekday and hour are those of UTC+8, which the alliance lives by."""
    now_ms = epoch_ms(at)
    sundays = replace(DATASET, conditions=(Condition(weekdays=[7]),))
    agreement = replace(AGREEMENT, not_before_ms=now_ms, expires_ms=now_ms + 1)

    decision = engine().decide_now(replace(TRANSFER, now_ms=now_ms, dataset=sundays, agreement=agreement))

    assert decision.allowed is allowed


@pytest.mark.parametrize("block", ["10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "not-a-block"])
def test_a_block_that_is_none_gives_no_permit(block: str) -> None:
    """A record whose network cannot be read refuses, whatever the engine makes of it."""
    dataset = replace(DATASET, conditions=(Condition(networks=[block]),))

    decision = engine().decide_now(replace(TRANSFER, dataset=dataset, address="10.0.0.1"))

    assert not decision.allowed
    assert decision.outcome == "indeterminate"
