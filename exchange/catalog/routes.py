"""The catalogue over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from contracts.messages import ContractId, DatasetId, Sharing, Version
from exchange.catalog import flow
from exchange.edge import Since, Wired, answer, answer_text
from exchange.evidence import envelope_text
from exchange.identity import ActiveNode
from nodes.bodies import RawBody

router = APIRouter(tags=["catalog"])


@router.post("/contracts", status_code=201)
async def register_contract(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Adopt a contract version."""
    return answer_text(await flow.register_contract(parts, caller, envelope_text(body)), 201)


@router.get("/contracts/{contract}/{version}")
async def contract(parts: Wired, contract: ContractId, version: Version) -> Response:
    """Give a contract's registration; open, because a contract says nothing of who shares what."""
    return answer_text(flow.contract_registration(parts, contract, version))


@router.post("/datasets", status_code=201)
async def register_dataset(parts: Wired, caller: ActiveNode, body: RawBody) -> Response:
    """Take the next record of a dataset."""
    return answer(await flow.register_dataset(parts, caller, envelope_text(body)), 201)


@router.get("/datasets/{dataset}")
async def dataset(parts: Wired, _caller: ActiveNode, dataset: DatasetId) -> Response:
    """Give one dataset's catalog entry."""
    return answer(flow.dataset_entry(parts, dataset))


@router.get("/catalog")
async def search(
    parts: Wired,
    _caller: ActiveNode,
    q: Annotated[str, Query(max_length=200)] = "",
    sharing: Sharing | None = None,
) -> Response:
    """Search the catalogue."""
    return answer(flow.search(parts, q, sharing))


@router.post("/datasets/{dataset}/releases", status_code=201)
async def publish_release(parts: Wired, caller: ActiveNode, dataset: DatasetId, body: RawBody) -> Response:
    """Take the next release of a feed."""
    return answer(await flow.publish_release(parts, caller, dataset, envelope_text(body)), 201)


@router.get("/datasets/{dataset}/releases")
async def releases(parts: Wired, _caller: ActiveNode, dataset: DatasetId, since: Since = 0) -> Response:
    """List a feed's releases after a number."""
    return answer(flow.releases(parts, dataset, since))
