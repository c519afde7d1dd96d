"""Completeness over HTTP: cuts, a node's own heads, its counts, and proofs of silence; nothing is decided."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from contracts.clock import from_epoch_ms
from contracts.messages import SubscriptionId
from exchange.completeness import counting, cutting, silence
from exchange.edge import Since, Wired, answer
from exchange.evidence import envelope_text
from exchange.identity import AdmittedNode, Auditor, TestifyingNode
from nodes.bodies import RawBody

router = APIRouter(tags=["completeness"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Milliseconds = Annotated[int, Query(ge=0, le=2**42)]

SILENCE_TYPE = "application/vnd.headwaters.silence+gzip"


@router.get("/heads")
async def cuts(parts: Wired, _caller: AdmittedNode, since: Since = 0) -> Response:
    """List the cuts of the subscription heads after a number."""
    return answer(cutting.cuts(parts, since))


@router.get("/heads/{number}")
async def own_heads(parts: Wired, caller: AdmittedNode, number: Number) -> Response:
    """Show what a cut says of the caller's subscriptions."""
    return answer(silence.own_heads(parts, caller, number))


@router.post("/counts")
async def take_count(parts: Wired, caller: TestifyingNode, body: RawBody) -> Response:
    """Take what a node counted in one window."""
    return answer(await counting.take_count(parts, caller, envelope_text(body)))


@router.get("/subscriptions/{subscription}/silence")
async def party_silence(
    parts: Wired,
    caller: AdmittedNode,
    subscription: SubscriptionId,
    since: Milliseconds,
    until: Milliseconds,
) -> Response:
    """Prove that nothing was sent under a subscription between two moments (milliseconds since 1970 UTC)."""
    return _file(
        silence.party_silence(
            parts, caller, subscription, since=from_epoch_ms(since), until=from_epoch_ms(until)
        )
    )


@router.get("/operator/heads")
async def operator_cuts(parts: Wired, _person: Auditor, since: Since = 0) -> Response:
    """List the cuts, for auditors."""
    return answer(cutting.cuts(parts, since))


@router.post("/operator/heads")
async def cut_now(parts: Wired, _person: Auditor) -> Response:
    """Log where every subscription stands now."""
    return answer(await cutting.cut_heads(parts))


def _file(raw: bytes) -> Response:
    return Response(raw, media_type=SILENCE_TYPE, headers={"cache-control": "no-store"})
