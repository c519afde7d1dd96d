"""The log over HTTP (c2sp.org/tlog-tiles): hash tiles are open, entry bundles need a signed reader."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from audit.formats.tile import parse_entries_path, parse_tile_path
from audit.log.log_reader import LogReader
from audit.log.shards import NoSuchShard
from contracts.identifiers import parse_digest
from contracts.messages import Consistency, ForkReport, Role, ShardRequest
from exchange.edge import JSON_TYPE, Wired, answer, parsed
from exchange.identity import (
    Administrator,
    AdmittedNode,
    Caller,
    Person,
    TestifyingNode,
    node_or_person,
)
from exchange.log import flow, forks, succession, twin

router = APIRouter(tags=["log"])

_SHARD_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


def _one_shard(request: Request, parts: Wired) -> LogReader:
    """Give a reader of the shard that the path names, or of the newest one; raise NoSuchShard."""
    number = request.path_params.get("number")
    if number is None:
        return parts.log
    if not _SHARD_NUMBER.fullmatch(number):
        raise NoSuchShard(f"{number[:20]!r} is no shard's number")
    return parts.log.of(int(number))


OneShard = Annotated[LogReader, Depends(_one_shard)]

# Beyond every log and within every dialect's integers.
Place = Annotated[int, Path(ge=0, le=2**53)]

NOTE_TYPE = "text/plain; charset=utf-8"
TILE_TYPE = "application/octet-stream"
_SECONDS = {"cache-control": "public, max-age=1"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_PRIVATE = {"cache-control": "private, max-age=31536000, immutable"}


@router.get("/log/status")
def status(parts: Wired) -> Response:
    """Say how the log stands."""
    return answer(flow.status(parts))


@router.get("/log/statements/{digest}")
def statement(parts: Wired, _caller: AdmittedNode, digest: str) -> Response:
    """Prove where a signed statement stands in the log, named by the digest of its payload."""
    return answer(flow.statement_inclusion(parts, parse_digest(digest)))


@router.post("/log/forks")
async def report_fork(
    parts: Wired, caller: TestifyingNode, message: Annotated[ForkReport, Depends(parsed(ForkReport))]
) -> Response:
    """Take the proof that this log signed two histories; it then signs nothing more."""
    return answer(await forks.take_report(parts, caller, message))


@router.get("/log/shards")
def shards(parts: Wired) -> Response:
    """List the shards, with what proves that each follows the one before."""
    return answer(succession.shards(parts))


@router.get("/log/checkpoint")
@router.get("/log/shards/{number}/checkpoint")
def checkpoint(reader: OneShard) -> Response:
    """Give the newest published checkpoint."""
    return Response(flow.published_checkpoint(reader), media_type=NOTE_TYPE, headers=_SECONDS)


@router.get("/log/sm3/checkpoint")
@router.get("/log/shards/{number}/sm3/checkpoint")
def twin_checkpoint(parts: Wired, reader: OneShard) -> Response:
    """Give the newest checkpoint of the SM3 twin, signed with SM2."""
    return Response(twin.twin_checkpoint(parts, reader), media_type=NOTE_TYPE, headers=_SECONDS)


@router.get("/log/proof/{index}")
@router.get("/log/shards/{number}/proof/{index}")
def proof(reader: OneShard, _caller: AdmittedNode, index: Place) -> Response:
    """Prove an entry under the newest quorum-cosigned checkpoint; its leaf is for members, past ones too."""
    return answer(flow.inclusion(reader, index))


@router.get("/log/consistency/{old}/{new}")
@router.get("/log/shards/{number}/consistency/{old}/{new}")
def consistency(reader: OneShard, old: Place, new: Place) -> Response:
    """Prove that one size of the log extends another."""
    return answer(Consistency(path=flow.consistency(reader, old, new)))


@router.get("/log/shards/{number}/heads")
def heads(
    reader: OneShard, _reader: Annotated[Caller | Person, Depends(node_or_person(Role.AUDITOR))]
) -> Response:
    """Give the subscription heads with which a shard began that is not the first."""
    return Response(flow.carried_heads(reader), media_type=JSON_TYPE, headers=_PRIVATE)


@router.get("/log/tile/entries/{place:path}")
@router.get("/log/shards/{number}/tile/entries/{place:path}")
def entries(
    reader: OneShard,
    _reader: Annotated[Caller | Person, Depends(node_or_person(Role.AUDITOR))],
    place: str,
) -> Response:
    """Give an entry bundle."""
    n, width = parse_entries_path(f"tile/entries/{place}")
    return Response(reader.bundle(n, width), media_type=TILE_TYPE, headers=_PRIVATE)


@router.get("/log/tile/{place:path}")
@router.get("/log/shards/{number}/tile/{place:path}")
def tile(reader: OneShard, place: str) -> Response:
    """Give a tile of hashes."""
    level, n, width = parse_tile_path(f"tile/{place}")
    return Response(reader.tile(level, n, width), media_type=TILE_TYPE, headers=_FOR_EVER)


@router.post("/operator/shards", status_code=202)
async def close_shard(
    parts: Wired,
    person: Administrator,
    message: Annotated[ShardRequest, Depends(parsed(ShardRequest))],
) -> Response:
    """Close the shard; the next one opens by itself once a quorum has cosigned the end."""
    return answer(await succession.close_shard(parts, person, message.name), 202)
