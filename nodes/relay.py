"""How a consumer reaches a provider: directly at its published address, else through the exchange.

Either way the request carries the consumer's own signature over the provider's address, so the provider
checks the same thing. A relayed body that matters is sealed to the consumer (``DeliveryRequest.seal_to``);
the exchange passes ciphertext on.
"""

from dataclasses import dataclass
from typing import Self

import httpx

from audit.httpsig import RequestSigner
from contracts.errors import Unavailable
from contracts.messages import HOP_BY_HOP, BadMessage, RelayRequest
from contracts.spelling import NotBase64, from_base64, to_base64
from nodes.addresses import (
    BadAddress,
    checked_peer,
    is_loopback_url,
    mailbox_base,
    mailbox_participant,
    tls_context,
)
from nodes.answers import PLAIN
from nodes.broker import Broker
from nodes.node import Node

TIMEOUT_SECONDS = 60.0
# Beside the headers of one connection: the body is base64 here, and whose client it was is nobody's business.
_NOT_RELAYED = HOP_BY_HOP | {"accept-encoding", "content-encoding", "user-agent"}


class ProviderSilent(Unavailable):
    """The provider does not answer."""

    code = "provider-silent"
    title_zh = "提供方节点没有应答"
    next_zh = "对方节点可能离线;稍后再试。"
    next_en = "The other node may be offline; try again later."


class RelayTransport(httpx.BaseTransport):
    """Carries requests for ``http://<participant>.node`` through POST /relay/{participant}."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the signed request as it stands; raise what the exchange answers when it does not relay it."""
        provider = mailbox_participant(request.url.host)
        if provider is None:
            raise BadAddress("the relay carries requests for http://<participant>.node only")
        relayed = RelayRequest.model_validate(
            {
                "method": request.method,
                "target_uri": str(request.url),
                "headers": [
                    (name, value)
                    for name, value in request.headers.items()
                    if name.lower() not in _NOT_RELAYED
                ],
                "body": to_base64(request.read()),
            }
        )
        answer = self._broker.relay(provider, relayed)
        try:
            body = from_base64(answer.body)
        except NotBase64 as error:
            raise BadMessage("the relayed answer is not base64") from error
        headers = [(name, value) for name, value in answer.headers if name.lower() not in _NOT_RELAYED]
        return httpx.Response(answer.status, headers=headers, content=body, request=request)


@dataclass(frozen=True, slots=True)
class ProviderLink:
    """An open way to one provider: relative paths on ``client``; ``relayed`` asks for sealed bodies."""

    client: httpx.Client
    relayed: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def open_provider(node: Node, provider: str) -> ProviderLink:
    """Open the way to a provider that the directory shows; each request is signed by this node's key."""
    auth = RequestSigner(node.node_key, node.participant, clock=node.clock)
    address = node.trust.member(provider).address
    if address is not None:
        base = checked_peer(address, node.identity.exchange_url)
        direct = httpx.Client(
            base_url=base,
            auth=auth,
            timeout=TIMEOUT_SECONDS,
            headers=PLAIN,
            trust_env=not is_loopback_url(base),
            verify=tls_context(),
        )
        return ProviderLink(direct, relayed=False)
    relayed = httpx.Client(
        base_url=mailbox_base(provider),
        auth=auth,
        timeout=TIMEOUT_SECONDS,
        transport=RelayTransport(node.broker),
    )
    return ProviderLink(relayed, relayed=True)
