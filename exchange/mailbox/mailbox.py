"""The mailbox: HTTP requests that wait for a node's next long poll, and the answers that come back.

Everything is in memory and belongs to one event loop. A request that nobody fetches or answers in time is
dropped and its caller gets NodeSilent; nothing here is evidence, and whoever must not lose a message keeps it
elsewhere and asks again. One poll per participant is open at a time: a newer one sends the older one home.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from audit.keys.signing import Signer
from contracts.clock import Clock, monotonic_seconds
from contracts.errors import NotFound, Unavailable
from contracts.identifiers import Kind, new_id
from contracts.messages import Heads, MailboxAnswer, MailboxRequest, PollAnswer
from exchange.mailbox.transport import CALL_TIMEOUT_SECONDS, node_client

MAX_WAITING = 64  # requests per participant
MAX_RELAYED = 48  # of them for consumers: the rest is kept for cosigning and offers
MAX_RELAYED_OF_ONE = 4  # fewer than a node runs at once, so one consumer never keeps a witness from answering
MAX_FETCHED_CHARS = 6 * 1024 * 1024  # of base64 bodies in one poll answer
LISTENING_SECONDS = 5.0  # how long after its last poll a node still counts as listening


class NodeSilent(Unavailable):
    """The node does not answer."""

    code = "node-silent"
    title_zh = "节点没有应答"
    next_zh = "确认对方节点正在运行;稍后再试。"
    next_en = "Make sure that the other node is running, and try again later."


class MailboxFull(Unavailable):
    """Too many requests wait for this node."""

    code = "mailbox-full"
    title_zh = "该节点的信箱已满"
    next_zh = "对方节点可能离线;稍后再试。"
    next_en = "The other node may be offline; try again later."


class UnknownMessage(NotFound):
    """No request with this id waits for an answer from this node."""

    code = "unknown-message"
    title_zh = "没有等待应答的该请求"
    next_zh = "应答来得太迟;无需处理。"
    next_en = "The answer came too late; nothing needs to be done."


@dataclass(slots=True)
class _Box:
    """One participant's side: requests not fetched yet, and those that wait for an answer."""

    waiting: deque[MailboxRequest] = field(default_factory=deque)
    asked: dict[str, asyncio.Future[MailboxAnswer]] = field(default_factory=dict)
    senders: Counter[str] = field(default_factory=Counter)  # consumers whose relayed requests wait
    turn: int = 0  # the newest poll's number; an older one goes home
    polling: int = 0
    seen_seconds: float | None = None


class Mailbox:
    """Requests towards nodes that open no inbound port; use it on one event loop only."""

    def __init__(self, statement_key: Signer, clock: Clock) -> None:
        self._statement_key = statement_key
        self._clock = clock
        self._boxes: dict[str, _Box] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._heads = Heads()
        self._closed = False

    @property
    def heads(self) -> Heads:
        """Give the newest numbers that polls are answered with."""
        return self._heads

    def announce(self, *, events: int = 0, directory: int = 0) -> None:
        """Raise the heads and wake every poll; a number never goes down."""
        newer = Heads(events=max(events, self._heads.events), directory=max(directory, self._heads.directory))
        if newer != self._heads:
            self._heads = newer
            self._wake_all()

    def client(self, participant: str, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> httpx.AsyncClient:
        """Give a client of one node that signs as the exchange; use it as an async context manager.

        Its requests raise NodeSilent and MailboxFull; its base URL is ``http://<participant>.node``.
        """
        return node_client(
            self, participant, key=self._statement_key, clock=self._clock, timeout_seconds=timeout_seconds
        )

    def is_listening(self, participant: str) -> bool:
        """Say whether the node polls now, or did a moment ago."""
        box = self._boxes.get(participant)
        if box is None:
            return False
        recent = box.seen_seconds is not None and monotonic_seconds() - box.seen_seconds < LISTENING_SECONDS
        return box.polling > 0 or recent

    async def poll(self, participant: str, known: Heads, wait_seconds: float) -> PollAnswer:
        """Wait until a request or newer heads are there, or ``wait_seconds`` are over."""
        box = self._boxes.setdefault(participant, _Box())
        box.turn += 1
        turn = box.turn
        self._wake(participant)
        box.polling += 1
        deadline = monotonic_seconds() + wait_seconds
        try:
            while not self._due(box, turn, known) and (left := deadline - monotonic_seconds()) > 0:
                await self._change(participant, left)
        finally:
            box.polling -= 1
            box.seen_seconds = monotonic_seconds()
        requests = self._fetch(box) if turn == box.turn else []
        return PollAnswer(requests=requests, heads=self._heads)

    def answer(self, participant: str, message: str, answer: MailboxAnswer) -> None:
        """Hand a node's answer to whoever asked; raise UnknownMessage when nobody waits any more."""
        box = self._boxes.get(participant)
        asked = box.asked.get(message) if box else None
        if asked is None or asked.done():
            raise UnknownMessage("nobody waits for this answer", message=message)
        asked.set_result(answer)

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
        """Put a request (``body`` in base64) in the node's box and wait for its answer.

        Raises NodeSilent after ``timeout_seconds``, and MailboxFull.
        """
        box = self._boxes.setdefault(participant, _Box())
        if self._closed:
            raise NodeSilent("the exchange is stopping", participant=participant)
        if len(box.asked) >= MAX_WAITING:
            raise MailboxFull(f"{MAX_WAITING} requests wait for {participant}", participant=participant)
        request = MailboxRequest.model_validate(
            {
                "id": new_id(Kind.MESSAGE),
                "method": method,
                "target_uri": target_uri,
                "headers": headers,
                "body": body,
            }
        )
        asked = asyncio.get_running_loop().create_future()
        box.asked[request.id] = asked
        box.waiting.append(request)
        self._wake(participant)
        try:
            async with asyncio.timeout(timeout_seconds):
                answer: MailboxAnswer = await asked
        except TimeoutError as error:
            raise NodeSilent(
                f"{participant} did not answer within {timeout_seconds:g} s", participant=participant
            ) from error
        finally:
            del box.asked[request.id]
            if request in box.waiting:
                box.waiting.remove(request)
        return answer

    @contextmanager
    def relaying(self, consumer: str, provider: str) -> Iterator[None]:
        """Count a consumer's relayed request while the block runs; raise MailboxFull beyond its share."""
        senders = self._boxes.setdefault(provider, _Box()).senders
        if senders[consumer] >= MAX_RELAYED_OF_ONE or senders.total() >= MAX_RELAYED:
            raise MailboxFull(f"too many relayed requests wait for {provider}", participant=provider)
        senders[consumer] += 1
        try:
            yield
        finally:
            senders[consumer] -= 1
            if not senders[consumer]:
                del senders[consumer]

    def close(self) -> None:
        """Send every poll home and refuse further calls; for a stop that does not wait 30 seconds."""
        self._closed = True
        for box in self._boxes.values():
            for asked in box.asked.values():
                if not asked.done():
                    asked.set_exception(NodeSilent("the exchange is stopping"))
        self._wake_all()

    def _due(self, box: _Box, turn: int, known: Heads) -> bool:
        newer = self._heads.events > known.events or self._heads.directory > known.directory
        return self._closed or newer or bool(box.waiting) or turn != box.turn

    async def _change(self, participant: str, seconds: float) -> None:
        event = self._changed.setdefault(participant, asyncio.Event())
        event.clear()
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    def _wake(self, participant: str) -> None:
        if participant in self._changed:
            self._changed[participant].set()

    def _wake_all(self) -> None:
        for event in self._changed.values():
            event.set()

    @staticmethod
    def _fetch(box: _Box) -> list[MailboxRequest]:
        fetched: list[MailboxRequest] = []
        room = MAX_FETCHED_CHARS
        while box.waiting and (not fetched or len(box.waiting[0].body) <= room):
            request = box.waiting.popleft()
            room -= len(request.body)
            fetched.append(request)
        return fetched
