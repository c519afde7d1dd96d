"""The witness over HTTP: ``add-checkpoint``, the monitoring checkpoint, the exchange's challenge, and gossip.

Paths and answers follow c2sp.org/tlog-witness. ``add-checkpoint`` asks for no caller: the log's own
signature in the note is what counts.
"""

from fastapi import APIRouter
from fastapi.responses import Response

from contracts.errors import NotFound
from contracts.messages import Challenge, GossipQuestion
from nodes.bodies import RawBody
from nodes.callers import FromExchange, FromParticipant, TheNode
from nodes.node import Node
from nodes.witnessing import gossip
from nodes.witnessing.witness import NOTE_CONTENT_TYPE, Witness

router = APIRouter(prefix="/witness")


class NotAWitness(NotFound):
    """This participant is no witness."""

    code = "not-a-witness"
    title_zh = "该参与方不是见证方"
    next_zh = "向目录中列出的见证方请求副署。"
    next_en = "Ask one of the witnesses that the directory lists."


@router.post("/add-checkpoint")
def add_checkpoint(node: TheNode, body: RawBody) -> Response:
    """Cosign a checkpoint, or answer why not."""
    answer = _witness(node).add_checkpoint(body)
    return Response(answer.body, status_code=answer.status, media_type=answer.content_type)


@router.get("/{origin_hash}/checkpoint")
def checkpoint(node: TheNode, origin_hash: str) -> Response:
    """Show the note last cosigned for an origin."""
    return Response(_witness(node).checkpoint(origin_hash), media_type=NOTE_CONTENT_TYPE)


@router.post("/challenge")
def challenge(node: TheNode, call: FromExchange) -> Response:
    """Tell the exchange what was last cosigned, signed and fresh."""
    answer = _witness(node).answer_challenge(Challenge.parse(call.body))
    return Response(answer.text, media_type="application/json")


@router.post("/gossip")
def post_gossip(node: TheNode, call: FromParticipant) -> Response:
    """Tell another participant what this node saw of the log, signed and fresh; a mirror suffices."""
    answer = gossip.answer(node, GossipQuestion.parse(call.body))
    return Response(answer.text, media_type="application/json")


def _witness(node: Node) -> Witness:
    if node.witness is None:
        raise NotAWitness
    return node.witness
