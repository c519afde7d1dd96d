"""Emergencies over HTTP: administrators declare and end, auditors review, nodes read what is in force."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from contracts.canonical import Json
from contracts.clock import rfc3339
from contracts.messages import EmergencyId, Finding, Long, Scope, Text, Wire
from exchange.edge import Wired, answer, answer_json, parsed
from exchange.emergencies import flow
from exchange.emergencies.model import DeclaredEmergency, Use
from exchange.identity import ActiveNode, Administrator, Auditor, Person, person_with
from exchange.parts import Parts

router = APIRouter(tags=["emergencies"])

AnyPerson = Annotated[Person, Depends(person_with())]


class Declaration(Wire):
    """An emergency to be declared, and for how many hours."""

    title: Text
    why: Long
    scope: Scope
    hours: Annotated[int, Field(ge=1, le=720)]


class EarlyEnd(Wire):
    """Why an emergency ends before its time; the log commits to it."""

    why: Long


class ReviewWords(Wire):
    """What an auditor found."""

    finding: Finding
    words: Long


@router.get("/emergencies")
async def in_force(parts: Wired, _caller: ActiveNode) -> Response:
    """List the signed emergencies in force, for nodes."""
    return answer(flow.in_force(parts))


@router.post("/operator/emergencies", status_code=201)
async def declare(
    parts: Wired, person: Administrator, message: Annotated[Declaration, Depends(parsed(Declaration))]
) -> Response:
    """Declare an emergency."""
    declared = await flow.declare(
        parts,
        person,
        title=message.title,
        why=message.why,
        scope=message.scope,
        life=timedelta(hours=message.hours),
    )
    return answer_json(_fields(parts, declared), 201)


@router.get("/operator/emergencies")
async def declared(parts: Wired, _person: AnyPerson) -> Response:
    """List emergencies, newest first."""
    return answer_json({"emergencies": [_fields(parts, one) for one in flow.declared(parts)]})


@router.get("/operator/emergencies/{emergency}")
async def show(parts: Wired, _person: AnyPerson, emergency: EmergencyId) -> Response:
    """Show one emergency and every grant that was made under it."""
    found = flow.shown(parts, emergency)
    grants: list[Json] = [_use(use) for use in found.uses]
    return answer_json({**_fields(parts, found.emergency), "grants": grants})


@router.post("/operator/emergencies/{emergency}/end")
async def end(
    parts: Wired,
    person: Administrator,
    emergency: EmergencyId,
    message: Annotated[EarlyEnd, Depends(parsed(EarlyEnd))],
) -> Response:
    """End an emergency before its time; what was granted under it ends too."""
    return answer_json(_fields(parts, await flow.end(parts, person, emergency, message.why)))


@router.post("/operator/emergencies/{emergency}/review")
async def review(
    parts: Wired,
    person: Auditor,
    emergency: EmergencyId,
    message: Annotated[ReviewWords, Depends(parsed(ReviewWords))],
) -> Response:
    """Judge an emergency that is over."""
    reviewed = await flow.review(parts, person, emergency, finding=message.finding, words=message.words)
    return answer_json(_fields(parts, reviewed))


def _fields(parts: Parts, one: DeclaredEmergency) -> dict[str, Json]:
    statement, review = one.statement, one.review
    return {
        "emergency": statement.emergency,
        "state": one.phase(parts.clock.now()).value,
        "title": statement.title.model_dump(mode="json"),
        "why": statement.why,
        "scope": statement.scope.model_dump(mode="json"),
        "declared_by": one.declared_by,
        "declared_at": rfc3339(statement.declared_at),
        "over_at": rfc3339(one.over_at),
        "ended_why": one.ended_why,
        "review_due_at": rfc3339(one.review_due_at),
        "review": None
        if review is None
        else {"by": review.by, "at": rfc3339(review.at), "finding": review.finding, "words": review.words},
    }


def _use(use: Use) -> Json:
    return {
        "grant": use.grant,
        "provider": use.provider,
        "consumer": use.consumer,
        "dataset": use.dataset,
        "release": use.release,
        "at": rfc3339(use.at),
        "expires_at": rfc3339(use.expires_at),
    }
