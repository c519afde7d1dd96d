"""Programs push rows to the node: NDJSON under a source's token, durable in the spool before 202 is answered.

A batch is named by ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header), or by its own digest: the
same batch again is the same answer. The rows are judged when a release is made, never here.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from contracts.errors import Invalid
from nodes.bodies import RawBody
from nodes.callers import TheNode
from nodes.intake.model import WrongSourceKind
from nodes.intake.sources import TokenRefused, authenticate
from nodes.intake.spool import land

MAX_PUSH_BYTES = 16 * 1024 * 1024
PUSH_PREFIX = "/sources/"

_NDJSON = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_BEARER = "bearer "

router = APIRouter(prefix=PUSH_PREFIX.rstrip("/"))


class PushUnfit(Invalid):
    """The request does not carry NDJSON as it is."""

    code = "push-unfit"
    title_zh = "推送请求的形式不正确"
    next_zh = "以 Content-Type: application/x-ndjson 发送未压缩的逐行 JSON。"
    next_en = "Send lines of JSON, not compressed, as Content-Type: application/x-ndjson."


@router.post("/{name}/rows", status_code=202)
def post_rows(
    request: Request,
    body: RawBody,
    node: TheNode,
    name: str,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Take a batch of rows into the spool."""
    authorization = request.headers.get("authorization", "")
    # The mailbox carries what other participants ask; whoever pushes reaches the node itself.
    if request.client is None or not authorization.lower().startswith(_BEARER):
        raise TokenRefused("send the source's token as Authorization: Bearer")
    authenticate(node, name, authorization[len(_BEARER) :].strip())
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media_type not in _NDJSON or encoding != "identity":
        raise PushUnfit(f"the body is {media_type[:60]!r}, encoding {encoding[:20]!r}")
    try:
        landed = land(node, name, body, key=idempotency_key)
    except WrongSourceKind as error:
        raise TokenRefused("this token opens no source of this name") from error
    return {
        "source": name,
        "batch": landed.key,
        "sha256": landed.sha256,
        "rows": landed.rows,
        "repeated": landed.repeated,
    }
