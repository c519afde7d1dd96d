"""A session with an OPA server that can do one thing: ask for a decision, and believe little of the answer.

It is the client of opa-python-client with its two lower halves replaced. ``_init_session`` brings our own
TLS (private CA, client certificate, TLS 1.2, host name), and takes nothing from the environment. ``_request``
sends a POST to the decision and refuses everything else the client can do (it never uploads a policy),
follows no redirect, asks again only where the connection was lost, and reads a bounded, uncompressed JSON
body. The deadline over all of it is the caller's.
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from opa_client.opa_async import AsyncOpaClient  # type: ignore[import-untyped]  # ships without py.typed

from policies.engine import EngineOptions
from policies.guard import MAX_BYTES, Undecided
from policies.opa.address import Address
from policies.opa.private_files import PolicyFileExposed, PolicyFileUnreadable, read_private

PACKAGE = "headwaters.main"
RULE = "answer"
MAX_ANSWER_BYTES = MAX_BYTES + 16 * 1024
"""The decision and the provenance around it."""

CONNECTIONS = 64
_ASKING = {"strict-builtin-errors": "true", "provenance": "true"}
_TOKEN = re.compile(r"[!-~]{1,8000}")
_STATUS = {
    400: "pdp:error",
    401: "pdp:refused",
    403: "pdp:refused",
    404: "pdp:undefined",
    429: "pdp:unavailable",
    500: "pdp:error",
    502: "pdp:unavailable",
    503: "pdp:unavailable",
    504: "pdp:unavailable",
}


class Session(AsyncOpaClient):  # type: ignore[misc]  # the client has no types
    """One open connection pool to one OPA server, in one event loop."""

    def __init__(self, address: Address, options: EngineOptions, tls: ssl.SSLContext | None) -> None:
        super().__init__(host=address.host, port=address.port, ssl=address.secure)
        self._tls = tls
        self._token_file = options.token_file

    async def ask(self, document: bytes) -> dict[str, object]:
        """Ask with an input document; give the body. Raises Undecided with the code of what went wrong."""
        try:
            body = await self.query_rule(orjson.loads(document), PACKAGE, RULE, _ASKING)
        except (Undecided, TimeoutError):
            raise
        except Exception as error:  # two HTTP layers lie below, and none of their errors is a permit
            raise Undecided(_reason(error)) from error
        if not isinstance(body, dict):
            raise Undecided("pdp:bad-answer")
        return body

    async def _init_session(self) -> None:
        """Open the pool; nothing in here waits, so no other task can come between."""
        self._connector = aiohttp.TCPConnector(
            ssl=self._tls if self._tls is not None else True, limit=CONNECTIONS
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    # Any: the client passes through what aiohttp takes.
    @asynccontextmanager
    async def _request(self, method: str, url: str, **kwargs: Any) -> AsyncIterator["_Body"]:
        """Send the one request that this session may send; called by the client's ``query_rule``."""
        decision = f"{self.root_url}/data/{PACKAGE.replace('.', '/')}/{RULE}?{urlencode(_ASKING)}"
        if method != "POST" or url != decision:
            raise Undecided("pdp:error")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self._bearer()}
        response = await self._sent(url, {**kwargs, "headers": headers})
        try:
            yield _Body(response)
        finally:
            response.release()

    async def _sent(self, url: str, arguments: dict[str, Any]) -> aiohttp.ClientResponse:
        try:
            return await self._post(url, arguments)
        except aiohttp.ClientConnectionError as error:
            if _reason(error) != "pdp:unavailable":
                raise
        # The pool may have held a connection that the server had closed; to ask twice changes nothing.
        return await self._post(url, arguments)

    async def _post(self, url: str, arguments: dict[str, Any]) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._session.post(url, allow_redirects=False, **arguments)
        return response

    def _bearer(self) -> dict[str, str]:
        """Read the token anew each time, so that it can be replaced while the exchange runs."""
        if self._token_file is None:
            return {}
        try:
            token = read_private(self._token_file).decode("ascii").strip()
        except (PolicyFileExposed, PolicyFileUnreadable, ValueError) as error:
            raise Undecided("pdp:refused") from error
        if not _TOKEN.fullmatch(token):
            raise Undecided("pdp:refused")
        return {"Authorization": f"Bearer {token}"}


class _Body:
    """What the client sees of a response: a status that must be 200, and one JSON object of bounded size."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def raise_for_status(self) -> None:
        """Raise Undecided for anything but 200."""
        if self._response.status != 200:
            raise Undecided(_STATUS.get(self._response.status, "pdp:bad-answer"))

    async def json(self) -> object:
        """Read the body; raise Undecided unless it is plain JSON without a key given twice."""
        encoding = self._response.headers.get("Content-Encoding", "identity")
        if self._response.content_type != "application/json" or encoding != "identity":
            raise Undecided("pdp:bad-answer")
        body = bytearray()
        async for piece in self._response.content.iter_any():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                self._response.close()
                raise Undecided("pdp:bad-answer")
        value: object = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
        return value


class Sessions:
    """One session for each event loop that asks, closed by that loop at its end or by ``close`` before.

    A session lives inside an asynchronous generator, and an event loop finishes its generators before it
    closes (``loop.shutdown_asyncgens``); so no connection outlives its loop, whoever runs it.
    """

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._held: dict[asyncio.AbstractEventLoop, tuple[AsyncGenerator[Session, None], Session]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def current(self) -> Session:
        """Give the running loop's session, opened when it is first asked for."""
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            keeper = self._keep(loop)
            self._held[loop] = (keeper, await anext(keeper))
        return self._held[loop][1]

    def close(self) -> None:
        """Let every loop close its session as soon as it runs; from any thread, inside or outside a loop."""
        for loop, (keeper, _) in list(self._held.items()):
            with suppress(RuntimeError):  # a closed loop has ended its generators
                loop.call_soon_threadsafe(self._end, loop, keeper)

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[Session, None]:
        async with self._make() as session:
            try:
                yield session
            finally:
                self._held.pop(loop, None)

    def _end(self, loop: asyncio.AbstractEventLoop, keeper: AsyncGenerator[Session, None]) -> None:
        task = loop.create_task(_finish(keeper))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _finish(keeper: AsyncGenerator[Session, None]) -> None:
    await keeper.aclose()


def _reason(error: BaseException) -> str:
    """Name what failed; TLS first, because its errors are also errors of the connection."""
    if isinstance(error, ssl.SSLError | ssl.CertificateError | aiohttp.ClientSSLError):
        return "pdp:untrusted"
    if isinstance(error, aiohttp.ClientOSError) and isinstance(error.__cause__, ssl.SSLError):
        return "pdp:untrusted"
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return "pdp:unavailable"
    return "pdp:bad-answer"


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
