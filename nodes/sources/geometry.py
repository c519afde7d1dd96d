"""Geometry in binary form as GeoJSON: what GeoParquet files and databases hold becomes what contracts judge.

Well-known binary (OGC 06-103r4 s8, ISO WKB and EWKB alike) is written as an RFC 7946 geometry. Coordinates
stay as they are: what is not in longitude and latitude is refused by whoever knows the reference system.
"""

import re
from pathlib import Path

import orjson
import polars as pl
from polars.exceptions import PanicException, PolarsError

from contracts.schema import Contract
from nodes.sources.faults import SourceFault, UnreadableForm

# WGS 84, and CGCS2000, which is China's realisation of the same and differs by centimetres.
_LONGITUDE_LATITUDE = frozenset({("OGC", "CRS84"), ("EPSG", "4326"), ("EPSG", "4490")})
_URN = re.compile(r"urn:ogc:def:crs:([A-Z]+):[^:]{0,10}:([A-Z0-9]{1,10})", re.ASCII)
_SHORT = re.compile(r"([A-Z]+):([A-Z0-9]{1,10})", re.ASCII)
_SHOWN_BYTES = 32


class CoordinatesUnknown(SourceFault):
    """The coordinates are not longitude and latitude."""

    code = "coordinates-unknown"
    title_zh = "坐标不是经纬度,或坐标系未注明"
    next_zh = "转换为 WGS 84 或 CGCS2000 经纬度(十进制度)后重新导出。"
    next_en = "Convert it to longitude and latitude of WGS 84 or CGCS2000 and export it again."


def check_reference(name: str, where: str) -> None:
    """Raise CoordinatesUnknown unless a reference system is one of longitude and latitude on WGS 84."""
    match = _URN.fullmatch(name) or _SHORT.fullmatch(name)
    if match is None or (match[1], match[2]) not in _LONGITUDE_LATITUDE:
        raise CoordinatesUnknown(f"{where} is in {name[:60]!r}")


def check_geo_columns(path: Path) -> None:
    """Raise CoordinatesUnknown or UnreadableForm for a GeoParquet file (1.1) whose geometry is not read here.

    A column without ``crs`` is in longitude and latitude; null says that nobody knows. A file that is no
    whole Parquet file is left to its reader.
    """
    try:
        text = pl.read_parquet_metadata(path).get("geo")
        columns = orjson.loads(text)["columns"] if text is not None else {}
        found = [(str(name), dict(column)) for name, column in columns.items()]
    except (PolarsError, OSError, PanicException):
        return
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableForm(f"the geo metadata of {path.name} is not that of GeoParquet") from error
    for name, column in found:
        if column.get("encoding") != "WKB":
            raise UnreadableForm(
                f"{path.name}: {name} is encoded as {str(column.get('encoding'))[:40]}, not WKB"
            )
        if "crs" in column:
            check_reference(_identifier(column["crs"]), f"{path.name}, column {name},")


def _identifier(crs: object) -> str:
    """Give ``authority:code`` of a reference system in PROJJSON."""
    found = crs.get("id") if isinstance(crs, dict) else None
    return f"{found.get('authority')}:{found.get('code')}" if isinstance(found, dict) else "unknown"


def geometry_of(wkb: bytes | str) -> dict[str, object] | None:
    """Read WKB, or its hexadecimal text, as a GeoJSON geometry; None for bytes that are none."""
    import shapely  # type: ignore[import-untyped]  # noqa: PLC0415  # untyped, and slow to import

    shape = shapely.from_wkb(wkb, on_invalid="ignore")
    if shape is None:
        return None
    found: dict[str, object] = orjson.loads(shapely.to_geojson(shape))
    return found


def with_geometry(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Write the binary columns that the contract calls objects as GeoJSON text.

    Bytes that are no geometry become a text that says so, which no contract takes for an object.
    """
    binary = [
        column.name
        for column in frame.iter_columns()
        if column.dtype == pl.Binary and contract.kind(column.name) == "object"
    ]
    return frame.with_columns(_as_text(frame[name]) for name in binary) if binary else frame


def _as_text(column: pl.Series) -> pl.Series:
    import shapely  # noqa: PLC0415

    cells = column.to_list()
    shapes = shapely.from_wkb(cells, on_invalid="ignore")
    texts = shapely.to_geojson(shapes)
    made = [
        None if cell is None else text if text is not None else f"not WKB: {cell[:_SHOWN_BYTES].hex()}"
        for cell, text in zip(cells, texts, strict=True)
    ]
    return pl.Series(column.name, made, dtype=pl.String)
