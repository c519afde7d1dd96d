"""Versions over HTTP: impact, notices and answers for nodes; reviews of undetermined versions for people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from contracts.canonical import Json
from contracts.clock import from_epoch_ms, rfc3339
from contracts.identifiers import parse_name, parse_version
from contracts.messages import ContractId, Digest, Long, Version, Wire
from exchange.edge import Wired, answer, answer_json, parsed
from exchange.evidence import envelope_text
from exchange.identity import ActiveNode, Administrator, Person, person_with
from exchange.versions import flow, notices
from exchange.versions.tables import ReviewRow
from nodes.bodies import RawBody

router = APIRouter(tags=["versions"])

AnyPerson = Annotated[Person, Depends(person_with())]


class ReviewWords(Wire):
    """What a person says of a version that cannot be judged, named by its digest."""

    digest: Digest
    approved: bool
    why: Long


@router.get("/contracts/{contract}/{version}/impact")
async def impact(
    parts: Wired,
    caller: ActiveNode,
    contract: ContractId,
    version: Version,
    instead_of: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Say who of the caller's subscribers loses what when its datasets move to a version."""
    step = None if instead_of is None else _named(instead_of)
    return answer(await notices.impacts(parts, caller, (contract, version), step))


@router.post("/deprecations", status_code=201)
async def deprecate(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Take a notice that a contract version ends."""
    return answer(await notices.deprecate(parts, caller, envelope_text(body)), 201)


@router.get("/deprecations")
async def deprecations(parts: Wired, caller: ActiveNode) -> Response:
    """List the notices that concern the caller."""
    return answer(notices.notices(parts, caller))


@router.post("/deprecations/acknowledgements", status_code=201)
async def acknowledge(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Take a subscriber's answer to a notice."""
    return answer(await notices.acknowledge(parts, caller, envelope_text(body)), 201)


@router.get("/operator/contract-reviews")
async def reviews(parts: Wired, _person: AnyPerson) -> Response:
    """List the versions that nobody could judge, and what became of them."""
    return answer_json({"reviews": [_review(row) for row in flow.reviews(parts)]})


@router.post("/operator/contract-reviews")
async def settle_review(
    parts: Wired, person: Administrator, message: Annotated[ReviewWords, Depends(parsed(ReviewWords))]
) -> Response:
    """Approve or refuse a version that nobody could judge."""
    row = await flow.settle_review(parts, person, message.digest, approved=message.approved, why=message.why)
    return answer_json(_review(row))


def _named(text: str) -> tuple[str, str]:
    name, _, version = text.partition("@")
    parse_version(version)
    return parse_name(name), version


def _review(row: ReviewRow) -> dict[str, Json]:
    return {
        "digest": row.digest,
        "contract": row.contract,
        "version": row.version,
        "provider": row.provider,
        "state": row.state,
        "registration": row.envelope,
        "settled_by": row.settled_by,
        "why": row.why,
        "at": rfc3339(from_epoch_ms(row.at)),
        "settled_at": None if row.settled_at is None else rfc3339(from_epoch_ms(row.settled_at)),
    }
