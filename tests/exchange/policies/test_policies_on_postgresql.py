"""Policies on PostgreSQL: founded, changed by two people, kept, found again after a restart."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from contracts.errors import Refused
from exchange.home import init
from exchange.parts import build_parts
from exchange.policies import ledger
from exchange.wiring import HOOKS
from policies.bundle import shipped_bundle
from tests.exchange.policies.office import Office, closed
from tests.exchange.trading import START, Alliance, trade_in
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

pytestmark = pytest.mark.real


@pytest.fixture
def alliance(tmp_path: Path, postgresql_url: str) -> Iterator[Alliance]:  # a fixture
    """Found an exchange on PostgreSQL and give its alliance."""
    home = tmp_path / "home"
    init(
        home,
        origin="alliance.example/audit/2026h1",
        public_url="http://127.0.0.1:8420",
        database_url=postgresql_url,
        clock=FrozenClock(START - timedelta(hours=1)),
    )
    opened = Alliance(home, FrozenClock(START))
    yield opened
    opened.close()


def test_policies_live_on_postgresql(alliance: Alliance) -> None:
    """What holds on SQLite holds here: ledger, replay, change, shadow, supersession, restart."""
    office, trade = Office(alliance), trade_in(alliance)
    alliance.request(trade.consumer, trade.subscription)
    office.propose(closed("other"))
    office.shadow(closed("other").digest)
    standing = office.change(closed())
    with pytest.raises(Refused):
        alliance.request(trade.consumer, trade.subscription, 2)
    with alliance.parts.database.read() as session:
        outcomes = [kept.outcome for kept in ledger.decisions(session)]
    alliance.close()
    again = build_parts(alliance.parts.settings, HOOKS, FrozenClock(START))

    assert standing["changes"][0]["replayed"]["refused"] == 2
    assert {one["state"] for one in standing["changes"]} == {"active", "superseded"}
    assert sorted(outcomes) == ["deny", "permit", "permit"]
    assert (again.policy.digest, standing["rollback"]) == (closed().digest, [shipped_bundle().digest])
    assert again.policy.shadowed is not None
    again.close()
