"""Key changes over HTTP: a participant's own, where its signatures count, and the administrator's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import KeyRole, MemberState, RevocationReason, Wire
from exchange.edge import Wired, answer, answer_json, parsed
from exchange.evidence import envelope_text
from exchange.identity import Administrator
from exchange.members import flow, rotation
from nodes.bodies import RawBody

router = APIRouter(tags=["keys"])


class KeyToRevoke(Wire):
    """Which of a participant's keys counts no more, and why."""

    role: KeyRole
    reason: RevocationReason


@router.post("/keys/rotations")
async def rotate(parts: Wired, body: RawBody) -> Response:
    """Replace a participant's key; the statement is signed by the old and the new one."""
    member = await rotation.take_rotation(parts, envelope_text(body))
    return answer(MemberState(participant=member.participant, status=member.status))


@router.post("/keys/revocations")
async def revoke(parts: Wired, body: RawBody) -> Response:
    """Revoke a participant's own key; the statement is signed by its node key or root key."""
    member = await rotation.take_revocation(parts, envelope_text(body))
    return answer(MemberState(participant=member.participant, status=member.status))


@router.post("/operator/members/{participant}/revoke-key")
async def revoke_key(
    parts: Wired,
    person: Administrator,
    participant: str,
    message: Annotated[KeyToRevoke, Depends(parsed(KeyToRevoke))],
) -> Response:
    """Revoke a participant's key in the exchange's name."""
    member = await rotation.revoke_key(parts, person, participant, message.role, message.reason)
    return answer_json(flow.listed(member))


@router.post("/operator/keys/statement")
async def rotate_statement_key(parts: Wired, person: Administrator) -> Response:
    """Replace the key that the exchange signs statements with."""
    return answer_json(await rotation.rotate_statement_key(parts, person))
