import base64

import httpx
import orjson
import pytest

from audit.httpsig import verify_request
from contracts.clock import FrozenClock
from contracts.messages import MailboxAnswer, RelayRequest
from nodes.addresses import BadAddress
from nodes.broker import ExchangeSilent
from nodes.home import NodeHome
from nodes.node import Node, open_node
from nodes.relay import RelayTransport, open_provider
from tests.nodes.conftest import JoinNode
from tests.nodes.simulated_exchange import SimulatedExchange


def test_a_relayed_request_carries_the_consumers_own_signature(
    node: Node, exchange: SimulatedExchange, join_node: JoinNode, clock: FrozenClock
) -> None:
    """The inner request is signed by the consumer for the provider, so the relay can change nothing."""
    seen: list[RelayRequest] = []

    def relay(request: httpx.Request) -> httpx.Response:
        seen.append(RelayRequest.parse(request.content))
        answer = MailboxAnswer(
            status=206, headers=[("content-range", "bytes 0-3/9")], body=base64.b64encode(b"data").decode()
        )
        return httpx.Response(200, content=answer.canonical())

    exchange.relayed = relay
    with open_node(join_node("hubei"), clock=clock, transport=exchange.transport) as provider:
        node.trust.refresh_directory()
        with open_provider(node, provider.participant) as link:
            answer = link.client.post("/deliveries?x=1", content=orjson.dumps({"a": 1}))

    inner = seen[0]
    parts = verify_request(
        inner.method,
        inner.target_uri,
        inner.headers,
        base64.b64decode(inner.body),
        resolve=lambda _: node.node_key.public,
        clock=clock,
    )
    assert link.relayed
    assert (answer.status_code, answer.content, answer.headers["content-range"]) == (
        206,
        b"data",
        "bytes 0-3/9",
    )
    assert inner.target_uri == f"http://{provider.participant}.node/deliveries?x=1"
    assert parts.keyid == node.participant


def test_a_published_address_is_called_directly(node: Node, join_node: JoinNode) -> None:
    """A provider with an inbound port is not relayed."""
    home = join_node("hubei", address="https://hubei.example:8443/")
    with open_provider(node, NodeHome(home).read_identity().participant) as link:
        assert not link.relayed
        assert str(link.client.base_url) == "https://hubei.example:8443"


def test_the_relay_carries_node_addresses_only(node: Node) -> None:
    """A request for any other host is refused, not sent elsewhere."""
    with httpx.Client(transport=RelayTransport(node.broker)) as client, pytest.raises(BadAddress):
        client.get("http://example.org/deliveries")


def test_a_relay_that_is_down_says_so(node: Node, exchange: SimulatedExchange) -> None:
    """An exchange that does not answer is an error with a next step."""
    exchange.down = True
    with httpx.Client(transport=RelayTransport(node.broker)) as client, pytest.raises(ExchangeSilent):
        client.get("http://p-aaaaaaaaaaaa.node/deliveries")
