"""Problem documents (RFC 9457): how a refusal looks on the wire, and how it becomes an error again.

``status_of`` holds the one table from error class to HTTP status; both faces and all clients use it.
"""

from typing import Any

import orjson

from contracts import errors
from contracts.errors import HeadwatersError

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://headwaters.example/problems/"

_STATUS: tuple[tuple[type[HeadwatersError], int], ...] = (
    (errors.Invalid, 400),
    (errors.Unauthenticated, 401),
    (errors.Refused, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.TooLarge, 413),
    (errors.TooMany, 429),
    (errors.Undecidable, 409),
    (errors.Unavailable, 503),
    (errors.Corrupt, 500),
    (HeadwatersError, 500),
)
_BY_STATUS: dict[int, type[HeadwatersError]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Refused,
    404: errors.NotFound,
    405: errors.Invalid,
    409: errors.Conflict,
    413: errors.TooLarge,
    422: errors.Invalid,
    429: errors.TooMany,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


def status_of(error: HeadwatersError) -> int:
    """Give the HTTP status of an error's class or its nearest ancestor."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def document(error: HeadwatersError, instance: str) -> dict[str, Any]:
    """Write an error as a problem document; an unexpected error keeps its detail to itself."""
    hidden = type(error) is HeadwatersError
    return {
        "type": TYPE_BASE + error.code,
        "title": error.title_en(),
        "title_zh": error.title_zh,
        "status": status_of(error),
        "detail": error.title_en() if hidden else error.detail,
        "code": error.code,
        "next": {"zh": error.next_zh, "en": error.next_en},
        "instance": instance,
        **({} if hidden else {"facts": error.facts}),
    }


def error_from(status: int, body: bytes) -> HeadwatersError:
    """Read a problem document back into an error of the same family, with its code and facts."""
    family = _BY_STATUS.get(status, HeadwatersError)
    try:
        problem = orjson.loads(body)
    except orjson.JSONDecodeError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        return family(f"the other side answered {status} without a problem document")
    facts = problem.get("facts")
    error = family(str(problem.get("detail", "")))
    step = problem.get("next")
    texts = step if isinstance(step, dict) else {}
    title = str(problem.get("title", error.title_en()))
    # Instance attributes shadow the class's: the far side's own words reach the person unchanged.
    vars(error).update(
        # Not as keyword arguments: a hostile far side would name one that the constructor has.
        facts=facts if isinstance(facts, dict) else {},
        title_en=lambda: title,
        code=str(problem["code"]),
        title_zh=str(problem.get("title_zh", error.title_zh)),
        next_zh=str(texts.get("zh", error.next_zh)),
        next_en=str(texts.get("en", error.next_en)),
    )
    return error
