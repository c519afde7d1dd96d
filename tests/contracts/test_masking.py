"""Masks on one value: exact, idempotent, and never the value itself where it cannot be read."""

import math
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.masking import hashed, is_no_finer, masker
from contracts.messages import (
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskHow,
    MaskNull,
    MaskRound,
    MaskTruncate,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CELLS = st.integers(1, 10_000)
DEGREES = st.floats(-180, 180)
LEVELS = ("province", "city", "county", "year", "month", "day", "hour")
TIMES = st.sampled_from(
    [
        "2024-02-29T23:59",
        "2024-01-01T00:30:00+08:00",
        "2023-12-31T16:30:00Z",
        "2023-08-01",
        "2023-08-01T05:07:09.5",
    ]
)
PLACES = st.tuples(DEGREES, st.floats(-90, 90)).map(list)
RINGS = st.lists(PLACES, min_size=3, max_size=8).map(lambda ring: [*ring, ring[0]])
GEOMETRIES = st.one_of(
    PLACES.map(lambda place: {"type": "Point", "coordinates": place}),
    st.lists(PLACES, min_size=2, max_size=6).map(lambda line: {"type": "LineString", "coordinates": line}),
    st.lists(RINGS, min_size=1, max_size=3).map(lambda rings: {"type": "Polygon", "coordinates": rings}),
    st.lists(PLACES, min_size=1, max_size=6).map(lambda many: {"type": "MultiPoint", "coordinates": many}),
    st.lists(st.lists(RINGS, min_size=1, max_size=2), min_size=1, max_size=2).map(
        lambda many: {"type": "MultiPolygon", "coordinates": many}
    ),
)
HOWS: st.SearchStrategy[MaskHow] = st.one_of(
    st.just(MaskNull()),
    st.just(MaskHash()),
    st.integers(-9, 9).map(lambda digits: MaskRound(digits=digits)),
    st.integers(1, 200).map(lambda characters: MaskTruncate(characters=characters)),
    st.sampled_from(LEVELS).map(lambda to: MaskGeneralise(to=to)),  # type: ignore[arg-type]  # of the Literal
    CELLS.map(lambda cell: MaskGeoGrid(cell_millidegrees=cell)),
)
VALUES = st.one_of(FLOATS, st.integers(-(2**53), 2**53), st.text(), TIMES, st.booleans(), GEOMETRIES)


def made(how: MaskHow, value: Any, **limit: int) -> Any:
    return masker(how, **limit)(value)


@given(HOWS, VALUES)
@example(MaskRound(digits=2), 2.675)
@example(MaskRound(digits=9), 9.0e15)
@example(MaskRound(digits=-9), 1.7976931348623157e308)
def test_masking_twice_is_masking_once(how: MaskHow, value: Any) -> None:
    """So a value that masking does not change shows no more than it may."""
    mask = masker(how)

    assert is_no_finer(mask, mask(value))


@given(FLOATS.filter(lambda value: abs(value) < 1e200), st.integers(-9, 9))
def test_rounding_is_that_of_the_exact_number(value: float, digits: int) -> None:
    """The result is the double nearest to the exact binary value rounded half to even in decimal."""
    with localcontext(prec=800):
        exact = Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)

    assert made(MaskRound(digits=digits), value) == float(exact)


def test_an_integer_is_rounded_to_an_integer() -> None:
    """Hundreds stay whole numbers; a truth value or a text is no number."""
    mask = masker(MaskRound(digits=-2))

    assert [mask(1250), mask(-151), type(mask(7))] == [1200, -200, int]
    assert (mask(True), mask("12")) == (None, None)


@given(DEGREES, CELLS)
@example(180.0, 9900)
@example(-180.0, 9900)
@example(180.0, 10_000)
@example(-0.0, 10)
@example(0.1 + 0.2, 300)
@example(5e-324, 7)
@example(-5e-324, 7)
def test_a_coordinate_moves_to_the_centre_of_its_cell(value: float, cell: int) -> None:
    """The centre is on the globe, and no farther away than half a cell; equal cells give equal centres."""
    centre = made(MaskGeoGrid(cell_millidegrees=cell), value)

    assert -180 < centre < 180
    assert abs(Decimal(repr(centre)) - Decimal(repr(value))) <= Decimal(cell) / 2000
    edge = Decimal(math.floor(Decimal(repr(value)) * 1000 / cell)) * cell / 1000
    inside = float(edge + Decimal(cell) / 4000)
    if edge >= 0 and inside < 180 and value < 180:
        assert made(MaskGeoGrid(cell_millidegrees=cell), inside) == centre


def test_poles_and_antimeridian_stay_on_the_globe() -> None:
    """180 and 90 belong to the cell below, and a cell that sticks out is cut."""
    mask = MaskGeoGrid(cell_millidegrees=9900)

    assert [made(mask, 180.0), made(mask, 179.0), made(mask, -180.0)] == [179.1, 179.1, -179.1]
    assert made(mask, 90.0, limit=90) == made(mask, 89.9, limit=90) == 89.55
    assert made(MaskGeoGrid(cell_millidegrees=10_000), 90, limit=90) == 85.0
    assert [made(mask, 90.1, limit=90), made(mask, 200000.5), made(mask, math.nan)] == [None, None, None]


@given(GEOMETRIES, CELLS)
def test_a_geometry_shows_centres_only(geometry: dict[str, Any], cell: int) -> None:
    """Every number that is left is the centre of a cell, and nothing but type and places is left."""
    snapped = made(MaskGeoGrid(cell_millidegrees=cell), geometry | {"bbox": [1.23, 4.56, 7.89, 1.01]})

    assert snapped.keys() == {"type", "coordinates"}
    for longitude, latitude in positions(snapped["coordinates"]):
        assert made(MaskGeoGrid(cell_millidegrees=cell), longitude) == longitude
        assert made(MaskGeoGrid(cell_millidegrees=cell), latitude, limit=90) == latitude


def positions(places: Any) -> list[Any]:
    if isinstance(places[0], float):
        return [places]
    return [position for part in places for position in positions(part)]


def test_a_parcel_in_one_cell_tells_neither_its_corners_nor_its_holes() -> None:
    """Corners that fall together are one place; an altitude and a hole within the cell are gone."""
    few = {"type": "Polygon", "coordinates": [[[1.01, 1.01], [1.02, 1.01], [1.02, 1.02], [1.01, 1.01]]]}
    many = {
        "type": "Polygon",
        "coordinates": [
            [[1.01 + n / 1000, 1.01 + n * n / 10_000, 500.5] for n in range(9)] + [[1.01, 1.01, 500.5]],
            [[1.015, 1.015], [1.016, 1.015], [1.016, 1.016], [1.015, 1.015]],
        ],
    }
    mask = MaskGeoGrid(cell_millidegrees=1000)

    assert made(mask, few) == made(mask, many) == {"type": "Polygon", "coordinates": [[[1.5, 1.5]] * 4]}


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}},
        {"type": "Point", "coordinates": [200, 2]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["1", "2"]},
        {"type": ["Point"], "coordinates": [1, 2]},
        {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": []}]},
        {"coordinates": [1, 2]},
    ],
)
def test_what_is_no_geometry_becomes_nothing(odd: dict[str, Any]) -> None:
    """Fail closed: an object that cannot be read as places does not leave."""
    assert made(MaskGeoGrid(cell_millidegrees=10), odd) is None


@pytest.mark.parametrize(
    ("to", "value", "left"),
    [
        ("province", "510104", "510000"),
        ("city", "510104001", "510100"),
        ("county", "510104001002", "510104"),
        ("county", "510104", "510104"),
        ("county", "5101041", None),
        ("county", "五一0104", None),
        ("year", "2023-08-15", "2023-01-01"),
        ("month", "2023-08-15T05:45", "2023-08-01T00:00"),
        ("day", "2023-08-15T05:45:59.123456", "2023-08-15T00:00:00"),
        ("hour", "2023-08-15T05:45:10+08:00", "2023-08-14T21:00:00Z"),
        ("hour", "2023-08-15T05:45:60Z", "2023-08-15T05:00:00Z"),
        ("day", "2023-08-15T23:30:00-00:37", "2023-08-16T00:00:00Z"),
        ("hour", "2023-08-15", "2023-08-15"),
        ("hour", "2023-02-30", None),
        ("hour", "0001-01-01T00:00:00+23:00", None),
        ("hour", "2023-08-15T05:00:00+99:00", None),
        ("hour", "20230815", None),
        ("year", "510104", None),
        ("city", "2023-08-15", None),
    ],
)
def test_codes_and_times_are_cut_to_a_level(to: Any, value: str, left: str | None) -> None:
    """What is no code or time becomes null; the length of a code, a zone and fractions tell nothing."""
    assert made(MaskGeneralise(to=to), value) == left


@given(st.text(), st.text(), st.integers(1, 20))
def test_a_truncated_text_depends_on_its_beginning_only(start: str, end: str, characters: int) -> None:
    """Two texts with one beginning become the same."""
    mask = masker(MaskTruncate(characters=characters))

    if len(start) >= characters:
        assert mask(start + end) == mask(start) == start[:characters]
    assert mask(start) == start[:characters]


@given(st.text() | FLOATS | st.integers(-(2**53), 2**53), st.binary(min_size=32, max_size=32))
def test_a_hash_says_nothing_without_its_key(value: Any, key: bytes) -> None:
    """32 hex digits whatever the value's length, another key gives others, and a missing value has none."""
    found = hashed(key, value)

    assert is_no_finer(masker(MaskHash()), found)
    assert found != hashed(bytes(byte ^ 1 for byte in key), value)
    assert hashed(key, None) is None


def test_zero_has_one_hash() -> None:
    """0.0 and -0.0 are one number, and a hash must not tell them apart."""
    assert hashed(b"k" * 32, 0.0) == hashed(b"k" * 32, -0.0)


def test_a_hash_mask_passes_the_form_of_a_hash_only() -> None:
    """A value that was left as it was does not look like a hash."""
    mask = masker(MaskHash())

    assert is_no_finer(mask, "0" * 32)
    assert not any(is_no_finer(mask, value) for value in ("0" * 31, "A" * 32, "张三", 5, "0" * 32 + "\n"))
