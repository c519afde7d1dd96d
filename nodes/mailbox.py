"""The node's side of the mailbox: a long poll that fetches requests and runs them against the node's own app.

The node opens every connection itself, so it needs no inbound port. Only the paths for witnessing, offers,
deliveries and corrections are reachable this way, under the node's ``.node`` address and never as a loopback
peer, so what belongs to people stays out of reach. A lost connection is taken up again after 0.2 to 5 seconds
with jitter.
"""

import asyncio
import secrets

import httpx
import structlog
from starlette.types import ASGIApp

from audit.httpsig import RequestSigner
from contracts.errors import HeadwatersError, Refused, TooLarge
from contracts.messages import HOP_BY_HOP, Heads, MailboxAnswer, MailboxRequest, Poll, PollAnswer
from contracts.problem import error_from
from contracts.spelling import NotBase64, from_base64, to_base64
from nodes.addresses import checked_base, is_loopback_url, tls_context
from nodes.answers import PLAIN, aread_answer
from nodes.background import in_thread
from nodes.broker import ExchangeSilent
from nodes.node import Node
from nodes.problems import problem_response
from nodes.trusting.root_signing import renew

log = structlog.get_logger(__name__)

WAIT_SECONDS = 20
MAX_AT_ONCE = 16
MAX_MESSAGE_BYTES = 8 * 1024 * 1024  # the exchange's limit for an answer, base64 and all
MAX_BODY_BYTES = (MAX_MESSAGE_BYTES - 64 * 1024) * 3 // 4
BACKOFF_SECONDS = (0.2, 5.0)
_REQUEST_SECONDS = 60.0
_POLL_TIMEOUT = httpx.Timeout(10.0, read=WAIT_SECONDS + 10.0)

_EXACT = frozenset({"/offers", "/deliveries", "/corrections"})
_UNDER = ("/witness/", "/deliveries/")
# No loopback address, so nothing that comes this way is taken for a person on this machine.
_PEER = ("mailbox", 0)


class PathNotCarried(Refused):
    """The mailbox does not carry this request."""

    code = "path-not-carried"
    title_zh = "信箱不转送此请求"
    next_zh = "经信箱只能访问见证、协议、交付与更正接口。"
    next_en = "Only witnessing, offers, deliveries and corrections are reachable through the mailbox."


class AnswerTooLarge(TooLarge):
    """The answer does not fit the mailbox."""

    code = "answer-too-large"
    title_zh = "应答超过信箱的大小限制"
    next_zh = "用 Range 分片获取,每片不超过 4 MiB。"
    next_en = "Fetch it in Range pieces of at most 4 MiB."


class MailboxLoop:
    """Polls until it is cancelled; one per serving node."""

    def __init__(
        self, node: Node, app: ASGIApp, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Prepare the loop; ``transport`` carries the polls, left out they go over the network."""
        self._node = node
        base = checked_base(node.identity.exchange_url)
        # Answers are sent on connections of their own, so the open poll never keeps them waiting.
        self._exchange = httpx.AsyncClient(
            base_url=base,
            trust_env=not is_loopback_url(base),
            verify=tls_context(),
            auth=RequestSigner(node.keys.signer, node.participant, clock=node.clock),
            timeout=_POLL_TIMEOUT,
            headers=PLAIN,
            transport=transport,
            limits=httpx.Limits(max_connections=MAX_AT_ONCE + 2),
        )
        self._own = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False, client=_PEER),
            timeout=_REQUEST_SECONDS,
        )
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()
        self._rooted_in = 0  # the directory from which trust.json was written last
        self.connected = False
        self.trouble: str | None = None  # the code of what went wrong last

    async def run(self) -> None:
        """Poll for ever; cancel it to stop."""
        failures = 0
        try:
            while True:
                try:
                    await self.poll_once()
                    failures = 0
                except HeadwatersError as error:
                    self._note(error)
                    failures += 1
                    await asyncio.sleep(backoff_seconds(failures))
        finally:
            await self.close()

    async def poll_once(self, wait_seconds: int = WAIT_SECONDS) -> None:
        """Poll once, start what was fetched, and read what is newer.

        Raises:
            ExchangeSilent: the connection failed.
            HeadwatersError: the exchange refused, or what it published does not hold.
        """
        poll = Poll(wait_seconds=wait_seconds, heads=await in_thread(self._heads))
        answer = PollAnswer.parse(await self._send("/mailbox/poll", poll.canonical()))
        if not self.connected:
            log.info("mailbox_connected")
        self.connected = True
        for request in answer.requests:
            task = asyncio.create_task(self._serve(request))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        if answer.heads.directory > poll.heads.directory:
            await in_thread(self._node.trust.refresh_directory)
        await in_thread(self._renew_trust_root)
        if answer.heads.events > poll.heads.events:
            await in_thread(self._node.events.refresh)
        self.trouble = None

    async def settle(self) -> None:
        """Wait until every request that was fetched is answered."""
        await asyncio.gather(*self._running)

    async def close(self) -> None:
        """Stop the requests that still run, and close the connections."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._exchange.aclose()
        await self._own.aclose()

    def _heads(self) -> Heads:
        return Heads(events=self._node.events.newest(), directory=self._node.trust.directory_number())

    def _renew_trust_root(self) -> None:
        number = self._node.trust.directory_number()
        # A signed root comes with a directory, and may have to wait until it is witnessed.
        if number != self._rooted_in and renew(self._node):
            self._rooted_in = number

    def _note(self, error: HeadwatersError) -> None:
        self.connected = not isinstance(error, ExchangeSilent)
        if self.trouble != error.code:
            log.warning("mailbox_trouble", code=error.code)
        self.trouble = error.code

    async def _serve(self, request: MailboxRequest) -> None:
        async with self._slots:
            try:
                answer = await self._answer(request)
            except HeadwatersError as error:
                answer = _problem(error)
            try:
                await self._send(f"/mailbox/answers/{request.id}", answer.canonical())
            except HeadwatersError as error:
                # Whoever asked will ask again; nothing here is evidence.
                log.warning("mailbox_answer_lost", code=error.code)

    async def _answer(self, request: MailboxRequest) -> MailboxAnswer:
        url = self._target(request)
        try:
            body = from_base64(request.body)
        except NotBase64 as error:
            raise PathNotCarried("the body is not base64") from error
        headers = [(name, value) for name, value in request.headers if name.lower() not in HOP_BY_HOP]
        response = await self._own.request(request.method, url, headers=headers, content=body)
        if len(response.content) > MAX_BODY_BYTES:
            raise AnswerTooLarge(f"an answer has at most {MAX_BODY_BYTES} bytes")
        return MailboxAnswer(
            status=response.status_code,
            headers=[item for item in response.headers.multi_items() if item[0] not in HOP_BY_HOP],
            body=to_base64(response.content),
        )

    def _target(self, request: MailboxRequest) -> httpx.URL:
        try:
            url = httpx.URL(request.target_uri)
        except httpx.InvalidURL as error:
            raise PathNotCarried("the target is not a URL") from error
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        allowed = path in _EXACT or path.startswith(_UNDER)
        base = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if not allowed or "%" in path or ".." in path or base != self._node.mailbox_base:
            raise PathNotCarried(f"{path[:80]!r} is not carried")
        return url

    async def _send(self, path: str, body: bytes) -> bytes:
        try:
            async with self._exchange.stream(
                "POST", path, content=body, headers={"content-type": "application/json"}
            ) as answer:
                content = await aread_answer(answer)
        except httpx.TransportError as error:
            raise ExchangeSilent(f"the exchange does not answer: {type(error).__name__}") from error
        if not answer.is_success:
            raise error_from(answer.status_code, content)
        return content


def backoff_seconds(failures: int) -> float:
    """Give the pause after so many failures in a row: doubling, bounded, and different for every node."""
    least, most = BACKOFF_SECONDS
    full = min(most, least * float(2 ** min(failures - 1, 10)))
    return full * (0.5 + secrets.randbelow(1000) / 2000)


def _problem(error: HeadwatersError) -> MailboxAnswer:
    response = problem_response(error)
    return MailboxAnswer(
        status=response.status_code,
        headers=[(name, value) for name, value in response.headers.items() if name not in HOP_BY_HOP],
        body=to_base64(bytes(response.body)),
    )
