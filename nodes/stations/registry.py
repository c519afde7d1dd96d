"""The register of stations and the quarantine of their frames, in the node's database.

Passwords and SM4 keys are sealed with AES-256-GCM under a secret of this home that lies in a file of its own,
bound to the station's MN: a copy of the database alone opens nothing.
"""

import base64
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func
from sqlmodel import Session, col, delete, select

from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import Corrupt
from contracts.hj212 import DeviceUnits, Edition
from nodes.intake.spool import find_source
from nodes.node import Node
from nodes.secret_key import secret_key
from nodes.stations.model import (
    Heard,
    NoSuchStation,
    Refused,
    Secret,
    Station,
    StationExists,
    StationState,
    refusal_title,
)
from nodes.stations.tables import StationRefusalCountRow, StationRefusalRow, StationRow

MAX_REFUSALS = 10_000
MAX_PAGE = 1000
_NONCE_BYTES = 12


class StationSecretUnreadable(Corrupt):
    """A station's secret does not open under this home's key."""

    code = "station-secret"
    title_zh = "站点密码无法用本节点的密钥解开"
    next_zh = "恢复 keys/stations.key,或用 headwaters station change 重新录入密码与密钥。"
    next_en = "Restore keys/stations.key, or enter password and key anew with headwaters station change."


class NodeRegister:
    """The register as the gateway of a node sees it."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def stations(self) -> Mapping[str, Station]:
        """Give every station by its MN."""
        return all_stations(self._node)

    def note(
        self,
        refused: Sequence[tuple[str, Refused]],
        uncounted: Mapping[str, int],
        heard: Mapping[str, Heard],
    ) -> None:
        """Keep what was refused, and when stations were heard, in one transaction."""
        if not refused and not uncounted and not heard:
            return
        with self._node.database.transaction() as session:
            add_refusals(session, refused, uncounted, at=epoch_ms(self._node.clock.now()))
            for mn, one in heard.items():
                row = session.get(StationRow, mn)
                if row is not None:
                    row.seen_at = max(row.seen_at or 0, epoch_ms(one.at))
                    row.refused += one.refused
                    session.add(row)


def add_station(node: Node, station: Station) -> None:
    """Register a station; raise BadStation, StationExists, NoSuchSource, UnitUnknown or UnitsDoNotConvert."""
    station.check()
    find_source(node, station.source)
    with node.database.transaction() as session:
        if session.get(StationRow, station.mn) is not None:
            raise StationExists(f"{station.mn} is registered")
        session.add(_row(node, station, epoch_ms(node.clock.now())))


def change_station(node: Node, station: Station) -> None:
    """Put a station's present registration in the place of its last one; its counts stay.

    Raises NoSuchStation, BadStation, NoSuchSource, UnitUnknown or UnitsDoNotConvert.
    """
    station.check()
    find_source(node, station.source)
    with node.database.transaction() as session:
        row = _find(session, station.mn)
        fresh = _row(node, station, row.at)
        for name in ("name", "source", "edition", "secret", "encrypts", "units", "state", "synthetic"):
            setattr(row, name, getattr(fresh, name))
        session.add(row)


def retire_station(node: Node, mn: str) -> None:
    """Hear a station no more; what it sent stays. Raise NoSuchStation."""
    with node.database.transaction() as session:
        row = _find(session, mn)
        row.state = StationState.RETIRED
        session.add(row)


def find_station(node: Node, mn: str) -> Station:
    """Find a station with its secret; raise NoSuchStation or StationSecretUnreadable."""
    with node.database.read() as session:
        row = _find(session, mn)
    return _station(node, row)


def all_stations(node: Node) -> dict[str, Station]:
    """Read every station by its MN, also retired ones; raise StationSecretUnreadable."""
    with node.database.read() as session:
        rows = session.exec(select(StationRow)).all()
    return {row.mn: _station(node, row) for row in rows}


def list_stations(node: Node) -> list[dict[str, Any]]:  # Any: the JSON that people and scripts read
    """List the stations with their counts and without their secrets."""
    with node.database.read() as session:
        rows = session.exec(select(StationRow).order_by(StationRow.name, StationRow.mn)).all()
    return [_view(row) for row in rows]


def show_station(node: Node, mn: str) -> dict[str, Any]:  # Any: the JSON that people and scripts read
    """Give one station without its secret; raise NoSuchStation."""
    with node.database.read() as session:
        return _view(_find(session, mn))


def add_refusals(
    session: Session, refused: Iterable[tuple[str, Refused]], uncounted: Mapping[str, int], *, at: int
) -> None:
    """Quarantine frames in a transaction; the newest 10,000 stay, the count of each reason stays for good."""
    rows = [
        StationRefusalRow(
            mn=one.mn,
            address=address,
            reason=one.reason,
            detail=one.detail,
            size_bytes=one.size_bytes,
            raw=one.raw,
            at=at,
        )
        for address, one in refused
    ]
    counts = Counter(row.reason for row in rows)
    counts.update(uncounted)
    session.add_all(rows)
    for reason, count in counts.items():
        known = session.get(StationRefusalCountRow, reason)
        row = known or StationRefusalCountRow(reason=reason, count=0)
        row.count += count
        session.add(row)
    session.flush()
    newest = session.exec(select(func.max(StationRefusalRow.id))).one() or 0
    session.connection().execute(
        delete(StationRefusalRow).where(col(StationRefusalRow.id) <= newest - MAX_REFUSALS)
    )


def list_refusals(node: Node, mn: str | None, limit: int) -> dict[str, Any]:  # Any: JSON
    """Give the count of each reason and the newest quarantined frames, newest first."""
    wanted = [] if mn is None else [StationRefusalRow.mn == mn]
    query = select(StationRefusalRow).where(*wanted).order_by(col(StationRefusalRow.id).desc())
    with node.database.read() as session:
        counts = session.exec(select(StationRefusalCountRow)).all()
        rows = session.exec(query.limit(min(limit, MAX_PAGE))).all()
    return {
        "counts": {row.reason: row.count for row in counts},
        "frames": [
            {
                "id": row.id,
                "mn": row.mn,
                "address": row.address,
                "reason": row.reason,
                "title": refusal_title(row.reason).model_dump(),
                "detail": row.detail,
                "size_bytes": row.size_bytes,
                "frame": row.raw.decode(errors="backslashreplace"),
                "at": rfc3339(from_epoch_ms(row.at)),
            }
            for row in rows
        ],
    }


def _find(session: Session, mn: str) -> StationRow:
    row = session.get(StationRow, mn)
    if row is None:
        raise NoSuchStation(f"there is no station {mn[:24]!r}")
    return row


def _row(node: Node, station: Station, at: int) -> StationRow:
    return StationRow(
        mn=station.mn,
        name=station.name,
        source=station.source,
        edition=station.edition.value,
        secret=_seal(node, station),
        encrypts=station.secret.sm4_key is not None,
        units=orjson.dumps(dict(station.units.sent), option=orjson.OPT_SORT_KEYS).decode(),
        state=station.state.value,
        synthetic=station.synthetic,
        at=at,
    )


def _station(node: Node, row: StationRow) -> Station:
    station = Station(
        mn=row.mn,
        name=row.name,
        source=row.source,
        edition=Edition(row.edition),
        secret=Secret(""),
        units=DeviceUnits(orjson.loads(row.units)),
        state=StationState(row.state),
        synthetic=row.synthetic,
    )
    return replace(station, secret=_open(node, row))


def _view(row: StationRow) -> dict[str, Any]:
    return {
        "mn": row.mn,
        "name": row.name,
        "source": row.source,
        "edition": row.edition,
        "encrypts": row.encrypts,
        "units": orjson.loads(row.units),
        "state": row.state,
        "synthetic": row.synthetic,
        "packets": row.packets,
        "records": row.records,
        "repeated": row.repeated,
        "refused": row.refused,
        "seen_at": None if row.seen_at is None else rfc3339(from_epoch_ms(row.seen_at)),
        "data_at": None if row.data_at is None else rfc3339(from_epoch_ms(row.data_at)),
        "registered_at": rfc3339(from_epoch_ms(row.at)),
    }


def _cipher(node: Node) -> AESGCM:
    return AESGCM(secret_key(node.home.path / "keys" / "stations.key"))


def _seal(node: Node, station: Station) -> str:
    key = station.secret.sm4_key
    clear = orjson.dumps({"password": station.secret.password, "sm4_key": key.hex() if key else None})
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.b64encode(nonce + _cipher(node).encrypt(nonce, clear, station.mn.encode())).decode()


def _open(node: Node, row: StationRow) -> Secret:
    sealed = base64.b64decode(row.secret)
    try:
        clear = _cipher(node).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.mn.encode())
    except InvalidTag as error:
        raise StationSecretUnreadable(f"the secret of {row.mn} does not open") from error
    value = orjson.loads(clear)
    key = value["sm4_key"]
    return Secret(value["password"], None if key is None else bytes.fromhex(key))
