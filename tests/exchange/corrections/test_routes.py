"""Objections over HTTP: shapes, roles and limits, and the same rooms on PostgreSQL."""

from datetime import timedelta
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from contracts.messages import (
    MemberStatus,
    ObjectionFiling,
    ObjectionList,
    ObjectionState,
    ObjectionView,
    RecipientList,
    StepFiling,
    StepKind,
)
from exchange.home import init
from nodes.signed import sign_statement
from tests.exchange.corrections.disputing import (
    SEALED,
    correct,
    deliver,
    keep_time,
    later,
    objection,
    raised,
    shown_to,
    step_after,
    take,
    tell,
    verified,
)
from tests.exchange.emergencies.test_routes import told
from tests.exchange.trading import DATASET, START, Alliance, Trade, trade_in
from tests.exchange.transfers.test_routes import BASE, by, send


def test_an_objection_over_http(trade: Trade) -> None:
    """Raised, listed, shown, answered; corrected, and its recipients listed."""
    alliance, consumer, provider = trade.alliance, trade.consumer, trade.provider
    said = objection(trade, deliver(trade))
    filing = ObjectionFiling(envelope=sign_statement(said, consumer.key).text, sealed=SEALED)
    shown = ObjectionView.parse(by(alliance, consumer, "POST", "/objections", filing.canonical()))
    path = f"/objections/{said.objection}"
    for kind in (StepKind.ACKNOWLEDGE, StepKind.VERIFY):
        step = sign_statement(step_after(shown, kind, provider), provider.key).text
        body = StepFiling(envelope=step).canonical()
        shown = ObjectionView.parse(by(alliance, provider, "POST", f"{path}/steps", body))
    correct(trade, 1, said.objection)
    listed = ObjectionList.parse(by(alliance, provider, "GET", "/objections")).objections
    read = ObjectionView.parse(by(alliance, provider, "GET", path))
    whom = RecipientList.parse(by(alliance, provider, "GET", f"/datasets/{DATASET}/releases/3/recipients"))

    assert [(one.objection, one.state, one.steps) for one in listed] == [
        (said.objection, ObjectionState.CORRECTED, 2)
    ]
    assert read.recipients == whom.recipients
    assert [one.participant for one in whom.recipients] == [consumer.id]


def test_the_exchanges_people_see_the_clock_and_no_data(trade: Trade) -> None:
    """Who answers whom by when; neither dataset nor manifest nor anything sealed."""
    shown = raised(trade)
    status, answer = told(trade.alliance, "auditor", "GET", "/operator/objections")
    (line,) = answer["objections"]

    assert status == 200
    assert (line["objection"], line["state"], line["overdue"]) == (shown.objection, "open", False)
    assert (line["objector"], line["provider"]) == (trade.consumer.id, trade.provider.id)
    assert DATASET not in str(answer)
    assert SEALED not in str(answer)


def test_only_nodes_in_good_standing_object(trade: Trade) -> None:
    """Neither the unsigned nor the suspended read or write."""
    raised(trade)
    trade.alliance.set_status(trade.consumer, MemberStatus.SUSPENDED)
    refused = send(trade.alliance, "GET", "/objections", key=trade.consumer.key, keyid=trade.consumer.id)

    assert send(trade.alliance, "GET", "/objections").status_code == 401
    assert (refused.status_code, refused.json()["code"]) == (403, "member-not-active")


def test_what_is_too_large_or_misshapen_is_refused(trade: Trade) -> None:
    """Sealed bytes have their limit, in an objection and in a step; unknown fields are refused."""
    large = b'{"envelope":"e","sealed":"%s"}' % (b"x" * 400_000)
    step = b'{"envelope":"e","sealed":"%s"}' % (b"x" * 40_000)
    more = b'{"envelope":"e","sealed":"x","more":1}'
    asked = [("", large), ("/o-aaaaaaaaaaaa/steps", step), ("", more)]
    consumer = trade.consumer
    answers = [
        send(trade.alliance, "POST", f"/objections{path}", body, key=consumer.key, keyid=consumer.id)
        for path, body in asked
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(400, "bad-message")}


@pytest.mark.real
def test_objections_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    """Tables, migration and queries work on PostgreSQL as they do on SQLite."""
    home = tmp_path / "pg"
    init(
        home,
        origin="alliance.example/pg",
        public_url=BASE,
        database_url=postgresql_url,
        clock=FrozenClock(START),
    )
    alliance = Alliance(home, FrozenClock(START))
    try:
        trade = trade_in(alliance)
        shown = verified(trade)
        overdue = raised(trade, 2)
        take(alliance, overdue, StepKind.ACKNOWLEDGE, trade.provider)
        correct(trade, 1, shown.objection)
        informed = tell(alliance)
        deliver(trade, 3)
        seen = shown_to(alliance, trade.provider, shown.objection).recipients
        later(alliance, timedelta(days=20))
        noted = keep_time(alliance)
        states = [
            one["state"] for one in told(alliance, "auditor", "GET", "/operator/objections")[1]["objections"]
        ]
    finally:
        alliance.close()

    assert informed == 2
    assert seen is not None
    assert [(one.release, one.told_at is not None, one.received) for one in seen] == [(1, True, True)]
    assert noted == 2  # one overdue, one closed by time
    assert sorted(states) == ["acknowledged", "closed"]
