"""Objections and corrections over HTTP: nodes raise and answer them, the exchange's people look on."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from contracts.canonical import Json
from contracts.clock import rfc3339
from contracts.messages import DatasetId, ObjectionFiling, ObjectionId, StepFiling
from exchange.corrections import desk, flow
from exchange.edge import Wired, answer, answer_json, parsed
from exchange.identity import ActiveNode, Person, person_with

router = APIRouter(tags=["corrections"])

AnyPerson = Annotated[Person, Depends(person_with())]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


@router.post("/objections", status_code=201)
async def raise_objection(
    parts: Wired, caller: ActiveNode, filing: Annotated[ObjectionFiling, Depends(parsed(ObjectionFiling))]
) -> Response:
    """Raise an objection to what was received."""
    return answer(await flow.raise_objection(parts, caller, filing), 201)


@router.get("/objections")
async def objections(parts: Wired, caller: ActiveNode) -> Response:
    """List the caller's objections, raised and received."""
    return answer(flow.objections(parts, caller))


@router.get("/objections/{objection}")
async def objection(parts: Wired, caller: ActiveNode, objection: ObjectionId) -> Response:
    """Show one objection to one of its sides."""
    return answer(flow.objection(parts, caller, objection))


@router.post("/objections/{objection}/steps")
async def take_step(
    parts: Wired,
    caller: ActiveNode,
    objection: ObjectionId,
    filing: Annotated[StepFiling, Depends(parsed(StepFiling))],
) -> Response:
    """Acknowledge, verify, reject, withdraw or close an objection."""
    return answer(await flow.take_step(parts, caller, objection, filing))


@router.get("/datasets/{dataset}/releases/{number}/recipients")
async def recipients(parts: Wired, caller: ActiveNode, dataset: DatasetId, number: Number) -> Response:
    """List whom a correction has to reach, for its provider."""
    return answer(flow.recipients(parts, caller, dataset, number))


@router.get("/operator/objections")
async def operator_objections(parts: Wired, _person: AnyPerson) -> Response:
    """List objections with their legal clocks, newest first; no dataset and no word of theirs."""
    return answer_json({"objections": [_line(one) for one in desk.overview(parts)]})


def _line(one: desk.Overview) -> Json:
    return {
        "objection": one.objection,
        "state": one.state.value,
        "objector": one.objector,
        "provider": one.provider,
        "opened_at": rfc3339(one.opened_at),
        "due_at": rfc3339(one.due_at),
        "guessed_years": list(one.guessed_years),
        "answered_at": None if one.answered_at is None else rfc3339(one.answered_at),
        "overdue": one.overdue,
    }
