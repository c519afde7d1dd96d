"""How much a request may carry: its body is read whole, up to a limit, before anything looks at it.

The declared length is refused first, the received bytes next, so a false or missing declaration gains
nothing.
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import TooLarge
from nodes.problems import problem_response

DEFAULT_LIMIT_BYTES = 1024 * 1024


async def raw_body(request: Request) -> bytes:
    """Give the exact bytes that were signed."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


class BodyTooLarge(TooLarge):
    """The request's body is larger than the limit."""

    code = "body-too-large"
    title_zh = "请求正文超过大小限制"


class BodyLimit:
    """ASGI middleware: bodies of at most ``limit_bytes``, or what ``larger`` says for a path prefix."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body in hand, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        body = await _read(scope, receive, limit)
        if body is None:
            refused = problem_response(BodyTooLarge(f"a body here has at most {limit} bytes"))
            await refused(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _limit(self, path: str) -> int:
        limits = (size for prefix, size in self._larger.items() if path.startswith(prefix))
        return max(limits, default=self._limit_bytes)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not declared.isdigit() or int(declared) > limit:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
