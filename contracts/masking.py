"""What a mask makes of one value: pure, exact, the same where it is masked and where that is checked.

Every mask leaves a missing value missing, and a masked value as it is: masking twice is masking once, so a
value shows no more than it may if masking changes nothing. A value that a mask cannot read becomes null,
never itself. The keyed hash needs the provider's key; a consumer can check its form only.
"""

import hashlib
import hmac
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from contracts.messages.obligations import (
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskHow,
    MaskNull,
    MaskRound,
    MaskTruncate,
)

Masked = Callable[[Any], Any]  # Any: a cell is whatever the record schema admits

HASH_PATTERN = "^[0-9a-f]{32}$"
LONGITUDES = 180
LATITUDES = 90

_CODE = re.compile(r"[0-9]{6}(?:[0-9]{3}(?:[0-9]{3})?)?", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))?)?",
    re.ASCII,
)
_DIGITS = {"province": 2, "city": 4, "county": 6}
_LEVELS = ("year", "month", "day", "hour")


def masker(how: MaskHow, *, limit: int = LONGITUDES) -> Masked:
    """Give the function that masks one value; of a coordinate, ``limit`` is its greatest size in degrees.

    A hash is made by ``hashed``; here a value that has the form of one stays, and any other becomes null.
    """
    match how:
        case MaskNull():
            return _nothing
        case MaskHash():
            return _hash_form
        case MaskRound():
            return lambda value: _rounded(value, how.digits)
        case MaskTruncate():
            return lambda value: value[: how.characters] if isinstance(value, str) else None
        case MaskGeneralise():
            return lambda value: _generalised(value, how.to)
        case MaskGeoGrid():
            return lambda value: _gridded(value, how.cell_millidegrees, limit)


def hashed(key: bytes, value: object) -> str | None:
    """Give 32 hex digits of HMAC-SHA256 over the value's JSON text; None for a missing value."""
    if value is None:
        return None
    value = value + 0.0 if isinstance(value, float) else value  # 0 and -0 are one number
    return hmac.new(key, orjson.dumps(value), hashlib.sha256).hexdigest()[:32]


def is_no_finer(masked: Masked, value: object) -> bool:
    """Say whether a value shows no more than its mask leaves."""
    again = masked(value)
    return type(again) is type(value) and bool(again == value)


def _nothing(_value: object) -> None:
    return None


def _hash_form(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(HASH_PATTERN, value) else None


def _rounded(value: object, digits: int) -> float | int | None:
    """Round half to even, on the exact value of the number; a float stays a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value, digits)


def _generalised(value: object, to: str) -> str | None:
    if not isinstance(value, str):
        return None
    if to in _DIGITS:
        # Always six digits: whether a code went down to the village is part of what is hidden.
        return value[: _DIGITS[to]].ljust(6, "0") if _CODE.fullmatch(value) else None
    match = _TIME.fullmatch(value)
    if match is None:
        return None
    try:
        return _coarser(match, _LEVELS.index(to))
    except (ValueError, OverflowError):  # 30 February, or a zone that leads out of the calendar
        return None


def _coarser(match: re.Match[str], level: int) -> str:
    """Write a time at a level; one with a zone in UTC, so that an odd zone tells nothing."""
    year, month, day, hour, minute = (int(part or 0) for part in match.groups()[:5])
    at = datetime(year, month, day, hour, minute)  # noqa: DTZ001  # a local time stays local
    sign, hours, minutes = match[8], match[9], match[10]
    if sign is not None:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("no such zone")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        at = at - offset if sign == "+" else at + offset
    at = datetime(  # noqa: DTZ001
        at.year, at.month if level >= 1 else 1, at.day if level >= 2 else 1, at.hour if level >= 3 else 0
    )
    date = f"{at.year:04d}-{at.month:02d}-{at.day:02d}"
    if match[4] is None:
        return date
    if match[7] is not None or sign is not None:
        return f"{date}T{at.hour:02d}:00:00Z"
    return f"{date}T{at.hour:02d}:00" + (":00" if match[6] is not None else "")


# --- places (RFC 7946) -----------------------------------------------------------------------------


def _gridded(value: object, cell: int, limit: int) -> object:
    if isinstance(value, dict):
        try:
            return _geometry(value, cell, nested=False)
        except (ValueError, TypeError, LookupError):  # no geometry, or one with a place outside the globe
            return None
    return _centre(value, cell, limit)


def _centre(value: object, cell: int, limit: int) -> float | None:
    """Give the centre of the part of the value's cell that lies on the globe, in degrees.

    Cells are counted in thousandths of a degree from 0 on the decimal text of the number, so no rounding of
    floats moves a value over an edge. 180 and 90 themselves belong to the cell below.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limit:
        return None
    edge = limit * 1000
    number = math.floor(Decimal(repr(value)) * 1000 / cell)
    if number * cell >= edge:
        number -= 1
    low, high = max(number * cell, -edge), min((number + 1) * cell, edge)
    return (low + high) / 2000


def _geometry(value: dict[str, Any], cell: int, *, nested: bool) -> dict[str, Any]:
    """Snap a geometry; nothing else of the object stays, as a bounding box or an altitude tells the place."""
    kind = value["type"]
    if kind == "GeometryCollection" and not nested:
        parts = [_geometry(part, cell, nested=True) for part in _list(value["geometries"])]
        return {"geometries": _distinct(parts), "type": kind}
    places = _PLACES[kind](_list(value["coordinates"]), cell)
    return {"coordinates": places, "type": kind}


def _position(place: list[Any], cell: int) -> list[float]:
    longitude, latitude = _centre(place[0], cell, LONGITUDES), _centre(place[1], cell, LATITUDES)
    if longitude is None or latitude is None:
        raise ValueError("a position outside the globe")
    return [longitude, latitude]


def _line(places: list[Any], cell: int) -> list[Any]:
    line = _without_repeats([_position(_list(place), cell) for place in places])
    return line + line[:1] if len(line) == 1 else line


def _ring(places: list[Any], cell: int) -> list[Any]:
    ring = _without_repeats([_position(_list(place), cell) for place in [*places, places[0]]])
    # How many corners fell into one cell is not told; a ring has at least four places.
    return ring + [ring[0]] * (4 - len(ring))


def _polygon(rings: list[Any], cell: int) -> list[Any]:
    outer, *holes = [_ring(_list(ring), cell) for ring in rings]
    return [outer, *_distinct([hole for hole in holes if len({tuple(place) for place in hole}) > 2])]


def _many(part: Callable[[list[Any], int], list[Any]]) -> Callable[[list[Any], int], list[Any]]:
    return lambda parts, cell: _distinct([part(_list(item), cell) for item in parts])


_PLACES: dict[str, Callable[[list[Any], int], list[Any]]] = {
    "Point": _position,
    "LineString": _line,
    "Polygon": _polygon,
    "MultiPoint": _many(_position),
    "MultiLineString": _many(_line),
    "MultiPolygon": _many(_polygon),
}


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise ValueError("a geometry has places")
    return value


def _without_repeats(places: list[Any]) -> list[Any]:
    return [place for at, place in enumerate(places) if at == 0 or place != places[at - 1]]


def _distinct(parts: list[Any]) -> list[Any]:
    found: dict[bytes, Any] = {}
    for part in parts:
        found.setdefault(orjson.dumps(part, option=orjson.OPT_SORT_KEYS), part)
    return list(found.values())
