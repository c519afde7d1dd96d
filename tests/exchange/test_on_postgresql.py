"""The same exchange on PostgreSQL: founded, joined, cosigned, stopped, and opened again by its witnesses."""

from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from exchange.app import running
from exchange.home import init
from exchange.log.cosigning import Cosigning
from exchange.log.startup import Opening
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from tests.exchange.provinces import BASE, ORIGIN, Exchange, Serving, Unasked

pytestmark = [pytest.mark.anyio, pytest.mark.real]


async def test_an_exchange_lives_on_postgresql(
    tmp_path: Path, clock: FrozenClock, policy: Unasked, postgresql_url: str
) -> None:
    """What holds on SQLite holds here: membership, a quorum, suspension with its event, a sealed restart."""
    home = tmp_path / "exchange"
    init(
        home,
        origin=ORIGIN,
        public_url=BASE,
        quorum=2,
        witnesses=3,
        database_url=postgresql_url,
        clock=clock,
    )
    settings = load_settings(home, commit_window_seconds=0.0)
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        before = Exchange(parts, clock)
        witnesses = [await before.admit() for _ in range(2)]
        bank = await before.admit(witness=False)
        suspended = await before.act(bank, "suspend", {"reason": "test"})
        cosigning = Cosigning(parts)
        async with Serving(*witnesses):
            await cosigning.round()
            await cosigning.settle()
        size = parts.log.size()

    again = build_parts(settings, HOOKS, clock, policy)
    async with running(again, {}):
        after = Exchange(again, clock)
        for witness in witnesses:
            witness.exchange = after
        opening = Opening(again)
        async with Serving(*witnesses):
            sealed = again.log.sealed
            await opening.round()
        status = (await after.person("operator").get("/operator/status")).json()

    assert suspended.json()["status"] == "suspended"
    assert (sealed, again.log.sealed) == (True, False)
    assert (status["log"]["witnessed_size"], status["log"]["cosignatures"]) == (size, 2)
    assert (status["members"], status["events"]) == (2, 1)
