import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from contracts.clock import FrozenClock
from contracts.errors import HeadwatersError
from nodes.answers import FarAnswerTooLarge, aread_answer, read_answer
from nodes.mailbox import MailboxLoop
from nodes.node import Node, open_node
from tests.nodes.conftest import JoinNode
from tests.nodes.faces import small_app

BOMB = gzip.compress(bytes(1024 * 1024))


class _Endless(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"x" * 1024


class _Packed(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield BOMB

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield BOMB


def _packed(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Packed())


def test_an_endless_answer_is_left() -> None:
    """Reading stops at the limit, however much the other side sends."""
    with pytest.raises(FarAnswerTooLarge):
        read_answer(httpx.Response(200, stream=_Endless()), 10_000)


def test_a_compressed_answer_is_refused() -> None:
    """What could unpack without bound is never unpacked, on the event loop neither."""
    with pytest.raises(FarAnswerTooLarge):
        read_answer(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Packed()))
    with pytest.raises(FarAnswerTooLarge):
        asyncio.run(aread_answer(_packed(httpx.Request("GET", "http://x"))))


def test_a_hostile_exchange_costs_a_node_nothing_but_an_error(
    join_node: JoinNode, clock: FrozenClock
) -> None:
    """A bomb, or bytes that are no text, in place of an answer is one refusal that the loops live through."""
    home = join_node()
    with open_node(home, clock=clock, transport=httpx.MockTransport(_packed)) as node:
        with pytest.raises(FarAnswerTooLarge):
            node.broker.checkpoint()
        asyncio.run(_polled(node))
    garbage = httpx.MockTransport(lambda _: httpx.Response(200, content=b"\xff\xfe"))
    with open_node(home, clock=clock, transport=garbage) as node, pytest.raises(HeadwatersError):
        node.trust.refresh_directory()


async def _polled(node: Node) -> None:
    loop = MailboxLoop(node, small_app(node), transport=httpx.MockTransport(_packed))
    try:
        with pytest.raises(FarAnswerTooLarge):
            await loop.poll_once(0)
    finally:
        await loop.close()
