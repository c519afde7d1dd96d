"""Cells of a database as JSON: what fits its field, and otherwise something that is judged and shown."""

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum

import orjson
import pytest
import shapely  # type: ignore[import-untyped]  # its types are a package of their own
from hypothesis import given
from hypothesis import strategies as st

from contracts import library
from contracts.schema import Contract, parse_contract
from nodes.intake.sql_values import (
    CursorText,
    CursorUnfit,
    Spelling,
    before,
    read_cursor,
    write_cursor,
    zone_of,
)
from tests.nodes.sharing import CONTRACT

BEIJING = timezone(timedelta(hours=8))


class Colour(Enum):
    """What a database may call a type of its own."""

    RED = "red"


LOCAL = datetime(2026, 3, 1, 8, 30)  # noqa: DTZ001  # what a database without zones holds


def _contract() -> Contract:
    """Make a contract with a field of every kind."""
    record = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "moment": {"type": ["string", "null"], "format": "date-time"},
            "day": {"type": ["string", "null"], "format": "date"},
            "local": {"type": ["string", "null"]},
            "number": {"type": ["number", "null"]},
            "whole": {"type": ["integer", "null"], "minimum": 0, "maximum": 1000},
            "truth": {"type": ["boolean", "null"]},
            "shape": {"type": ["object", "null"], "properties": {}, "additionalProperties": False},
        },
        "required": [],
        "additionalProperties": False,
    }
    fields = [
        {"name": name, "title": {"zh": name, "en": name}, "unit": None, "classification": 1}
        for name in record["properties"]  # type: ignore[attr-defined]  # it is the dict above
    ]
    plain = orjson.loads(library.load(CONTRACT).canonical())
    for part in ("key", "series", "codes", "service", "quality", "sharing", "purposes", "compatibility"):
        plain.pop(part, None)
    plain |= {"id": "every-kind", "version": "1.0.0", "record": record, "fields": fields, "example": "{}"}
    return parse_contract(orjson.dumps(plain))


EVERY = _contract()
SPELLING = Spelling(EVERY, BEIJING, frozenset({"local", "moment"}), frozenset({"truth"}))
BARE = Spelling(EVERY, None)


@pytest.mark.parametrize(
    ("spelling", "name", "value", "expected"),
    [
        (SPELLING, "number", Decimal("0.30"), 0.3),
        (SPELLING, "number", Decimal("12.00"), 12),
        (SPELLING, "whole", Decimal("12.5"), 12.5),
        (SPELLING, "local", Decimal("1.50"), "1.50"),
        (SPELLING, "number", Decimal("NaN"), "NaN"),
        (SPELLING, "number", float("nan"), "nan"),
        (SPELLING, "whole", 2**53, "9007199254740992"),
        (SPELLING, "truth", 1, True),
        (SPELLING, "truth", 2, 2),
        (SPELLING, "whole", 1, 1),
        (SPELLING, "moment", LOCAL, "2026-03-01T08:30:00+08:00"),
        (BARE, "moment", LOCAL, "2026-03-01T08:30:00"),
        (SPELLING, "moment", LOCAL.replace(tzinfo=UTC), "2026-03-01T08:30:00Z"),
        (SPELLING, "moment", "2026-03-01 08:30:00.25", "2026-03-01T08:30:00.250000+08:00"),
        (SPELLING, "local", LOCAL, "2026-03-01T08:30"),
        (SPELLING, "local", LOCAL.replace(second=5), "2026-03-01T08:30:05"),
        (SPELLING, "local", LOCAL.replace(tzinfo=UTC), "2026-03-01T16:30"),
        (BARE, "local", LOCAL.replace(tzinfo=UTC), "2026-03-01T08:30:00Z"),
        (SPELLING, "local", "yesterday", "yesterday"),
        (SPELLING, "day", datetime(2026, 3, 1), "2026-03-01"),  # noqa: DTZ001
        (SPELLING, "day", date(2026, 3, 1), "2026-03-01"),
        (SPELLING, "local", time(8, 30), "08:30:00"),
        (SPELLING, "local", uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (SPELLING, "local", b"\x01\xff", "01ff"),
        (SPELLING, "local", Colour.RED, "red"),
        (SPELLING, "shape", '{"a": 1}', {"a": 1}),
        (SPELLING, "shape", "not json", "not json"),
        (SPELLING, "shape", {"a": [1]}, {"a": [1]}),
        (SPELLING, "shape", {"a": 2**70}, "{'a': 1180591620717411303424}"),
        (SPELLING, "shape", [float("nan")], "[nan]"),
        (SPELLING, "shape", b"\x01\xff", "01ff"),
        (SPELLING, "shape", "0101", "0101"),
        (SPELLING, "local", "a\ud800", "a?"),
        (SPELLING, "local", None, None),
    ],
)
def test_a_cell_is_written_for_its_field(
    spelling: Spelling, name: str, value: object, expected: object
) -> None:
    """Times, numbers and nested values fit where they can; what cannot is text that shows what it was."""
    written = spelling.cell(name, value)

    assert written == expected
    assert type(written) is type(expected)


def test_a_value_of_endless_depth_is_text() -> None:
    """JSON nested deeper than anything reads makes one odd record, and keeps no other row waiting."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert SPELLING.cell("shape", deep) == "(nested too deep)"
    assert isinstance(SPELLING.cell("shape", "[" * 1020 + "]" * 1020), str | list)


@pytest.mark.parametrize("form", [bytes, memoryview, bytes.hex])
def test_binary_geometry_is_geojson(form: type) -> None:
    """A geometry column reads as bytes or as hexadecimal text, and is the same geometry."""
    wkb = shapely.to_wkb(shapely.Point(103.58, 31.01))

    assert SPELLING.cell("shape", form(wkb)) == {"type": "Point", "coordinates": [103.58, 31.01]}


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.floats()),
)


@given(
    row=st.dictionaries(st.sampled_from([field.name for field in EVERY.fields]), CELLS),
    spelling=st.sampled_from([SPELLING, BARE]),
)
def test_any_row_is_one_line_of_json(row: dict[str, object], spelling: Spelling) -> None:
    """No cell of a database breaks a line, or is left out of it."""
    line = spelling.row(row)

    assert line.count(b"\n") == 1
    read = orjson.loads(line)
    assert read.keys() == row.keys()
    assert all((read[name] is None) == (value is None) for name, value in row.items())


CURSORS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=1000).filter(lambda text: text.isprintable()),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(BEIJING)),
)


@given(CURSORS)
def test_a_cursor_reads_back_as_what_it_was(value: object) -> None:
    """Type and value survive the database."""
    again = read_cursor(CursorText.parse(write_cursor(value).canonical()))

    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("value", [None, True, b"x", float("nan"), Decimal("Infinity"), "x" * 1001, [1]])
def test_what_has_no_order_is_no_cursor(value: object) -> None:
    """Nothing can be read on from it."""
    with pytest.raises(CursorUnfit):
        write_cursor(value)


@pytest.mark.parametrize(
    ("value", "lookback", "expected"),
    [
        (10, 3, 7),
        (10.5, 3, 7.5),
        (Decimal("10.5"), 3, Decimal("7.5")),
        (LOCAL, 1800, LOCAL.replace(hour=8, minute=0)),
        (date(2026, 3, 2), 86_401, date(2026, 2, 28)),
        ("text", 0, "text"),
    ],
)
def test_looking_back(value: object, lookback: int, expected: object) -> None:
    """Seconds for times, whole days for days, plain numbers otherwise."""
    assert before(value, lookback) == expected


@pytest.mark.parametrize("value", ["text", True])
def test_nothing_to_count_behind(value: object) -> None:
    """Text has no distance."""
    with pytest.raises(CursorUnfit):
        before(value, 1)


def test_offsets() -> None:
    """An offset is read as it is written."""
    assert zone_of("+08:00") == BEIJING
    assert zone_of("-03:30") == timezone(-timedelta(hours=3, minutes=30))
    assert zone_of(None) is None
