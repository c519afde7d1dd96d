"""Tracing a file over loopback: its path goes in, whom this node gave it to comes out."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from contracts.clock import rfc3339
from contracts.messages import Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, TheNode
from nodes.delivering.tracing import Handed, trace
from nodes.node import Node
from nodes.trusting.trust import UnknownParticipant

router = APIRouter(prefix="/local/trace")


class TraceRequest(Wire):
    """A file on this machine."""

    path: str


@router.post("")
def post_trace(node: TheNode, _person: AnyPerson, body: RawBody) -> dict[str, Any]:
    """Say to whom this node gave a file."""
    found = trace(node, Path(TraceRequest.parse(body).path))
    return {
        "by": found.by,
        "same": found.same,
        "token": found.token,
        "recipients": [_recipient(node, participant) for participant in found.recipients],
        "deliveries": [_delivery(item) for item in found.handed],
    }


def _recipient(node: Node, participant: str) -> dict[str, Any]:
    try:
        name: dict[str, str] | None = node.trust.member(participant).profile.name.model_dump()
    except UnknownParticipant:
        name = None
    return {"participant": participant, "name": name}


def _delivery(item: Handed) -> dict[str, Any]:
    return {
        "grant": item.grant,
        "recipient": item.recipient,
        "dataset": item.dataset,
        "release": item.release,
        "purpose": item.purpose,
        "view": item.view,
        "at": rfc3339(item.at),
    }
