import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
import pytest

from contracts.messages import Challenge, MailboxAnswer
from nodes.broker import ExchangeSilent
from nodes.mailbox import BACKOFF_SECONDS, MailboxLoop, backoff_seconds
from nodes.node import Node
from nodes.trusting.directory import DirectoryExpired
from tests.nodes.faces import small_app
from tests.nodes.simulated_exchange import ORIGIN, SimulatedExchange


def _with_loop(
    node: Node, exchange: SimulatedExchange, use: Callable[[MailboxLoop], Awaitable[None]]
) -> None:
    async def run() -> None:
        loop = MailboxLoop(node, small_app(node), transport=exchange.transport)
        try:
            await use(loop)
        finally:
            await loop.close()

    asyncio.run(run())


async def _once(loop: MailboxLoop) -> None:
    await loop.poll_once(0)
    await loop.settle()


def _problem(answer: MailboxAnswer) -> str:
    return str(orjson.loads(base64.b64decode(answer.body))["code"])


def test_requests_run_against_the_app_and_are_answered(node: Node, exchange: SimulatedExchange) -> None:
    """What the exchange put into the mailbox reaches the routes, and each answer goes back under its id."""
    challenge = Challenge(origin=ORIGIN, nonce="n" * 16).canonical()
    asked = exchange.put("POST", node.mailbox_base + "/witness/challenge", challenge)
    offered = exchange.put("POST", node.mailbox_base + "/offers", b"offer")

    _with_loop(node, exchange, _once)
    assert exchange.answers[asked].status == 200
    assert base64.b64decode(exchange.answers[offered].body) == b'{"bytes":5}'


@pytest.mark.parametrize(
    "path",
    [
        "/local/anybody",
        "/",
        "/health/live",
        "/offers/x",
        "/deliveriesx",
        "/witness/../local/anybody",
        "/witness/%2e%2e/local/anybody",
    ],
)
def test_other_paths_are_not_carried(node: Node, exchange: SimulatedExchange, path: str) -> None:
    """Only witnessing, offers and deliveries are reachable through the mailbox."""
    asked = exchange.put("GET", node.mailbox_base + path)

    _with_loop(node, exchange, _once)
    assert exchange.answers[asked].status in {403, 404}


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8000", "http://p-aaaaaaaaaaaa.node", "https://evil.example"]
)
def test_other_addresses_are_not_carried(node: Node, exchange: SimulatedExchange, base: str) -> None:
    """The mailbox serves this node's ``.node`` address and no other."""
    asked = exchange.put("POST", base + "/offers", b"offer")

    _with_loop(node, exchange, _once)
    assert _problem(exchange.answers[asked]) == "path-not-carried"


def test_an_answer_that_is_too_large_becomes_a_problem(node: Node, exchange: SimulatedExchange) -> None:
    """An answer that does not fit is refused in words instead of being cut."""
    asked = exchange.put("GET", node.mailbox_base + "/deliveries/large/data")

    _with_loop(node, exchange, _once)
    assert _problem(exchange.answers[asked]) == "answer-too-large"


def test_newer_heads_are_read(node: Node, exchange: SimulatedExchange) -> None:
    """A newer directory and new events are fetched and verified as soon as the heads show them."""
    exchange.issue_directory()
    exchange.add_event()

    _with_loop(node, exchange, _once)
    assert node.trust.directory_number() == exchange.number
    assert node.events.newest() == 1


def test_a_directory_that_does_not_hold_stops_nothing_else(node: Node, exchange: SimulatedExchange) -> None:
    """Requests are answered even while the newest directory is refused."""
    exchange.issue_directory(expires_at=exchange.clock.now())
    offered = exchange.put("POST", node.mailbox_base + "/offers", b"offer")

    async def use(loop: MailboxLoop) -> None:
        with pytest.raises(DirectoryExpired):
            await loop.poll_once(0)
        await loop.settle()

    _with_loop(node, exchange, use)
    assert exchange.answers[offered].status == 200


def test_a_lost_connection_is_taken_up_again(
    node: Node, exchange: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop outlives an exchange that is down, and connects when it is back."""
    exchange.down = True
    pauses: list[float] = []

    async def use(loop: MailboxLoop) -> None:
        with pytest.raises(ExchangeSilent):
            await loop.poll_once(0)
        original = asyncio.sleep

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            exchange.down = len(pauses) < 3
            await original(0)

        monkeypatch.setattr("nodes.mailbox.asyncio.sleep", pause)
        running = asyncio.create_task(loop.run())
        while not loop.connected:
            await original(0.001)
        monkeypatch.undo()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    _with_loop(node, exchange, use)
    assert len(pauses) == 3
    assert ("POST", "/mailbox/poll") in exchange.calls


def test_pauses_grow_and_stay_bounded() -> None:
    """The pause doubles up to five seconds, and two nodes do not return in step."""
    least, most = BACKOFF_SECONDS

    assert least / 2 <= backoff_seconds(1) <= least
    assert most / 2 <= backoff_seconds(1000) <= most
    assert len({backoff_seconds(5) for _ in range(50)}) > 1
