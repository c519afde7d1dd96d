"""The log over HTTP (c2sp.org/tlog-tiles): hash tiles are open, entry bundles need a signed reader."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from audit.tile import parse_entries_path, parse_tile_path
from contracts.messages import Consistency, Role
from exchange.edge import Wired, answer
from exchange.identity import AdmittedNode, Caller, Person, node_or_person
from exchange.log import flow

router = APIRouter(tags=["log"])

# Beyond every log and within every dialect's integers.
Place = Annotated[int, Path(ge=0, le=2**53)]

NOTE_TYPE = "text/plain; charset=utf-8"
TILE_TYPE = "application/octet-stream"
_SECONDS = {"cache-control": "public, max-age=1"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_PRIVATE = {"cache-control": "private, max-age=31536000, immutable"}


@router.get("/log/checkpoint")
def checkpoint(parts: Wired) -> Response:
    """Give the newest published checkpoint."""
    return Response(flow.published_checkpoint(parts), media_type=NOTE_TYPE, headers=_SECONDS)


@router.get("/log/status")
def status(parts: Wired) -> Response:
    """Say how the log stands."""
    return answer(flow.status(parts))


@router.get("/log/proof/{index}")
def proof(parts: Wired, _caller: AdmittedNode, index: Place) -> Response:
    """Prove an entry under the newest quorum-cosigned checkpoint; its leaf is for members, past ones too."""
    return answer(flow.inclusion(parts, index))


@router.get("/log/consistency/{old}/{new}")
def consistency(parts: Wired, old: Place, new: Place) -> Response:
    """Prove that one size of the log extends another."""
    return answer(Consistency(path=flow.consistency(parts, old, new)))


@router.get("/log/tile/entries/{place:path}")
def entries(
    parts: Wired,
    _reader: Annotated[Caller | Person, Depends(node_or_person(Role.AUDITOR))],
    place: str,
) -> Response:
    """Give an entry bundle."""
    n, width = parse_entries_path(f"tile/entries/{place}")
    return Response(parts.log.bundle(n, width), media_type=TILE_TYPE, headers=_PRIVATE)


@router.get("/log/tile/{place:path}")
def tile(parts: Wired, place: str) -> Response:
    """Give a tile of hashes."""
    level, n, width = parse_tile_path(f"tile/{place}")
    return Response(parts.log.tile(level, n, width), media_type=TILE_TYPE, headers=_FOR_EVER)
