"""Subscriptions over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import SubscriptionId, SubscriptionRequest
from exchange.edge import Since, Wired, answer, answer_json, parsed
from exchange.identity import ActiveNode
from exchange.subscriptions import flow

router = APIRouter(tags=["subscriptions"])


@router.post("/subscriptions")
async def subscribe(
    parts: Wired,
    caller: ActiveNode,
    request: Annotated[SubscriptionRequest, Depends(parsed(SubscriptionRequest))],
) -> Response:
    """Open, or find again, the subscription under an agreement."""
    return answer(await flow.subscribe(parts, caller, request))


@router.get("/subscriptions")
async def subscriptions(parts: Wired, caller: ActiveNode) -> Response:
    """List the caller's subscriptions."""
    found = [view.model_dump(mode="json") for view in flow.subscriptions(parts, caller)]
    return answer_json({"subscriptions": found})


@router.get("/subscriptions/{subscription}/releases")
async def releases(
    parts: Wired,
    caller: ActiveNode,
    subscription: SubscriptionId,
    since: Since = 0,
) -> Response:
    """List a subscription's releases after a number."""
    return answer(flow.releases(parts, caller, subscription, since))
