"""Transfers over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import GrantId, ReceiptDelivery, TransferRequest
from exchange.edge import Wired, answer, parsed
from exchange.identity import ActiveNode
from exchange.transfers import flow, receipts

router = APIRouter(tags=["transfers"])


@router.post("/transfers")
async def request_transfer(
    parts: Wired,
    caller: ActiveNode,
    request: Annotated[TransferRequest, Depends(parsed(TransferRequest))],
) -> Response:
    """Grant one release, or refuse; the log knows first."""
    return answer(await flow.request_transfer(parts, caller, request))


@router.post("/transfers/{grant}/receipts")
async def deliver_receipts(
    parts: Wired,
    caller: ActiveNode,
    grant: GrantId,
    delivery: Annotated[ReceiptDelivery, Depends(parsed(ReceiptDelivery))],
) -> Response:
    """Take the receipts of a grant."""
    return answer(await receipts.deliver_receipts(parts, caller, grant, delivery))


@router.get("/transfers/{grant}")
async def receipt_state(parts: Wired, caller: ActiveNode, grant: GrantId) -> Response:
    """Say how far a grant's evidence has come."""
    return answer(flow.receipt_state(parts, caller, grant))
