"""What the exchange's tests share: a founded home, and a running exchange over ASGI on a frozen clock."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.clock import FrozenClock
from exchange.app import running
from exchange.home import init
from exchange.log.startup import Opening
from exchange.parts import build_parts
from exchange.settings import load_settings
from exchange.wiring import HOOKS
from policies.bundle import shipped_bundle
from tests.exchange.provinces import BASE, ORIGIN, Exchange, Unasked
from tests.postgresql import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]

BEGAN = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as the exchange does."""
    return "asyncio"


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that stands still."""
    return FrozenClock(BEGAN)


@pytest.fixture(scope="session")
def founded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Found one exchange with a quorum of two among at most three witnesses; it is never opened again."""
    path = tmp_path_factory.mktemp("founded") / "exchange"
    init(path, origin=ORIGIN, public_url=BASE, quorum=2, witnesses=3, clock=FrozenClock(BEGAN))
    return path


@pytest.fixture
def home(founded_home: Path, tmp_path: Path) -> Path:
    """Give a home of that exchange to one test."""
    return Path(shutil.copytree(founded_home, tmp_path / "exchange"))


@pytest.fixture(scope="session")
def policy() -> Unasked:
    """Stand in for the policy engine, which takes long to start, where no decision is made."""
    return Unasked(shipped_bundle().digest)


@pytest.fixture
async def exchange(home: Path, clock: FrozenClock, policy: Unasked) -> AsyncIterator[Exchange]:
    """Run that exchange without background tasks; tests take each step themselves."""
    settings = load_settings(home, commit_window_seconds=0.0, witness_timeout_seconds=2.0)
    parts = build_parts(settings, HOOKS, clock, policy)
    async with running(parts, {}):
        await Opening(parts).round()
        yield Exchange(parts, clock)
