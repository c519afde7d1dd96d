"""A province that publishes and one that receives, over the simulated exchange, for the tests of sharing."""

import asyncio
import base64
import copy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from audit.httpsig import RequestSigner
from audit.keys.signing import SigningKey
from contracts import library
from contracts.clock import FrozenClock
from contracts.messages import (
    AgreementAnswer,
    AgreementOffer,
    DatasetRecord,
    DeliveryRequest,
    LoggedGrant,
    MailboxAnswer,
    RelayRequest,
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
from nodes.registration import join, parse_invite
from nodes.relay import ProviderLink
from nodes.signed import Signed
from tests.nodes.completeness_exchange import CompletenessExchange
from tests.nodes.conftest import NOW

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
        | {
            "local_time": f"2023-08-{1 + n // 24 % 28:02d}T{n % 24:02d}:00",
            "ph": 7 + n % 10 / 10,
            "record_number": n,
        }
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

    def __init__(
        self,
        app: FastAPI,
        alter: Callable[[bytes], bytes] = lambda body: body,
        *,
        peer: str = "198.51.100.7",
    ) -> None:
        self._app = app
        self._alter = alter
        self._peer = peer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(self._peer, 1), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(
                    request.method, request.url, headers=request.headers, content=request.read()
                )

        answer = asyncio.run(run())
        body = self._alter(answer.content) if request.method == "GET" else answer.content
        headers = [item for item in answer.headers.multi_items() if item[0] != "content-length"]
        return httpx.Response(
            answer.status_code, headers=headers, stream=httpx.ByteStream(body), request=request
        )


@dataclass
class World:
    """Both nodes, their exchange and their clock."""

    exchange: CompletenessExchange
    clock: FrozenClock
    provider: Node
    consumer: Node
    folder: Path

    def __post_init__(self) -> None:
        self.app = create_app(self.provider, [DIRECT])
        self.alter: Callable[[bytes], bytes] = lambda body: body
        self.exchange.offer = self.offer
        self.exchange.relayed = self.relay

    def _altered(self, body: bytes) -> bytes:
        return self.alter(body)

    def offer(self, party: str, offer: AgreementOffer) -> AgreementAnswer:
        node = self.provider if party == self.provider.participant else self.consumer
        return answer_offer(node, offer)

    def relay(self, request: httpx.Request) -> httpx.Response:
        """Carry a relayed request into the provider's app, as the exchange's mailbox does."""
        asked = RelayRequest.parse(request.content)
        transport = AppTransport(self.app, self._altered)
        with httpx.Client(transport=transport) as client:
            answer = client.request(
                asked.method, asked.target_uri, headers=asked.headers, content=base64.b64decode(asked.body)
            )
        carried = MailboxAnswer(
            status=answer.status_code,
            headers=answer.headers.multi_items(),
            body=base64.b64encode(answer.content).decode(),
        )
        return httpx.Response(200, content=carried.canonical())

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
        return httpx.Client(base_url=base, auth=auth, transport=AppTransport(self.app, self._altered))

    def direct(self, _node: Node, _provider: str) -> ProviderLink:
        return ProviderLink(self.client(), relayed=False)

    def relayed(self, _node: Node, _provider: str) -> ProviderLink:
        return ProviderLink(self.client(base=self.provider.mailbox_base), relayed=True)

    def present(self, logged: LoggedGrant, client: httpx.Client | None = None) -> httpx.Response:
        with client or self.client() as open_client:
            return open_client.post("/deliveries", content=DeliveryRequest(logged=logged).canonical())


def _approve(exchange: CompletenessExchange, participant: str, _fingerprint: str) -> None:
    exchange.approve(participant)


@dataclass(frozen=True)
class Joined:
    """Two homes that have joined, and their exchange at that moment: made once, copied for each test."""

    exchange: CompletenessExchange
    homes: tuple[Path, Path]
    at: datetime


@pytest.fixture(scope="session")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Joined:
    clock = FrozenClock(NOW)
    exchange = CompletenessExchange(clock)
    exchange.grow(3)
    folder = tmp_path_factory.mktemp("joined")
    homes = (folder / "provider", folder / "consumer")
    for home in homes:
        text = exchange.invite(witness=False)
        participant = parse_invite(text).participant
        join(
            text,
            home,
            person_name="li-wei",
            on_pending=partial(_approve, exchange, participant),
            clock=clock,
            transport=exchange.transport,
            pause=clock.advance,
        )
    exchange.add_witnesses()
    for home in homes:
        with open_node(home, clock=clock, transport=exchange.transport) as node:
            node.trust.refresh_directory()
    return Joined(exchange, homes, clock.now())


@pytest.fixture
def exchange(joined: Joined, clock: FrozenClock) -> CompletenessExchange:
    clock.advance((joined.at - clock.now()).total_seconds())
    fresh = copy.copy(joined.exchange)
    for name, value in vars(fresh).items():
        if isinstance(value, dict | list):
            setattr(fresh, name, copy.copy(value))
    fresh.revoked = {kind: [] for kind in fresh.revoked}
    fresh.clock = clock
    return fresh


@pytest.fixture
def world(
    joined: Joined, exchange: CompletenessExchange, clock: FrozenClock, tmp_path: Path
) -> Iterator[World]:
    homes = [Path(shutil.copytree(home, tmp_path / home.name)) for home in joined.homes]
    folder = tmp_path / "sources"
    folder.mkdir()
    with (
        open_node(homes[0], clock=clock, transport=exchange.transport) as provider,
        open_node(homes[1], clock=clock, transport=exchange.transport) as consumer,
    ):
        yield World(exchange, clock, provider, consumer, folder)
