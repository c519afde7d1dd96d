"""A change of policy with a real OPA server that fetches its bundle from the exchange, signed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvicorn

from audit.log.entry import EntryKind
from contracts.errors import Refused
from contracts.messages import TransferRequest
from exchange.app import create_app
from exchange.parts import build_parts
from exchange.policies import flow
from exchange.transfers import flow as transfers
from exchange.wiring import HOOKS
from policies.bundle import Bundle, shipped_bundle
from policies.engine import PullingEngine
from tests.exchange.policies.office import Office, alike, closed, files_of
from tests.exchange.trading import Alliance, Trade
from tests.opa_server import Opa, free_ports, opa_server, write_unsigned
from tests.policies.questions import APPLY

pytestmark = pytest.mark.real


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the exchange and its OPA server listen."""

    exchange: int
    opa: int


@pytest.fixture
def ports() -> Ports:
    """Find two free ports."""
    return Ports(*free_ports(2))


@pytest.fixture
def office(trade: Trade, ports: Ports) -> Office:
    """Give the people of an exchange that now asks an OPA server."""
    alliance = trade.alliance
    alliance.close()
    asks = {"policy_url": f"http://127.0.0.1:{ports.opa}", "policy_deadline_ms": 30_000}
    settings = alliance.parts.settings.model_copy(update=asks)
    again = build_parts(settings, HOOKS, alliance.clock)
    again.log.start()
    again.log.unseal()
    alliance.parts = replace(again, mailbox=alliance.parts.mailbox)
    return Office(alliance)


@asynccontextmanager
async def _serving(alliance: Alliance, ports: Ports) -> AsyncIterator[None]:
    """Serve the exchange over a real socket, as OPA needs it."""
    config = uvicorn.Config(
        create_app(alliance.parts), port=ports.exchange, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # the server sets no event
        await asyncio.sleep(0)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@contextmanager
def _opa(office: Office, ports: Ports, folder: Path) -> Iterator[Opa]:
    """Run an OPA that fetches the exchange's bundle and takes none without the exchange's signature."""
    key = folder / "policy.pem"
    key.write_text(office.alliance.parts.bundle_signer.public)
    flags = (
        *("--set", f"services.exchange.url=http://127.0.0.1:{ports.exchange}"),
        *("--set", "bundles.headwaters.service=exchange"),
        *("--set", "bundles.headwaters.resource=policy/bundle.tar.gz"),
        *("--set", "bundles.headwaters.polling.min_delay_seconds=1"),
        *("--set", "bundles.headwaters.polling.max_delay_seconds=1"),
        *("--set", "bundles.headwaters.signing.keyid=headwaters"),
        *("--set-file", f"keys.headwaters.key={key}", "--set", "keys.headwaters.algorithm=ES256"),
    )
    with opa_server(options=flags, ready=False, port=ports.opa) as running:
        yield running


async def _until_taken(alliance: Alliance, bundle: Bundle) -> None:
    """Let the server fetch until it names ``bundle``."""
    engine = alliance.parts.policy._now.engine
    assert isinstance(engine, PullingEngine)
    while await engine.serving() != bundle.digest:  # noqa: ASYNC110  # another process polls
        await asyncio.sleep(0.05)


def test_a_change_reaches_the_server_and_drops_nothing(
    trade: Trade, office: Office, ports: Ports, tmp_path: Path
) -> None:
    """Every question before, while and after the server follows is answered, by the policy in force."""
    alliance = office.alliance
    seen: list[tuple[str, str]] = []

    async def ask(times: int) -> None:
        for _ in range(times):
            decision = await alliance.parts.policy.decide(APPLY)
            seen.append((decision.outcome, decision.policy_digest))

    async def work() -> tuple[bool, bool]:
        async with _serving(alliance, ports):
            await _until_taken(alliance, shipped_bundle())
            await ask(5)
            envelope = office.proposal(closed().digest)
            person = office.person("administrator")
            await flow.propose(alliance.parts, person, envelope, files_of(closed()))
            approval = office.approval(closed().digest)
            await flow.approve(alliance.parts, office.person("operator"), closed().digest, approval)
            late = alliance.parts.policy.is_bridged
            await ask(5)
            await _until_taken(alliance, closed())
            await alliance.parts.policy.look_for_server()
            await ask(5)
            return late, alliance.parts.policy.is_bridged

    with _opa(office, ports, tmp_path):
        late, still_late = asyncio.run(work())

    assert seen[:5] == [("permit", shipped_bundle().digest)] * 5
    assert seen[5:] == [("deny", closed().digest)] * 10
    assert (late, still_late) == (True, False)


def test_a_grant_names_the_policy_that_the_server_decided_by(
    trade: Trade, office: Office, ports: Ports, tmp_path: Path
) -> None:
    """A transfer that a real OPA permits is granted under the digest that the log has in force."""
    alliance = office.alliance

    async def work() -> None:
        async with _serving(alliance, ports):
            await _until_taken(alliance, shipped_bundle())
            request = TransferRequest(subscription=trade.subscription, release=1)
            await transfers.request_transfer(alliance.parts, trade.consumer.caller, request)

    with _opa(office, ports, tmp_path):
        asyncio.run(work())

    (grant,) = alliance.entries(EntryKind.GRANT)
    assert grant.fields["pol"] == shipped_bundle().digest


def test_a_server_with_other_rules_grants_nothing(
    trade: Trade, office: Office, ports: Ports, tmp_path: Path
) -> None:
    """An OPA whose file says otherwise than the log is refused, whatever it answers."""
    other = write_unsigned(alike("not approved"), tmp_path / "bundle.tar.gz")
    with opa_server(other, port=ports.opa), pytest.raises(Refused):
        office.alliance.request(trade.consumer, trade.subscription)

    assert office.alliance.entries(EntryKind.GRANT) == []
    assert office.alliance.entries(EntryKind.DENY)[-1].fields["why"] == ["pdp.wrong-bundle"]
