"""An exchange whose policies are decided by a real OPA server, which fetches them or has them from a file."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit.log.entry import EntryKind
from contracts.clock import FrozenClock
from contracts.errors import Refused
from exchange.cli import doctor
from exchange.policies import flow, ledger
from policies.bundle import shipped_bundle
from tests.exchange.trading import START, Alliance, Trade, trade_in
from tests.opa_server import Opa, serving

pytestmark = pytest.mark.real


@contextmanager
def trading(home: Path, url: str) -> Iterator[Trade]:
    """Open an exchange that asks the server at ``url``, with a provider and a consumer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATERS_POLICY_URL", url)
        patch.setenv("HEADWATERS_POLICY_DEADLINE_MS", "30000")
        alliance = Alliance(home, FrozenClock(START))
    try:
        yield trade_in(alliance)
    finally:
        alliance.close()


@pytest.fixture
def home(exchange_home: Path, tmp_path: Path) -> Path:
    """A copy of a founded exchange."""
    return Path(shutil.copytree(exchange_home, tmp_path / "home"))


@pytest.fixture
def running() -> Iterator[Opa]:
    """An OPA of one's own, which the test may kill."""
    with serving(shipped_bundle()) as opa:
        yield opa


def test_a_transfer_is_granted(home: Path, running: Opa) -> None:
    """Application and transfer are decided by the server, under the digest of the bundle in force."""
    with trading(home, running.url) as trade:
        trade.alliance.request(trade.consumer, trade.subscription)
        with trade.alliance.parts.database.read() as session:
            kept = ledger.decisions(session)

        assert len(trade.alliance.entries(EntryKind.GRANT)) == 1

    assert {decision.action for decision in kept} == {"apply", "transfer"}
    assert {(decision.engine, decision.policy) for decision in kept} == {
        ("opa/1.20.2", shipped_bundle().digest)
    }


def test_a_server_that_was_killed_refuses_and_the_log_says_so(home: Path, running: Opa) -> None:
    """Silence is refusal: no grant, and a ``deny`` entry is in the log before the answer goes out."""
    with trading(home, running.url) as trade:
        running.kill()
        with pytest.raises(Refused):
            trade.alliance.request(trade.consumer, trade.subscription)

        assert trade.alliance.entries(EntryKind.GRANT) == []
        [denied] = trade.alliance.entries(EntryKind.DENY)

    assert denied.fields["why"] == ["pdp.unavailable"]


def test_the_exchange_says_how_its_server_stands(home: Path, running: Opa) -> None:
    """People see which bundle the server has, and that it is silent; the doctor calls that wrong."""
    with trading(home, running.url) as trade:
        alliance = trade.alliance
        before = alliance.run(alliance.parts.policy.server())
        running.kill()
        after = alliance.run(alliance.parts.policy.server())
        standing = flow.standing(alliance.parts)

    assert before == {"policy": shipped_bundle().digest}
    assert after == {"policy": None}
    assert doctor._policy({**standing, "server": None}).ok
    assert doctor._policy({**standing, "server": before}).ok
    assert not doctor._policy({**standing, "server": after}).ok
