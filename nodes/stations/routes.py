"""What people do about HJ 212 stations at their node, over loopback (``/local/stations``).

No answer carries a password or a key, and a frame is shown with its password blotted out.
"""

from contextlib import closing
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import Field

from contracts.errors import HeadwatersError
from contracts.hj212 import DeviceUnits, Edition
from contracts.hj212.sm4 import parse_key
from contracts.messages import ContractId, Short, Wire
from nodes.bodies import RawBody
from nodes.callers import AnyPerson, Operator, TheNode
from nodes.exclusive import Busy
from nodes.node import Node
from nodes.stations import registry
from nodes.stations.collect import Collected, collect, journal_folder
from nodes.stations.journal import Journal
from nodes.stations.listening import Listening
from nodes.stations.model import BadStation, Secret, Station, StationState

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/local/stations")

Fields = dict[str, Any]  # Any: the JSON that people and scripts read
Units = Annotated[dict[str, Short], Field(max_length=200)]


class NewStation(Wire):
    """A station to register; ``units`` names what the device sends where it is not annex B's unit."""

    mn: Short
    name: Short
    source: ContractId
    edition: str
    password: Short
    sm4_key: Short | None = None
    units: Units = Field(default={})
    synthetic: bool = False


class StationChange(Wire):
    """What is to be another one from now on; null leaves it as it is."""

    name: Short | None = None
    source: ContractId | None = None
    edition: str | None = None
    password: Short | None = None
    sm4_key: Short | None = None
    units: Units | None = None


@router.get("")
def get_stations(request: Request, node: TheNode, _person: AnyPerson) -> Fields:
    """List the stations, and say where they are heard."""
    hearing = _listening(request)
    return {
        "listening": None if hearing is None else hearing.address,
        "stations": registry.list_stations(node),
    }


@router.post("")
def post_station(request: Request, body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Register a station."""
    asked = NewStation.parse(body)
    station = Station(
        mn=asked.mn,
        name=asked.name,
        source=asked.source,
        edition=_edition(asked.edition),
        secret=Secret(asked.password, None if asked.sm4_key is None else parse_key(asked.sm4_key)),
        units=DeviceUnits(asked.units),
        synthetic=asked.synthetic,
    )
    registry.add_station(node, station)
    return _changed(request, node, station.mn)


@router.get("/refusals")
def get_refusals(
    node: TheNode,
    _person: AnyPerson,
    mn: str | None = None,
    limit: Annotated[int, Query(ge=1, le=registry.MAX_PAGE)] = 50,
) -> Fields:
    """Show the frames that were not taken, and how often each reason was met."""
    return registry.list_refusals(node, mn, limit)


@router.post("/collect")
def post_collect(request: Request, node: TheNode, _person: Operator) -> Fields:
    """Hand what stations sent to their sources now."""
    hearing = _listening(request)
    if hearing is not None:
        hearing.gateway.note()
        return _collected(collect(node, hearing.journal))
    with closing(Journal(journal_folder(node), node.clock)) as journal:
        return _collected(collect(node, journal))


@router.get("/{mn}")
def get_station(mn: str, node: TheNode, _person: AnyPerson) -> Fields:
    """Show one station and the newest frames of it that were not taken."""
    return {**registry.show_station(node, mn), "refusals": registry.list_refusals(node, mn, 5)["frames"]}


@router.post("/{mn}/change")
def post_change(request: Request, mn: str, body: RawBody, node: TheNode, _person: Operator) -> Fields:
    """Change a station's registration."""
    asked = StationChange.parse(body)
    _settle(request, node)
    before = registry.find_station(node, mn)
    edition = before.edition if asked.edition is None else _edition(asked.edition)
    key = before.secret.sm4_key if edition is Edition.Y2025 else None
    key = key if asked.sm4_key is None else parse_key(asked.sm4_key)
    station = Station(
        mn=mn,
        name=asked.name or before.name,
        source=asked.source or before.source,
        edition=edition,
        secret=Secret(asked.password or before.secret.password, key),
        units=before.units if asked.units is None else DeviceUnits(asked.units),
        state=StationState.ACTIVE,
        synthetic=before.synthetic,
    )
    registry.change_station(node, station)
    return _changed(request, node, mn)


@router.post("/{mn}/retire")
def post_retire(request: Request, mn: str, node: TheNode, _person: Operator) -> Fields:
    """Hear a station no more."""
    _settle(request, node)
    registry.retire_station(node, mn)
    return _changed(request, node, mn)


def _settle(request: Request, node: Node) -> None:
    """Read what came under the present registration while it still opens it; raise Busy to be tried again."""
    hearing = _listening(request)
    if hearing is None:
        return
    try:
        collect(node, hearing.journal)
    except Busy:
        raise
    except HeadwatersError as error:
        # What a segment yields is fixed now, and is handed over when its source takes it.
        log.warning("stations_wait", code=error.code)


def _changed(request: Request, node: Node, mn: str) -> Fields:
    hearing = _listening(request)
    if hearing is not None:
        hearing.gateway.reload()
    return registry.show_station(node, mn)


def _listening(request: Request) -> Listening | None:
    hearing = request.app.state.stations
    return hearing if isinstance(hearing, Listening) else None


def _edition(text: str) -> Edition:
    try:
        return Edition(text)
    except ValueError as error:
        raise BadStation(f"{text[:20]!r} is no edition: 2005, 2017 or 2025") from error


def _collected(done: Collected) -> Fields:
    return {
        "segments": done.segments,
        "records": done.records,
        "refused": done.refused,
        "sources": sorted(done.sources),
    }
