"""The provider's HTTP: present a grant, fetch the view. Every request is signed by the key in the grant.

Bytes go out plainly only over the node's own address. What comes through the mailbox is answered sealed to
the consumer's key (HPKE, RFC 9180), in pieces of at most 4 MiB, so the exchange relays ciphertext.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from audit.keys.signing import seal
from contracts.clock import rfc3339
from contracts.errors import Invalid, Refused, TooLarge
from contracts.messages import DeliveryRequest, Grant, GrantId, Receipt
from nodes import callers
from nodes.bodies import RawBody
from nodes.callers import TheNode
from nodes.delivering.checks import Authenticate, check_grantee, check_still_granted, check_still_offered
from nodes.delivering.deliver import deliver, delivered_view, find_delivery, stream
from nodes.delivering.duties.handler import View
from nodes.delivering.duties.quotas import count_fetch
from nodes.delivering.ranges import ByteRange, RangeNotSatisfiable, parse_range
from nodes.granted import delete_by
from nodes.node import Node
from nodes.problems import problem_response

SEALED_PIECE_BYTES = 4 * 1024 * 1024
PARQUET = "application/vnd.apache.parquet"
SEALED = "application/vnd.headwaters.sealed"
_NO_STORE = {"cache-control": "no-store"}

router = APIRouter()


class SealingRequired(Refused):
    """Through the relay, data leaves only sealed to the consumer."""

    code = "sealing-required"
    title_zh = "经中转传输的数据必须密封给使用方"
    next_zh = "在交付请求中给出 seal_to 密封公钥。"
    next_en = "Name the key to seal to (seal_to) in the delivery request."


class PieceTooLarge(TooLarge):
    """A sealed piece may have at most 4 MiB."""

    code = "piece-too-large"
    title_zh = "密封分片不得超过 4 MiB"
    next_zh = "用 Range 分片请求,每片不超过 4 MiB。"
    next_en = "Ask with Range for pieces of at most 4 MiB."


def relay_info(grant: str, content_range: str) -> bytes:
    """Name what a sealed piece is: which grant, which bytes of how many."""
    return b"headwaters-relay-v1|" + grant.encode() + b"|" + content_range.encode()


@router.post("/deliveries")
def post_delivery(request: Request, body: RawBody, node: TheNode) -> dict[str, Any]:
    """Accept a grant and answer with the provider's receipt."""
    asked = DeliveryRequest.parse(body)
    if _relayed(request, node) and asked.seal_to is None:
        raise SealingRequired("the request came through the relay")
    return {"receipt": deliver(node, asked, _authenticator(request, body))}


@router.get("/deliveries/{grant}/data")
def get_data(
    request: Request,
    grant: GrantId,
    body: RawBody,
    node: TheNode,
    byte_range: Annotated[str | None, Header(alias="range")] = None,
) -> Response:
    """Send the view, or one range of it, after checking the grant again."""
    row = find_delivery(node, grant)
    opened = Grant.parse(row.grant.encode())
    check_grantee(opened, _authenticator(request, body))
    check_still_granted(node, opened)
    check_still_offered(node, opened)
    _, receipt, view = delivered_view(node, row)
    headers = _NO_STORE | {"etag": f'"{receipt.view_sha256}"', "accept-ranges": "bytes"}
    headers |= terms_of_use(opened, receipt)
    try:
        piece = parse_range(byte_range, receipt.view_size_bytes)
    except RangeNotSatisfiable as error:
        return _unsatisfiable(error, receipt.view_size_bytes)
    if _relayed(request, node) and row.seal_to is None:
        raise SealingRequired("the request came through the relay")
    if row.seal_to is not None and piece.length > SEALED_PIECE_BYTES:
        raise PieceTooLarge(f"{piece.length} bytes were asked for in one piece")
    count_fetch(node, opened)
    if row.seal_to is not None:
        return _sealed(node, opened, view, piece, seal_to=row.seal_to, headers=headers)
    return _plain(node, opened, view, piece, headers)


def terms_of_use(grant: Grant, receipt: Receipt) -> dict[str, str]:
    """Give the headers that say what the data may serve, until when it may be kept, and whose mark it has."""
    headers = {"headwaters-purpose": grant.purpose}
    until = delete_by(grant.obligations, receipt.at)
    if until is not None:
        headers["headwaters-delete-after"] = rfc3339(until)
    tokens = [item.token for item in receipt.discharged if item.kind == "watermark" and item.token]
    return headers | ({"headwaters-watermark": tokens[0]} if tokens else {})


def _plain(node: Node, grant: Grant, view: View, piece: ByteRange, headers: dict[str, str]) -> Response:
    if piece.partial:
        headers |= {"content-range": piece.content_range(view.content.size_bytes)}
    return StreamingResponse(
        stream(node, grant, view, piece.first, piece.last),
        status_code=206 if piece.partial else 200,
        media_type=PARQUET,
        headers=headers | {"content-length": str(piece.length)},
    )


def _sealed(
    node: Node, grant: Grant, view: View, piece: ByteRange, *, seal_to: str, headers: dict[str, str]
) -> Response:
    content_range = piece.content_range(view.content.size_bytes)
    plain = b"".join(stream(node, grant, view, piece.first, piece.last))
    sealed = seal(seal_to, plain, relay_info(grant.grant, content_range))
    return Response(
        sealed, status_code=206, media_type=SEALED, headers=headers | {"content-range": content_range}
    )


def _unsatisfiable(error: Invalid, size_bytes: int) -> Response:
    answer = problem_response(error, {"content-range": f"bytes */{size_bytes}"})
    answer.status_code = 416
    return answer


def _relayed(request: Request, node: Node) -> bool:
    return callers.target_uri(request).startswith(node.mailbox_base + "/")


def _authenticator(request: Request, body: bytes) -> Authenticate:
    return lambda resolve: callers.authenticate(request, body, resolve)
