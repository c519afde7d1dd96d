"""The mailbox over HTTP: long polls, answers, relays."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import MailboxAnswer, Poll, RelayRequest
from exchange.edge import Wired, answer, parsed
from exchange.identity import ActiveNode, AnyNode
from exchange.mailbox import flow

router = APIRouter(tags=["mailbox"])


@router.post("/mailbox/poll")
async def poll(parts: Wired, caller: AnyNode, message: Annotated[Poll, Depends(parsed(Poll))]) -> Response:
    """Wait for requests and news, at most 30 seconds."""
    return answer(await flow.poll(parts, caller, message))


@router.post("/mailbox/answers/{message_id}", status_code=204)
async def take_answer(
    parts: Wired,
    caller: AnyNode,
    message_id: str,
    message: Annotated[MailboxAnswer, Depends(parsed(MailboxAnswer))],
) -> Response:
    """Hand in the answer to one request."""
    parts.mailbox.answer(caller.participant, message_id, message)
    return Response(status_code=204)


@router.post("/relay/{provider}")
async def relay(
    parts: Wired,
    caller: ActiveNode,
    provider: str,
    message: Annotated[RelayRequest, Depends(parsed(RelayRequest))],
) -> Response:
    """Carry a delivery request to a provider without an inbound port."""
    return answer(await flow.relay(parts, caller, provider, message))
