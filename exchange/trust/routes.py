"""Trust roots over HTTP: open to read, signatures from active nodes."""

from fastapi import APIRouter, Response

from audit.keys.trust_file import SignedRoot
from exchange.edge import Since, Wired, answer
from exchange.identity import ActiveNode
from exchange.trust import flow
from nodes.bodies import RawBody

router = APIRouter(tags=["trust"])


@router.get("/trust/roots")
def roots(parts: Wired, since: Since = 0) -> Response:
    """List the signed trust roots after a number, and the proposals that wait for signatures."""
    return answer(flow.roots(parts, since))


@router.post("/trust/roots")
async def hand_in(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Take a proposal, or more signatures for one."""
    return answer(await flow.hand_in(parts, caller, SignedRoot.read(body)))
