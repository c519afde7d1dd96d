"""A province that publishes and one that receives, over the simulated exchange, for the tests of sharing."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from audit.httpsig import RequestSigner
from audit.keys import SigningKey
from contracts import library
from contracts.clock import FrozenClock
from contracts.messages import (
    AgreementAnswer,
    AgreementOffer,
    DatasetRecord,
    DeliveryRequest,
    LoggedGrant,
    Sharing,
    Text,
    TransferRequest,
)
from nodes.app import create_app
from nodes.node import Node, open_node
from nodes.offers import answer_offer
from nodes.publishing.datasets import Declaration, declare_dataset, register_contract
from nodes.publishing.publish import Published, publish
from nodes.receiving.apply import Request, apply_for, subscribe
from nodes.relay import ProviderLink
from nodes.signed import Signed
from tests.nodes.conftest import JoinNode
from tests.nodes.sharing_exchange import SharingExchange

DATASET = "river-buoy"
CONTRACT = "surface-water-buoy"
PURPOSE = "flood-control"
DIRECT = "http://127.0.0.1:8001"
NARROW = ["local_time", "ph", "temperature", "record_number"]


def rows(count: int, *, first: int = 1) -> list[dict[str, Any]]:
    """Make rows that keep the contract."""
    example = library.load(CONTRACT).example_row()
    return [
        example
        | {"local_time": f"2023-08-{1 + n // 24 % 28:02d}T{n % 24:02d}:00", "ph": 7 + n % 10 / 10, "record_number": n}
        for n in range(first, first + count)
    ]


def write_source(path: Path, records: list[dict[str, Any]]) -> Path:
    """Write rows as an NDJSON file."""
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path


def declaration(**changes: Any) -> Declaration:
    """Say what the dataset is."""
    fields: dict[str, Any] = {
        "dataset": DATASET,
        "contract": CONTRACT,
        "title": Text(zh="河流浮标", en="River buoy"),
        "sharing": Sharing.UNCONDITIONAL,
        "sharing_basis": "公开 open",
        "classification": 1,
        "place": "Brisbane River",
        "synthetic": False,
        "update_frequency": "hourly",
    }
    return Declaration(**(fields | changes))


class AppTransport(httpx.BaseTransport):
    """Carries requests into an app in memory, as a peer that is not this machine."""

    def __init__(self, app: FastAPI, alter: Callable[[bytes], bytes] = lambda body: body) -> None:
        self._app = app
        self._alter = alter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("198.51.100.7", 1), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(
                    request.method, request.url, headers=request.headers, content=request.read()
                )

        answer = asyncio.run(run())
        body = self._alter(answer.content) if request.method == "GET" else answer.content
        headers = [item for item in answer.headers.multi_items() if item[0] != "content-length"]
        return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(body), request=request)


@dataclass
class World:
    """Both nodes, their exchange and their clock."""

    exchange: SharingExchange
    clock: FrozenClock
    provider: Node
    consumer: Node
    folder: Path

    def __post_init__(self) -> None:
        self.app = create_app(self.provider, [DIRECT])
        self.alter: Callable[[bytes], bytes] = lambda body: body
        self.exchange.offer = self.offer

    def offer(self, party: str, offer: AgreementOffer) -> AgreementAnswer:
        node = self.provider if party == self.provider.participant else self.consumer
        return answer_offer(node, offer)

    def declare(self, **changes: Any) -> Signed[DatasetRecord]:
        register_contract(self.provider, CONTRACT)
        return declare_dataset(self.provider, declaration(**changes))

    def publish(self, records: list[dict[str, Any]] | None = None, name: str = "buoy.ndjson") -> Published:
        source = write_source(self.folder / name, rows(40) if records is None else records)
        return publish(self.provider, source, DATASET)

    def request(self, **changes: Any) -> Request:
        fields: dict[str, Any] = {
            "dataset": DATASET,
            "purpose": PURPOSE,
            "basis": "防洪法",
            "scenario": "flood forecast",
            "scope": "internal",
            "until": self.clock.now() + timedelta(days=30),
        }
        return Request(**(fields | changes))

    def agree(self) -> str:
        """Apply, sign on both sides, subscribe; give the subscription."""
        apply_for(self.consumer, self.request())
        return subscribe(self.consumer, DATASET).subscription

    def ready(self, **changes: Any) -> str:
        """Declare, publish one release, agree; give the subscription."""
        self.declare(**changes)
        self.publish()
        return self.agree()

    def granted(self, subscription: str, release: int = 1) -> LoggedGrant:
        return self.exchange.grant(TransferRequest(subscription=subscription, release=release))

    def client(
        self, *, base: str = DIRECT, key: SigningKey | None = None, keyid: str | None = None
    ) -> httpx.Client:
        auth = RequestSigner(
            key or self.consumer.node_key, keyid or self.consumer.participant, clock=self.clock
        )
        return httpx.Client(
            base_url=base, auth=auth, transport=AppTransport(self.app, lambda body: self.alter(body))
        )

    def direct(self, _node: Node, _provider: str) -> ProviderLink:
        return ProviderLink(self.client(), relayed=False)

    def relayed(self, _node: Node, _provider: str) -> ProviderLink:
        return ProviderLink(self.client(base=self.provider.mailbox_base), relayed=True)

    def present(self, logged: LoggedGrant, client: httpx.Client | None = None) -> httpx.Response:
        with client or self.client() as open_client:
            return open_client.post("/deliveries", content=DeliveryRequest(logged=logged).canonical())


@pytest.fixture
def exchange(clock: FrozenClock) -> SharingExchange:
    exchange = SharingExchange(clock)
    exchange.grow(3)
    return exchange


@pytest.fixture
def world(
    exchange: SharingExchange, clock: FrozenClock, join_node: JoinNode, tmp_path: Path
) -> Iterator[World]:
    provider_home = join_node("provider", witness=False)
    consumer_home = join_node("consumer", witness=False)
    exchange.add_witnesses()
    with (
        open_node(provider_home, clock=clock, transport=exchange.transport) as provider,
        open_node(consumer_home, clock=clock, transport=exchange.transport) as consumer,
    ):
        provider.trust.refresh_directory()
        consumer.trust.refresh_directory()
        folder = tmp_path / "sources"
        folder.mkdir()
        yield World(exchange, clock, provider, consumer, folder)
