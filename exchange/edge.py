"""Where HTTP meets the rooms: how a route gets the parts, reads a message, and answers in canonical JSON.

Routes parse raw bytes with ``contracts.messages`` and write canonical bytes, so what is signed, stored and
sent has one spelling.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request, Response

from contracts.canonical import Json, canonical_bytes
from contracts.messages import Wire
from exchange.parts import Parts

W = TypeVar("W", bound=Wire)

JSON_TYPE = "application/json"

# A cursor within every dialect's integers; a larger one would be an error of the database.
Since = Annotated[int, Query(ge=0, le=2**53)]


def parts_of(request: Request) -> Parts:
    """Give the parts that the app was created with."""
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(parts_of)]


def parsed(model: type[W]) -> Callable[[Request], Awaitable[W]]:
    """Give a dependency that reads the body as ``model``; it raises BadMessage (400).

    Use it as ``message: Annotated[Poll, Depends(parsed(Poll))]``.
    """

    async def read(request: Request) -> W:
        return model.parse(await request.body())

    return read


def answer(message: Wire, status: int = 200) -> Response:
    """Answer with a message's canonical JSON."""
    return Response(message.canonical(), status_code=status, media_type=JSON_TYPE)


def answer_json(value: Json, status: int = 200) -> Response:
    """Answer with a plain value in canonical JSON."""
    return Response(canonical_bytes(value), status_code=status, media_type=JSON_TYPE)


def answer_text(envelope: str, status: int = 200) -> Response:
    """Answer with the text of a stored envelope, byte for byte."""
    return Response(envelope, status_code=status, media_type=JSON_TYPE)
