"""Subscriptions over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import SubscriptionId, SubscriptionList, SubscriptionRequest
from exchange.edge import Since, Wired, answer, parsed
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
    return answer(SubscriptionList(subscriptions=flow.subscriptions(parts, caller)))


@router.get("/subscriptions/{subscription}/releases")
async def releases(
    parts: Wired,
    caller: ActiveNode,
    subscription: SubscriptionId,
    since: Since = 0,
) -> Response:
    """List a subscription's releases after a number."""
    return answer(flow.releases(parts, caller, subscription, since))
