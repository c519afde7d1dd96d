"""The AuthZEN 1.0 interface over HTTP; nothing is decided here."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from contracts.messages import Role
from exchange.authzen import asking, searching
from exchange.authzen.shapes import (
    ActionSearch,
    Evaluation,
    NotJson,
    ResourceSearch,
    SubjectSearch,
    metadata,
    read,
    read_batch,
)
from exchange.edge import JSON_TYPE, Wired, answer_json
from exchange.identity import Caller, Person, node_or_person

router = APIRouter(tags=["policies"])

Asker = Annotated[Caller | Person, Depends(node_or_person(Role.AUDITOR, Role.ADMINISTRATOR))]


async def _json_body(request: Request) -> bytes:
    """Give the body of a request that says it is JSON; raise NotJson."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise NotJson
    return await request.body()


JsonBody = Annotated[bytes, Depends(_json_body)]


@router.get("/.well-known/authzen-configuration")
def configuration(parts: Wired) -> Response:
    """Describe this decision point."""
    return answer_json(metadata(parts.settings.public_url))


@router.post("/access/v1/evaluation")
async def evaluation(parts: Wired, caller: Asker, body: JsonBody) -> Response:
    """Answer one question."""
    return _fresh(await asking.evaluate(parts, caller, read(Evaluation, body)))


@router.post("/access/v1/evaluations")
async def evaluations(parts: Wired, caller: Asker, body: JsonBody) -> Response:
    """Answer many questions, or one."""
    asked = read_batch(body)
    if isinstance(asked, Evaluation):
        return _fresh(await asking.evaluate(parts, caller, asked))
    return _fresh(await asking.evaluate_batch(parts, caller, asked))


@router.post("/access/v1/search/subject")
async def search_subject(parts: Wired, caller: Asker, body: JsonBody) -> Response:
    """Name the participants that may."""
    return _fresh(await searching.search_subjects(parts, caller, read(SubjectSearch, body)))


@router.post("/access/v1/search/resource")
async def search_resource(parts: Wired, caller: Asker, body: JsonBody) -> Response:
    """Name the datasets with which the subject may."""
    return _fresh(await searching.search_resources(parts, caller, read(ResourceSearch, body)))


@router.post("/access/v1/search/action")
async def search_action(parts: Wired, caller: Asker, body: JsonBody) -> Response:
    """Name what the subject may do."""
    return _fresh(await searching.search_actions(parts, caller, read(ActionSearch, body)))


def _fresh(value: searching.Found) -> Response:
    response = answer_json(value)
    response.headers["cache-control"] = "no-store"
    return response
