"""Security events over HTTP, for nodes and for auditors; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import Role
from exchange.edge import Since, Wired, answer
from exchange.identity import ActiveNode, Person, person_with
from exchange.incidents import flow

router = APIRouter(tags=["incidents"])


@router.get("/events")
async def events(parts: Wired, _caller: ActiveNode, since: Since = 0) -> Response:
    """List the signed events after a number, for nodes."""
    return answer(flow.events(parts, since))


@router.get("/operator/events")
async def operator_events(
    parts: Wired,
    _person: Annotated[Person, Depends(person_with(Role.AUDITOR))],
    since: Since = 0,
) -> Response:
    """List the signed events after a number, for auditors."""
    return answer(flow.events(parts, since))
