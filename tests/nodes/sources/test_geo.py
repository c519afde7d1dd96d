"""Maps: GeoJSON collections and GeoParquet files are rows with a geometry, judged by the forest contract."""

import json
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import shapely  # type: ignore[import-untyped]  # its types are a package of their own
from hypothesis import given
from hypothesis import strategies as st

from contracts import library
from nodes.sources import geojson_rows
from nodes.sources.faults import BrokenText, SourceFault, UnreadableForm
from nodes.sources.geometry import CoordinatesUnknown, check_reference, geometry_of
from nodes.sources.json_start import is_collection
from nodes.sources.source import open_source, recognise
from tests.nodes.sources.conftest import Put
from tests.nodes.sources.taking import take_in

FOREST = "forest-parcel"
CRS84 = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}


def parcel(number: int, **changes: Any) -> dict[str, Any]:
    """Make one valid parcel."""
    return library.load(FOREST).example_row() | {"parcel_id": f"SC-{number:04d}"} | changes


def feature(row: dict[str, Any]) -> dict[str, Any]:
    """Write a row as a feature."""
    rest = {name: value for name, value in row.items() if name != "geometry"}
    return {"type": "Feature", "geometry": row["geometry"], "properties": rest}


def collection(*features: Any, **members: Any) -> str:
    """Write a collection."""
    return json.dumps(
        {"type": "FeatureCollection", **members, "features": list(features)}, ensure_ascii=False
    )


def test_features_are_rows_with_a_geometry(put: Put, tmp_path: Path) -> None:
    """A collection is recognised by its fields; a bad geometry is one bad row."""
    odd = parcel(2, geometry={"type": "Point", "coordinates": [103.5, 31.0]})
    path = put(collection(feature(parcel(1)), feature(odd), feature(parcel(3)), name="小班", crs=CRS84))

    found = recognise(path)
    done = take_in(open_source(path), tmp_path / "a.parquet")

    assert found is not None
    assert (found.contract_id, found.info.format) == (FOREST, "contract-geojson")
    assert done.counts.model_dump() == {"read": 3, "published": 2, "quarantined": 1}
    assert [bad.row_number for bad in done.rejected] == [2]
    written = pl.read_parquet(tmp_path / "a.parquet")
    assert orjson.loads(written["geometry"][1]) == parcel(3)["geometry"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"type": "Thing", "properties": {}}, "not a GeoJSON feature"),
        ({"type": "Feature", "properties": [1], "geometry": None}, "not a GeoJSON feature"),
        ({"type": "Feature", "properties": {"geometry": 1}, "geometry": None}, "a geometry of their own"),
        (5, "not an object"),
    ],
)
def test_a_feature_that_is_no_record_is_rejected_alone(
    put: Put, tmp_path: Path, content: object, reason: str
) -> None:
    """It keeps its number and says why; its neighbours are published."""
    path = put(collection(feature(parcel(1)), content, feature(parcel(3))))

    done = take_in(open_source(path, FOREST), tmp_path / "a.parquet")

    assert done.counts.published == 2
    assert done.rejected[0].row_number == 2
    assert reason in done.rejected[0].violations[0].message.en


def test_a_key_that_stands_twice_in_a_feature_is_rejected(put: Put, tmp_path: Path) -> None:
    """No two parsers may see two records in one feature."""
    twice = json.dumps(feature(parcel(1))).replace('"area": 52.4', '"area": 1, "area": 52.4')
    whole = json.dumps(feature(parcel(2)))
    path = put('{"type": "FeatureCollection", "features": [' + twice + ", " + whole + "]}")

    done = take_in(open_source(path, FOREST), tmp_path / "a.parquet")

    assert [bad.row_number for bad in done.rejected] == [1]


def test_features_are_read_one_by_one(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the blocks that are read, the rows are the same, also with members behind them."""
    text = collection(*(feature(parcel(n)) for n in range(1, 8)))[:-1] + ', "bbox": [1, 2, 3, 45], "n": 12}'
    path = put(text, "map.geojson.gz")
    monkeypatch.setattr(geojson_rows, "_BLOCK_CHARS", 7)

    rows = [row for batch in open_source(path, FOREST).batches(3) for _, row in batch.rows()]

    assert rows == [parcel(n) for n in range(1, 8)]


@pytest.mark.parametrize(
    "text",
    [
        collection(feature(parcel(1)))[:-2],
        collection(feature(parcel(1))) + "{}",
        collection(feature(parcel(1))).replace("FeatureCollection", "Feature Collection"),
        collection(feature(parcel(1)))[:-1] + ', "features": []}',
        collection(feature(parcel(1)))[:-1] + ", 5: 6}",
        collection("a").replace('"a"', "[" * 100_000),
        collection("a").replace('"a"', '{"type": nope}'),
    ],
)
def test_a_broken_collection_is_a_fault(put: Put, text: str) -> None:
    """A text that cannot be followed to its end publishes nothing."""
    with pytest.raises(SourceFault):
        list(open_source(put(text), FOREST).batches())


def test_the_fault_names_the_feature(put: Put) -> None:
    """A person finds the place in the file."""
    text = collection(feature(parcel(1)), feature(parcel(2)))
    with pytest.raises(BrokenText, match="feature 2"):
        list(open_source(put(text[:-30]), FOREST).batches())


@pytest.mark.parametrize(
    "crs",
    [
        None,
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4527"}},
        {"type": "link", "properties": {"href": "http://example.org/"}},
        5,
    ],
)
def test_other_coordinates_are_refused(put: Put, crs: object) -> None:
    """Projected metres are never taken for degrees, wherever in the text the system is named."""
    behind = collection(feature(parcel(1)))[:-1] + ', "crs": ' + json.dumps(crs) + "}"
    for text in (collection(feature(parcel(1)), crs=crs), behind):
        with pytest.raises(CoordinatesUnknown):
            list(open_source(put(text), FOREST).batches())


@pytest.mark.parametrize("name", ["EPSG:4490", "OGC:CRS84", "urn:ogc:def:crs:EPSG::4326"])
def test_longitude_and_latitude_have_several_names(name: str) -> None:
    """WGS 84 and CGCS2000 are what the contract means."""
    check_reference(name, "a file")

    with pytest.raises(CoordinatesUnknown):
        check_reference(name + "0", "a file")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"type":"FeatureCollection","features":[', True),
        (b'{"name":"x","crs":{"a":[1]},"type" : "FeatureCollection"', True),
        (b'{"features": [ {"type": "Feature", "pro', True),
        (b'{"features": []', True),
        (b'{"features": [{"kind": "Future"}]}\n', False),
        (b'{"type":"Feature"}', False),
        (b'{"parcel_id": "FeatureCollection"}\n{"type": "FeatureCollection"}', False),
        (b"{" * 100_000, False),
        (b"{", False),
    ],
)
def test_a_collection_is_told_from_lines(head: bytes, expected: bool) -> None:
    """What decides stands at the top of the first object."""
    assert is_collection(head) is expected


@given(st.binary(max_size=80), st.text('{}[]":,type features\\', max_size=80))
def test_any_start_is_looked_at(raw: bytes, text: str) -> None:
    """No bytes make the look at the start raise."""
    assert is_collection(b"{" + raw) in {True, False}
    assert is_collection(b"{" + text.encode()) in {True, False}


def parquet(path: Path, cells: list[bytes | None], geo: dict[str, Any] | None) -> Path:
    """Write parcels with a binary geometry column."""
    rows = [{k: v for k, v in parcel(n).items() if k != "geometry"} for n, _ in enumerate(cells, 1)]
    frame = pl.DataFrame(rows).with_columns(pl.Series("geometry", cells, dtype=pl.Binary))
    frame.write_parquet(path, metadata=None if geo is None else {"geo": json.dumps(geo)})
    return path


def geo(**column: Any) -> dict[str, Any]:
    """Write the metadata of GeoParquet 1.1."""
    said = {"encoding": "WKB", "geometry_types": ["Polygon"], **column}
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": said}}


SHAPE = shapely.from_geojson(json.dumps(library.load(FOREST).example_row()["geometry"]))


@pytest.mark.parametrize("crs", [{}, {"crs": {"id": {"authority": "EPSG", "code": 4490}}}])
def test_geoparquet_gives_the_rows_of_its_geojson(tmp_path: Path, crs: dict[str, Any]) -> None:
    """Binary geometry becomes what the contract judges; bytes that are none are one bad row."""
    wkb = shapely.to_wkb(SHAPE)
    path = parquet(tmp_path / "a.parquet", [wkb, b"\x01\x02", None, wkb], geo(**crs))

    done = take_in(open_source(path, FOREST), tmp_path / "b.parquet")

    assert [bad.row_number for bad in done.rejected] == [2, 3]
    assert "not WKB: 0102" in (done.rejected[0].violations[0].value or "")
    written = pl.read_parquet(tmp_path / "b.parquet")["geometry"]
    assert [orjson.loads(cell) for cell in written] == [parcel(1)["geometry"]] * 2


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (geo(crs=None), CoordinatesUnknown),
        (geo(crs={"id": {"authority": "EPSG", "code": 4527}}), CoordinatesUnknown),
        (geo(encoding="polygon"), UnreadableForm),
        ({"columns": {"geometry": 5}}, UnreadableForm),
        ({"version": "1.1.0"}, UnreadableForm),
    ],
)
def test_geoparquet_of_another_kind_is_refused(
    tmp_path: Path, said: dict[str, Any], fault: type[SourceFault]
) -> None:
    """A system or an encoding that is not read here is a fault of the file."""
    path = parquet(tmp_path / "a.parquet", [shapely.to_wkb(SHAPE)], said)

    with pytest.raises(fault):
        open_source(path, FOREST)


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=3, max_size=6))
def test_coordinates_keep_every_digit(corners: list[tuple[float, float]]) -> None:
    """What went in as binary comes out as the same numbers."""
    line = shapely.LineString(corners)

    geometry = geometry_of(shapely.to_wkb(line))

    assert geometry is not None
    assert geometry["coordinates"] == [list(corner) for corner in corners]


@pytest.mark.parametrize("sign", ["\t", ";", "|"])
def test_columns_may_be_separated_by_another_sign(put: Put, texts: dict[str, str], sign: str) -> None:
    """A header without a comma says what separates its columns; the rows are the same."""
    plain = put(texts["turbine"], "a.csv")
    other = put(texts["turbine"].replace(",", sign), "b.csv")

    expected, actual = (
        [row for batch in open_source(path).batches() for _, row in batch.rows()] for path in (plain, other)
    )
    assert actual == expected


def test_ndjson_in_gb18030_is_read(put: Put, tmp_path: Path) -> None:
    """Lines of records in the older Chinese encoding are the same records."""
    text = "".join(json.dumps(parcel(n), ensure_ascii=False) + "\n" for n in range(1, 4))
    path = put(text, encoding="gb18030")

    source = open_source(path, FOREST)

    assert source.info.encoding == "gb18030"
    assert take_in(source, tmp_path / "a.parquet").counts.published == 3
