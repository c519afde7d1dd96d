"""The mailbox: a poll ends when there is work or news, an answer finds its caller, and silence has an end."""

import asyncio
import base64
from dataclasses import replace

import httpx
import pytest

from audit.httpsig import sign_request, verify_request
from contracts.errors import HeadwatersError
from contracts.messages import Heads, MailboxAnswer, RelayRequest
from exchange.mailbox.flow import NotRelayed, check_relayed
from exchange.mailbox.mailbox import MAX_WAITING, MailboxFull, NodeSilent
from nodes.addresses import BadAddress
from tests.exchange.provinces import Exchange, Province, Serving, code, mailbox_answer, until_listening

pytestmark = pytest.mark.anyio

GRANT = "g-aaaaaaaaaaaa"


def relayed(
    provider: Province, consumer: Province, path: str = "/deliveries", method: str = "POST"
) -> RelayRequest:
    """Write a relay request whose inner request the consumer signed."""
    target = f"http://{provider.participant}.node{path}"
    headers = sign_request(
        method,
        target,
        b"inner",
        key=consumer.node_key,
        keyid=consumer.participant,
        clock=consumer.exchange.clock,
    )
    return RelayRequest.model_validate(
        {
            "method": method,
            "target_uri": target,
            "headers": list(headers.items()),
            "body": base64.b64encode(b"inner").decode(),
        }
    )


async def relay(consumer: Province, provider: Province, message: RelayRequest) -> httpx.Response:
    """Ask the exchange to relay."""
    return await consumer.http.post(f"/relay/{provider.participant}", content=message.canonical())


def gated(exchange: Exchange) -> Exchange:
    """Give the same exchange, with an open grant between any two."""
    hooks = replace(exchange.parts.hooks, relay_gate=lambda *_: GRANT)
    return Exchange(replace(exchange.parts, hooks=hooks), exchange.clock)


async def test_the_exchange_reaches_a_node_that_opens_no_port(exchange: Exchange) -> None:
    """An ordinary httpx request to the node's mailbox address comes back with the node's answer."""
    province = await exchange.admit()
    async with Serving(province), exchange.parts.mailbox.client(province.participant) as client:
        answer = await client.post("/offers", content=b"hello")

    assert (answer.status_code, answer.content) == (200, b"hello")


async def test_the_exchange_signs_what_it_asks(exchange: Exchange) -> None:
    """A node can verify that the exchange asked: its statement key signed address and body."""
    province = await exchange.admit()
    async with Serving(province), exchange.parts.mailbox.client(province.participant) as client:
        await client.post("/offers", content=b"hello")
    (request,) = province.asked
    signed = verify_request(
        request.method,
        request.target_uri,
        request.headers,
        base64.b64decode(request.body),
        resolve=lambda _keyid: exchange.parts.statement_key.public,
        clock=exchange.clock,
    )

    assert signed.keyid == "exchange"
    assert request.target_uri == f"http://{province.participant}.node/offers"


async def test_a_poll_returns_empty_when_its_time_is_over(exchange: Exchange) -> None:
    """Without work and news a poll with no waiting time comes back at once and empty."""
    province = await exchange.admit()
    answer = await province.poll(wait_seconds=0)

    assert answer.requests == []
    assert answer.heads == exchange.parts.mailbox.heads


async def test_newer_heads_end_every_poll(exchange: Exchange) -> None:
    """A new directory wakes a waiting poll, and an older number never replaces a newer one."""
    province = await exchange.admit()
    known = exchange.parts.mailbox.heads
    waiting = asyncio.create_task(province.poll(wait_seconds=30, heads=known))
    await until_listening(province)
    exchange.parts.mailbox.announce(directory=known.directory + 1)
    answer = await waiting
    exchange.parts.mailbox.announce(directory=1)

    assert answer.heads == Heads(events=known.events, directory=known.directory + 1)
    assert exchange.parts.mailbox.heads == answer.heads


async def test_a_newer_poll_sends_the_older_one_home(exchange: Exchange) -> None:
    """A node that restarted gets the work, not its dead predecessor."""
    province = await exchange.admit()
    mailbox, name = exchange.parts.mailbox, province.participant
    heads = mailbox.heads
    old = asyncio.create_task(mailbox.poll(name, heads, 30))
    await asyncio.sleep(0)
    new = asyncio.create_task(mailbox.poll(name, heads, 30))
    await asyncio.sleep(0)
    call = asyncio.create_task(
        mailbox.call(
            name, method="GET", target_uri=f"http://{name}.node/x", headers=[], body="", timeout_seconds=5
        )
    )
    (request,) = (await new).requests
    mailbox.answer(name, request.id, mailbox_answer(204, b""))

    assert (await old).requests == []
    assert (await call).status == 204


async def test_silence_has_an_end(exchange: Exchange) -> None:
    """A request that nobody fetches is dropped in time, with NodeSilent for its caller."""
    province = await exchange.admit()
    async with exchange.parts.mailbox.client(province.participant, timeout_seconds=0.01) as client:
        with pytest.raises(NodeSilent):
            await client.get("/offers")

    assert (await province.poll()).requests == []


async def test_a_late_answer_is_not_found(exchange: Exchange) -> None:
    """An answer that nobody waits for is refused, and so is another node's."""
    one, other = await exchange.admit(), await exchange.admit()
    mailbox = exchange.parts.mailbox
    call = asyncio.create_task(
        mailbox.call(
            one.participant,
            method="GET",
            target_uri=f"http://{one.participant}.node/x",
            headers=[],
            body="",
            timeout_seconds=5,
        )
    )
    await asyncio.sleep(0)
    (request,) = (await one.poll()).requests
    stolen = await other.reply(request, mailbox_answer(200, b"stolen"))
    first = await one.reply(request, mailbox_answer(200, b"mine"))
    again = await one.reply(request, mailbox_answer(200, b"again"))

    assert code(stolen) == (404, "unknown-message")
    assert first.status_code == 204
    assert base64.b64decode((await call).body) == b"mine"
    assert code(again) == (404, "unknown-message")


async def test_a_mailbox_has_a_limit(exchange: Exchange) -> None:
    """Beyond the limit a caller is refused at once instead of piling up."""
    mailbox, name = exchange.parts.mailbox, "p-aaaaaaaaaaaa"

    def call() -> asyncio.Task[MailboxAnswer]:
        return asyncio.create_task(
            mailbox.call(
                name, method="GET", target_uri=f"http://{name}.node/x", headers=[], body="", timeout_seconds=5
            )
        )

    waiting = [call() for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(MailboxFull):
        await call()
    mailbox.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(error) for error in ended} == {NodeSilent}


async def test_a_stop_sends_polls_home(exchange: Exchange) -> None:
    """Closing the mailbox ends a 30-second poll at once, and later polls too."""
    province = await exchange.admit()
    waiting = asyncio.create_task(province.poll(wait_seconds=30))
    await until_listening(province)
    exchange.parts.mailbox.close()

    assert (await waiting).requests == []
    assert (await province.poll(wait_seconds=30)).requests == []


async def test_a_large_batch_comes_in_portions(exchange: Exchange) -> None:
    """One poll answer stays below its limit; the rest waits for the next poll."""
    mailbox, name = exchange.parts.mailbox, "p-aaaaaaaaaaaa"
    calls = [
        asyncio.create_task(
            mailbox.call(
                name,
                method="POST",
                target_uri=f"http://{name}.node/x",
                headers=[],
                body="A" * (4 * 1024 * 1024),
                timeout_seconds=5,
            )
        )
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    counts = [len((await mailbox.poll(name, mailbox.heads, 0)).requests) for _ in range(2)]
    mailbox.close()
    await asyncio.gather(*calls, return_exceptions=True)

    assert counts == [1, 1]


async def test_the_transport_carries_mailbox_addresses_only(exchange: Exchange) -> None:
    """A request for any other host is refused by the transport."""
    async with exchange.parts.mailbox.client("p-aaaaaaaaaaaa") as client:
        with pytest.raises(BadAddress):
            await client.get("http://example.org/")


async def test_an_answer_that_is_not_base64_is_unreadable(exchange: Exchange) -> None:
    """A node that answers garbage is an unavailable part, not a crash."""
    province = await exchange.admit()
    province.odd = lambda _: MailboxAnswer(status=200, headers=[], body="§")
    async with Serving(province), exchange.parts.mailbox.client(province.participant) as client:
        with pytest.raises(HeadwatersError) as refused:
            await client.get("/offers")

    assert refused.value.code == "answer-unreadable"


async def test_a_suspended_node_gets_no_requests(exchange: Exchange) -> None:
    """A node out of good standing hears of newer heads and of nothing else."""
    province = await exchange.admit()
    await exchange.act(province, "suspend", {"reason": "test"})
    async with exchange.parts.mailbox.client(province.participant, timeout_seconds=0.05) as client:
        call = asyncio.create_task(client.get("/offers"))
        await asyncio.sleep(0)
        answer = await province.poll(wait_seconds=30)
        with pytest.raises(NodeSilent):
            await call

    assert answer.requests == []
    assert answer.heads == exchange.parts.mailbox.heads


async def test_a_relay_passes_the_inner_request_untouched(exchange: Exchange) -> None:
    """The provider sees the consumer's own signature, and the consumer the provider's own answer."""
    exchange = gated(exchange)
    provider, consumer = await exchange.admit(), await exchange.admit()
    message = relayed(provider, consumer)
    async with Serving(provider):
        answer = await relay(consumer, provider, message)
    (request,) = provider.asked

    assert (message.target_uri, message.headers, message.body) == (
        request.target_uri,
        request.headers,
        request.body,
    )
    assert base64.b64decode(MailboxAnswer.parse(answer.content).body) == b"inner"


async def test_nothing_is_relayed_without_a_grant(exchange: Exchange) -> None:
    """Without an open grant between the two, the provider is not even asked."""
    provider, consumer = await exchange.admit(), await exchange.admit()
    answer = await relay(consumer, provider, relayed(provider, consumer))

    assert code(answer) == (403, "not-relayed")


async def test_gossip_is_relayed_without_a_grant(exchange: Exchange) -> None:
    """Nodes may compare what they saw of the log whether or not they share data."""
    asker, peer = await exchange.admit(), await exchange.admit()
    message = relayed(peer, asker, path="/witness/gossip")
    async with Serving(peer):
        answer = await relay(asker, peer, message)

    assert answer.status_code == 200
    assert MailboxAnswer.parse(answer.content).body == message.body


async def test_nothing_is_relayed_to_a_suspended_provider(exchange: Exchange) -> None:
    """A provider out of good standing is not reached."""
    exchange = gated(exchange)
    provider, consumer = await exchange.admit(), await exchange.admit()
    await exchange.act(provider, "suspend", {"reason": "test"})

    assert code(await relay(consumer, provider, relayed(provider, consumer))) == (403, "not-relayed")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "http://p-aaaaaaaaaaaa.node/offers"),
        ("POST", "http://p-aaaaaaaaaaaa.node/deliveries/"),
        ("POST", "http://p-aaaaaaaaaaaa.node/deliveries?x=1"),
        ("POST", f"http://p-aaaaaaaaaaaa.node/deliveries/{GRANT}/data"),
        ("GET", "http://p-aaaaaaaaaaaa.node/deliveries"),
        ("GET", f"http://p-aaaaaaaaaaaa.node/deliveries/{GRANT}/../../local/data"),
        ("GET", f"http://p-bbbbbbbbbbbb.node/deliveries/{GRANT}/data"),
        ("GET", f"https://p-aaaaaaaaaaaa.node/deliveries/{GRANT}/data"),
        ("GET", "http://p-aaaaaaaaaaaa.node/witness/gossip"),
        ("POST", "http://p-aaaaaaaaaaaa.node/witness/challenge"),
        ("POST", "/deliveries"),
    ],
)
def test_only_deliveries_and_gossip_are_relayed(method: str, target: str) -> None:
    """Any other path, method or host is refused."""
    message = RelayRequest.model_validate({"method": method, "target_uri": target, "headers": [], "body": ""})

    with pytest.raises(NotRelayed):
        check_relayed("p-aaaaaaaaaaaa", message)


def test_a_relayed_request_has_few_headers() -> None:
    """A request with a flood of headers is refused."""
    target = "http://p-aaaaaaaaaaaa.node/deliveries"
    flood = [[f"x-{n}", "y"] for n in range(41)]
    for headers in (flood, [["x", "y" * 9000]]):
        message = RelayRequest.model_validate_json(
            httpx.Request(
                "POST",
                "http://x",
                json={"method": "POST", "target_uri": target, "headers": headers, "body": ""},
            ).content
        )
        with pytest.raises(NotRelayed):
            check_relayed("p-aaaaaaaaaaaa", message)


async def test_a_body_over_the_limit_is_refused(exchange: Exchange) -> None:
    """A megabyte is the limit for most routes, eight for answers."""
    province = await exchange.admit()
    big = await province.http.post("/probe", content=b"x" * (1024 * 1024 + 1))
    answer = await province.http.post("/mailbox/answers/x-aaaaaaaaaaaa", content=b"x" * (1024 * 1024 + 1))

    assert code(big) == (413, "body-too-large")
    assert code(answer) == (400, "bad-message")
