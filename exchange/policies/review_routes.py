"""Reviews of policy over HTTP, for auditors and administrators; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts.clock import from_epoch_ms
from contracts.identifiers import Kind, parse_id, parse_name
from contracts.messages import Role
from exchange.edge import Wired, answer_json
from exchange.identity import Person, person_with
from exchange.policies import explaining, review
from exchange.policies.review import PAGE, WhoCan
from exchange.policies.store import Which
from policies.decision import Action, Outcome

router = APIRouter(tags=["policies"])

Reviewer = Annotated[Person, Depends(person_with(Role.AUDITOR, Role.ADMINISTRATOR))]
Milliseconds = Annotated[int, Query(ge=0, le=2**42)]
Address = Annotated[str, Query(min_length=2, max_length=45, pattern=r"^[0-9a-f:.]+$")]


@router.get("/operator/policy/who-can")
async def who_can(
    parts: Wired,
    _person: Reviewer,
    *,
    dataset: str,
    action: Action,
    purpose: str | None = None,
    at: Milliseconds | None = None,
    address: Address | None = None,
    page: Annotated[str, Query(max_length=1000)] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> Response:
    """Say who could apply for a dataset, or receive it, and why; ``at`` is in milliseconds since 1970."""
    wanted = WhoCan(
        dataset=parse_name(dataset),
        action=action,
        purpose=None if purpose is None else parse_name(purpose),
        at=None if at is None else from_epoch_ms(at),
        address=address,
    )
    return answer_json(await review.who_can(parts, wanted, page, limit))


@router.get("/operator/policy/decisions")
async def decisions(
    parts: Wired,
    _person: Reviewer,
    *,
    participant: str | None = None,
    dataset: str | None = None,
    outcome: Outcome | None = None,
    since: Milliseconds | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List the decisions that are kept, newest first."""
    which = Which(
        participant=None if participant is None else parse_id(participant, Kind.PARTICIPANT),
        dataset=None if dataset is None else parse_name(dataset),
        outcome=outcome,
        since=None if since is None else from_epoch_ms(since),
        limit=limit,
    )
    return answer_json(explaining.decisions(parts, which))


@router.get("/operator/policy/decisions/{decision}")
async def explain(parts: Wired, _person: Reviewer, decision: str) -> Response:
    """Say why a decision came out as it did."""
    return answer_json(await explaining.explain(parts, parse_id(decision, Kind.DECISION)))
