"""Applications and agreements over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from contracts.messages import AgreementAnswer, AgreementId, ApplicationId, ApplicationList, EndAgreement
from exchange.agreements import flow
from exchange.edge import Wired, answer, answer_json, parsed
from exchange.evidence import envelope_text
from exchange.identity import ActiveNode
from nodes.bodies import RawBody

router = APIRouter(tags=["agreements"])


@router.post("/applications")
async def apply(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Take an application."""
    return answer(await flow.apply(parts, caller, envelope_text(body)))


@router.get("/applications")
async def applications(parts: Wired, caller: ActiveNode) -> Response:
    """List the caller's applications, as consumer or provider."""
    return answer(ApplicationList(applications=flow.applications(parts, caller)))


@router.get("/applications/{application}")
async def application(parts: Wired, caller: ActiveNode, application: ApplicationId) -> Response:
    """Give one application of the caller's."""
    return answer(flow.application(parts, caller, application))


@router.post("/applications/{application}/answer")
async def answer_application(
    parts: Wired,
    caller: ActiveNode,
    application: ApplicationId,
    given: Annotated[AgreementAnswer, Depends(parsed(AgreementAnswer))],
) -> Response:
    """Take the answer that a person gave after a hold."""
    return answer(await flow.answer(parts, caller, application, given))


@router.post("/agreements/{agreement}/end")
async def end_agreement(
    parts: Wired,
    caller: ActiveNode,
    agreement: AgreementId,
    message: Annotated[EndAgreement, Depends(parsed(EndAgreement))],
) -> Response:
    """End an agreement."""
    await flow.end_agreement(parts, caller, agreement, message.why)
    return answer_json({"agreement": agreement, "state": "ended"})
