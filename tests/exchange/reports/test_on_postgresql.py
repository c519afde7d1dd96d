"""The auditor's questions and the erasure on PostgreSQL, which spells some of them differently."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from audit.proofs.report_verdict import verify_report
from contracts.clock import BEIJING, FrozenClock
from contracts.messages import Role
from exchange.home import init
from exchange.identity import Person
from exchange.reports.gathering import make_report
from exchange.reports.search import Search, search
from exchange.retention import flow
from tests.exchange.reports.witnessed import Witnessed
from tests.exchange.trading import DATASET, START, Alliance, trade_in

pytestmark = pytest.mark.real


def test_search_report_and_erasure_work_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    """What holds on SQLite holds here: entries are found, a report verifies, and old evidence goes."""
    home = tmp_path / "home"
    init(
        home,
        origin="alliance.example/audit/2026h1",
        public_url="http://127.0.0.1:8420",
        database_url=postgresql_url,
        clock=FrozenClock(START - timedelta(hours=1)),
    )
    alliance = Alliance(home, FrozenClock(START))
    world = Witnessed(trade_in(alliance))
    world.transfer()
    alliance.clock.advance(86_400)
    world.transfer(release=2)
    world.cosign()
    now = alliance.clock.now()
    consumer = world.trade.consumer.id
    found = [row["kind"] for row in search(home, Search(participant=consumer))]
    signed = make_report(home, DATASET, date(2026, 3, 2), now=now)
    facts = verify_report(signed, world.trust(), now=now).facts
    alliance.clock.advance(6 * 366 * 86_400)
    before = alliance.clock.now().astimezone(BEIJING).date() - timedelta(days=5 * 366)
    person = Person("zhang-wei", frozenset({Role.ADMINISTRATOR}), bytes(32))
    erased = alliance.run(flow.erase(alliance.parts, person, before))[1]
    alliance.close()

    assert found == ["grant", "grant", "agreement", "application.open"]
    assert [one.grant.consumer for one in facts.received] == [consumer]
    assert facts.chains[0].closed
    assert (erased.transfers, erased.agreements, erased.applications) == (2, 1, 1)
