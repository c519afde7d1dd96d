"""Relays share a mailbox with cosigning: a consumer's flood or a node's odd answer stops nobody else."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from contracts.messages import RelayRequest
from exchange.log.startup import Opening
from exchange.mailbox.mailbox import MAX_RELAYED, MAX_RELAYED_OF_ONE, MAX_WAITING, MailboxFull
from nodes.mailbox import MAX_AT_ONCE
from tests.exchange.provinces import Exchange, code

pytestmark = pytest.mark.anyio

NAME = "p-aaaaaaaaaaaa"


def test_relays_leave_room() -> None:
    """Neither a mailbox nor a node can be filled by relayed requests, and one consumer fills neither."""
    assert MAX_RELAYED < MAX_WAITING
    assert 2 * MAX_RELAYED_OF_ONE <= MAX_AT_ONCE


async def test_a_consumer_has_a_share_of_a_mailbox(exchange: Exchange) -> None:
    """Beyond its share one consumer is refused at once, while another and the exchange are served."""
    mailbox = exchange.parts.mailbox
    held = [mailbox.relaying("p-bbbbbbbbbbbb", NAME) for _ in range(MAX_RELAYED_OF_ONE)]
    for one in held:
        one.__enter__()
    with pytest.raises(MailboxFull), mailbox.relaying("p-bbbbbbbbbbbb", NAME):
        pass
    with mailbox.relaying("p-cccccccccccc", NAME):
        pass
    held[0].__exit__(None, None, None)

    with mailbox.relaying("p-bbbbbbbbbbbb", NAME):
        assert mailbox.is_listening(NAME) is False


async def test_a_relayed_request_is_small(exchange: Exchange) -> None:
    """What is relayed to a provider is a grant at most, so a megabyte is the limit as elsewhere."""
    consumer = await exchange.admit()
    message = RelayRequest(
        method="POST", target_uri=f"http://{NAME}.node/deliveries", headers=[], body="A" * (1024 * 1024)
    )

    answer = await consumer.http.post(f"/relay/{NAME}", content=message.canonical())

    assert code(answer) == (413, "body-too-large")


@pytest.mark.parametrize(
    "odd",
    [
        {"status": 10**30},
        {"status": 42},
        {"headers": [["x", "\u00e9"]]},
        {"headers": [["x", "a\r\nset-cookie: b"]]},
        {"headers": [["x y", "a"]]},
    ],
)
async def test_an_answer_that_is_no_http_is_refused(exchange: Exchange, odd: dict[str, object]) -> None:
    """A node's answer that cannot be a response is refused to that node, and no background task meets it."""
    witness = await exchange.admit()
    exchange.parts.log._sealed = True
    opening = Opening(
        replace(
            exchange.parts,
            settings=exchange.parts.settings.model_copy(update={"witness_timeout_seconds": 0.2}),
        )
    )
    await witness.poll()
    asking = asyncio.create_task(opening.round())
    request = None
    while request is None:
        request = next(iter((await witness.poll(wait_seconds=1)).requests), None)
    answer = {"status": 200, "headers": [], "body": ""} | odd
    taken = await witness.http.post(
        f"/mailbox/answers/{request.id}", content=httpx.Request("POST", "http://x", json=answer).content
    )
    await asking

    assert code(taken) == (400, "bad-message")
    assert exchange.parts.log.sealed is True
