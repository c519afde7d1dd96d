"""Security events over HTTP, for nodes and for auditors; nothing is decided here."""

from fastapi import APIRouter, Response

from exchange.edge import Since, Wired, answer
from exchange.identity import ActiveNode, Auditor
from exchange.incidents import flow

router = APIRouter(tags=["incidents"])


@router.get("/events")
async def events(parts: Wired, _caller: ActiveNode, since: Since = 0) -> Response:
    """List the signed events after a number, for nodes."""
    return answer(flow.events(parts, since))


@router.get("/operator/events")
async def operator_events(
    parts: Wired,
    _person: Auditor,
    since: Since = 0,
) -> Response:
    """List the signed events after a number, for auditors."""
    return answer(flow.events(parts, since))
