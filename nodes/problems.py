"""How a server tells its refusals: RFC 9457 problem documents in Chinese and English, for node and exchange.

Errors of the house keep their words; an unexpected one shows its class to the operator's log and nothing to
the caller. Neither carries a row value, a secret or a stack out of the process.
"""

import traceback
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from contracts.errors import HeadwatersError, Invalid, NotFound
from contracts.identifiers import Kind, new_id
from contracts.problem import MEDIA_TYPE, document, status_of

log = structlog.get_logger(__name__)

_SERVER_FAULT = 500


class BadRequest(Invalid):
    """The request does not fit the interface."""

    code = "bad-request"
    title_zh = "请求不符合接口约定"
    next_zh = "按 faults 改正请求的路径、参数或正文。"
    next_en = "Correct the path, parameters or body as the faults say."


class NoSuchPath(NotFound):
    """There is nothing under this path."""

    code = "no-such-path"
    title_zh = "没有这个路径"
    next_zh = "核对地址与接口版本。"
    next_en = "Check the address and the version of the interface."


class MethodNotAllowed(BadRequest):
    """The path does not take this method."""

    code = "method-not-allowed"
    title_zh = "该路径不支持此方法"


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""
    app.add_exception_handler(HeadwatersError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


def problem_response(
    error: HeadwatersError, headers: dict[str, str] | None = None, *, status: int | None = None
) -> Response:
    """Write an error as the response it becomes, under a fresh request id; ``status`` narrows the class's."""
    request_id = new_id(Kind.MESSAGE)
    status = status or status_of(error)
    if status >= _SERVER_FAULT:
        log.warning("request_failed", request_id=request_id, code=error.code)
    wait = str(error.facts.get("retry_after_seconds", 1))
    extra = {"retry-after": wait} if status in {429, 503} else {}
    return JSONResponse(
        document(error, f"urn:headwaters:request:{request_id}") | {"status": status},
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **extra, **(headers or {})},
    )


def problem_of(error: HeadwatersError) -> dict[str, Any]:
    """Write an error as the ``problem`` line of a stream that has already begun."""
    return document(error, f"urn:headwaters:request:{new_id(Kind.MESSAGE)}")


async def _on_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HeadwatersError):
        return await _on_unexpected(_request, error)
    return problem_response(error)


async def _on_validation(_request: Request, error: Exception) -> Response:
    # Only the places and the rules: what the caller sent may be data.
    found = error.errors() if isinstance(error, RequestValidationError) else []
    faults = ["/" + "/".join(map(str, fault["loc"])) + ": " + str(fault["msg"]) for fault in found][:20]
    return problem_response(BadRequest(faults[0] if faults else "", faults=faults))


async def _on_http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else _SERVER_FAULT
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    match status:
        case 404:
            return problem_response(NoSuchPath(), headers)
        case 405:
            return problem_response(MethodNotAllowed(), headers, status=status)
        case _ if status < _SERVER_FAULT:
            return problem_response(BadRequest(), headers)
        case _:
            return problem_response(HeadwatersError(), headers)


async def _on_unexpected(_request: Request, error: Exception) -> Response:
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{frame[0].name}:{frame[0].lineno}" if frame else "unknown"
    log.error("unexpected_error", error=type(error).__name__, place=place)
    return problem_response(HeadwatersError())
