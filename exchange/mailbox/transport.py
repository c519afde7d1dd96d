"""An httpx transport over the mailbox: an ordinary request to ``http://<participant>.node`` waits for a poll.

Code that speaks to a node writes plain httpx; whether the node has an inbound port is not its business.
"""

from typing import Protocol

import httpx

from audit.httpsig import RequestSigner
from audit.keys.signing import Signer
from contracts.clock import Clock
from contracts.errors import Unavailable
from contracts.identifiers import EXCHANGE_KEYID
from contracts.messages import HOP_BY_HOP, MailboxAnswer
from contracts.spelling import NotBase64, from_base64, to_base64
from nodes.addresses import BadAddress, mailbox_base, mailbox_participant

CALL_TIMEOUT_SECONDS = 10.0


class AnswerUnreadable(Unavailable):
    """The node's answer is not base64."""

    code = "answer-unreadable"
    title_zh = "节点的应答无法读取"
    next_zh = "请对方升级节点软件。"
    next_en = "Ask the other side to update its node."


class Carrier(Protocol):
    """Brings a request to a node and its answer back."""

    async def call(
        self,
        participant: str,
        *,
        method: str,
        target_uri: str,
        headers: list[tuple[str, str]],
        body: str,
        timeout_seconds: float,
    ) -> MailboxAnswer:
        """Give the node's answer; raise NodeSilent after ``timeout_seconds``."""
        ...


class MailboxTransport(httpx.AsyncBaseTransport):
    """Carries requests for ``http://<participant>.node`` through a mailbox; raises NodeSilent."""

    def __init__(self, mailbox: Carrier) -> None:
        self._mailbox = mailbox

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for the node's answer as long as the client's read timeout says."""
        participant = mailbox_participant(request.url.host)
        if participant is None:
            raise BadAddress("the mailbox carries requests for http://<participant>.node only")
        timeout = request.extensions.get("timeout", {}).get("read") or CALL_TIMEOUT_SECONDS
        answer = await self._mailbox.call(
            participant,
            method=request.method,
            target_uri=str(request.url),
            headers=[(k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP],
            body=to_base64(await request.aread()),
            timeout_seconds=timeout,
        )
        return _response(answer)


def node_client(
    mailbox: Carrier,
    participant: str,
    *,
    key: Signer,
    clock: Clock,
    timeout_seconds: float = CALL_TIMEOUT_SECONDS,
) -> httpx.AsyncClient:
    """Give a client of one node that signs as the exchange; use it as an async context manager."""
    return httpx.AsyncClient(
        transport=MailboxTransport(mailbox),
        base_url=mailbox_base(participant),
        auth=RequestSigner(key, EXCHANGE_KEYID, clock),
        timeout=timeout_seconds,
    )


def _response(answer: MailboxAnswer) -> httpx.Response:
    try:
        body = from_base64(answer.body)
    except NotBase64 as error:
        raise AnswerUnreadable("the body is not base64") from error
    headers = [(k, v) for k, v in answer.headers if k.lower() not in HOP_BY_HOP | {"content-encoding"}]
    return httpx.Response(answer.status, headers=headers, content=body)
