"""Membership over HTTP: the open ways in, the signed lists, and the administrator's acts."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from contracts.messages import (
    JoinAnswer,
    Long,
    MemberState,
    Probe,
    ProbeAnswer,
    Profile,
    Short,
    Wire,
)
from exchange.edge import Wired, answer, answer_json, answer_text, parsed
from exchange.identity import ActiveNode, Administrator
from exchange.members import flow
from exchange.members.model import MemberRecord
from nodes.bodies import RawBody

router = APIRouter(tags=["members"])


class InviteRequest(Wire):
    """Whom to invite, and for how long the invite holds."""

    profile: Profile
    witness: bool
    expires_hours: Annotated[int, Field(ge=1, le=720)]


class Approval(Wire):
    """The fingerprint that the participant told out of band."""

    fingerprint: Short


class Reason(Wire):
    """Why a member is suspended, quarantined or revoked; the log commits to it."""

    reason: Long


@router.post("/join", status_code=202)
async def join(parts: Wired, body: RawBody) -> Response:
    """Introduce a node's keys with an invite."""
    status, fingerprint = await flow.join(parts, body)
    return answer(JoinAnswer(status=status, fingerprint=fingerprint), 202)


@router.get("/members/{participant}/status")
def status(parts: Wired, participant: str) -> Response:
    """Say where a participant stands."""
    member = parts.roll.member(participant)
    return answer(MemberState(participant=member.participant, status=member.status))


@router.get("/directory")
def directory(parts: Wired) -> Response:
    """Give the newest signed directory."""
    return answer_text(flow.latest_directory(parts))


@router.get("/revocations")
def revocations(parts: Wired) -> Response:
    """Give a freshly signed list of what is revoked."""
    response = answer_text(flow.fresh_revocations(parts))
    response.headers["cache-control"] = "no-store"
    return response


@router.post("/probe")
async def probe(
    parts: Wired, caller: ActiveNode, message: Annotated[Probe, Depends(parsed(Probe))]
) -> Response:
    """Echo a nonce, so that a node knows its signed calls work."""
    echo = ProbeAnswer(participant=caller.participant, nonce=message.nonce, at=parts.clock.now())
    return answer(echo)


@router.post("/operator/invites", status_code=201)
async def invite(
    parts: Wired, person: Administrator, message: Annotated[InviteRequest, Depends(parsed(InviteRequest))]
) -> Response:
    """Invite a participant; the answer holds a secret."""
    life = timedelta(hours=message.expires_hours)
    participant, text = await flow.invite(
        parts, person, profile=message.profile, witness=message.witness, life=life
    )
    response = answer_json({"participant": participant, "invite": text}, 201)
    response.headers["cache-control"] = "no-store"
    return response


@router.get("/operator/members")
async def members(parts: Wired, _person: Administrator) -> Response:
    """List every participant with its fingerprint."""
    return answer_json({"members": [flow.listed(record) for record in parts.roll.members()]})


@router.post("/operator/members/{participant}/approve")
async def approve(
    parts: Wired,
    person: Administrator,
    participant: str,
    message: Annotated[Approval, Depends(parsed(Approval))],
) -> Response:
    """Approve a pending participant whose fingerprint was compared."""
    return _shown(await flow.approve(parts, person, participant, message.fingerprint))


@router.post("/operator/members/{participant}/suspend")
async def suspend(
    parts: Wired, person: Administrator, participant: str, message: Annotated[Reason, Depends(parsed(Reason))]
) -> Response:
    """Suspend a member."""
    return _shown(await flow.suspend(parts, person, participant, message.reason))


@router.post("/operator/members/{participant}/quarantine")
async def quarantine(
    parts: Wired, person: Administrator, participant: str, message: Annotated[Reason, Depends(parsed(Reason))]
) -> Response:
    """Cut a member off: nothing to it or from it."""
    return _shown(await flow.quarantine(parts, person, participant, message.reason))


@router.post("/operator/members/{participant}/resume")
async def resume(parts: Wired, person: Administrator, participant: str) -> Response:
    """Let a suspended or quarantined member act again."""
    return _shown(await flow.resume(parts, person, participant))


@router.post("/operator/members/{participant}/revoke")
async def revoke(
    parts: Wired, person: Administrator, participant: str, message: Annotated[Reason, Depends(parsed(Reason))]
) -> Response:
    """Revoke a member for good."""
    return _shown(await flow.revoke(parts, person, participant, message.reason))


def _shown(record: MemberRecord) -> Response:
    return answer_json(flow.listed(record))
