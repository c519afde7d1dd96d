"""Policies over HTTP: the bundle in force for an OPA server, and the changes that people make."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field

from contracts.messages import Digest, Role, Wire
from exchange.edge import Wired, answer_json, parsed
from exchange.identity import Administrator, Person, person_with
from exchange.policies import flow, store
from exchange.policies.flow import Files
from exchange.policies.model import PolicyUnknown

router = APIRouter(tags=["policies"])

Anybody = Annotated[Person, Depends(person_with())]
Approver = Annotated[Person, Depends(person_with(Role.ADMINISTRATOR, Role.OPERATOR))]
RegoFiles = Annotated[dict[str, str], Field(max_length=64)]

MAX_REPLAYED = 20_000


class Proposed(Wire):
    """A signed PolicyProposal with the bundle's files; without ``sources`` it was in force before."""

    envelope: str
    sources: RegoFiles | None
    tests: RegoFiles


class Approved(Wire):
    """A signed PolicyApproval."""

    envelope: str


class Shadow(Wire):
    """The bundle to ask beside the one in force; null for none."""

    policy: Digest | None


@router.get("/policy/bundle.tar.gz")
async def bundle(parts: Wired, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Give the bundle in force as an OPA server fetches it, signed; 304 for the one that it has."""
    in_force = parts.policy.bundle
    tag = f'"{in_force.digest}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(parts.bundle_signer.archive_of(in_force), media_type="application/gzip", headers=headers)


@router.get("/operator/policy")
async def standing(parts: Wired, _person: Anybody) -> Response:
    """Say which policy decides, what waits for a second person, and what was before."""
    return answer_json({**flow.standing(parts), "server": await parts.policy.server()})


@router.get("/operator/policy/bundles/{digest}")
def files(parts: Wired, _person: Anybody, digest: str) -> Response:
    """Give the files of a bundle that is or was in force, or was proposed, with its tests."""
    with parts.database.read() as session:
        found = store.bundle_of(session, digest)
        tests = store.tests_of(session, digest)
    if found is None:
        raise PolicyUnknown(f"{digest[:80]} is not known here")
    sources = {path: raw.decode() for path, raw in found.sources.items()}
    return answer_json({"policy": digest, "sources": sources, "tests": tests})


@router.get("/operator/policy/bundles/{digest}/replay")
async def replay(
    parts: Wired,
    _person: Anybody,
    digest: str,
    last: Annotated[int, Query(ge=1, le=MAX_REPLAYED)] = 1000,
) -> Response:
    """Say what the last decisions would have been under another bundle."""
    return answer_json(await flow.replay_of(parts, digest, last, looking=True))


@router.post("/operator/policy/proposals", status_code=201)
async def propose(
    parts: Wired, person: Administrator, message: Annotated[Proposed, Depends(parsed(Proposed))]
) -> Response:
    """Take an administrator's signed proposal of another policy."""
    handed_in = None if message.sources is None else Files(message.sources, message.tests)
    return answer_json(await flow.propose(parts, person, message.envelope, handed_in), 201)


@router.post("/operator/policy/proposals/{digest}/approval")
async def approve(
    parts: Wired, person: Approver, digest: str, message: Annotated[Approved, Depends(parsed(Approved))]
) -> Response:
    """Put a proposed policy in force with another person's signature."""
    return answer_json(await flow.approve(parts, person, digest, message.envelope))


@router.post("/operator/policy/proposals/{digest}/rejection")
async def reject(parts: Wired, person: Approver, digest: str) -> Response:
    """Close a proposal without effect."""
    return answer_json(await flow.reject(parts, person, digest))


@router.post("/operator/policy/shadow")
async def shadow(
    parts: Wired, person: Approver, message: Annotated[Shadow, Depends(parsed(Shadow))]
) -> Response:
    """Ask a bundle beside the one in force, or none; its answers are only counted."""
    return answer_json(await flow.set_shadow(parts, person, message.policy))
