"""Transfers over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from contracts.messages import GrantId, ReceiptDelivery, TransferRequest
from exchange.edge import Wired, answer, parsed
from exchange.evidence import envelope_text
from exchange.identity import ActiveNode, TestifyingNode
from exchange.transfers import aborting, flow, receipts

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
    caller: TestifyingNode,
    grant: GrantId,
    delivery: Annotated[ReceiptDelivery, Depends(parsed(ReceiptDelivery))],
) -> Response:
    """Take the receipts of a grant."""
    return answer(await receipts.deliver_receipts(parts, caller, grant, delivery))


@router.post("/transfers/{grant}/abort")
async def abort_transfer(request: Request, parts: Wired, caller: TestifyingNode, grant: GrantId) -> Response:
    """Give an open grant up, with a signed reason."""
    envelope = envelope_text(await request.body())
    return answer(await aborting.abort_transfer(parts, caller, grant, envelope))


@router.get("/transfers/{grant}")
async def receipt_state(parts: Wired, caller: TestifyingNode, grant: GrantId) -> Response:
    """Say how far a grant's evidence has come."""
    return answer(flow.receipt_state(parts, caller, grant))
