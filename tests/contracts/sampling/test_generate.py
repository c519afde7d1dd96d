"""Made rows: good ones are admitted, broken ones break one rule, and equal seeds make equal rows."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.sampling.generate import rows
from contracts.sampling.sample import NoSample, sample_record
from contracts.sampling.seen import Form, seen
from contracts.schema import parse_contract
from contracts.validation import RowValidator
from tests.contracts.conftest import document

FORMS: tuple[Form, ...] = ("ndjson", "csv", "parquet")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", library.names())
def test_each_row_is_good_or_breaks_one_rule(name: str, form: Form) -> None:
    """As a reader of the file sees them, good rows are admitted and each broken one has exactly one fault."""
    contract = library.load(name)
    judge = RowValidator(contract)
    broken = 0
    for made in rows(contract, 80, seed=5, broken=0.4, form=form):
        read = seen(contract, made.row, form)
        assert read is not None
        faults = [(fault.pointer, fault.rule) for fault in judge.violations(read)]
        assert faults == ([] if made.broken is None else [made.broken])
        broken += made.broken is not None

    assert 10 <= broken <= 60


def test_equal_seeds_make_equal_rows() -> None:
    """The seed decides every row, and another seed makes others."""
    contract = library.load("pollution-source-online")
    one, again, other = (
        [made.row for made in rows(contract, 30, seed=seed, broken=0.2)] for seed in (7, 7, 8)
    )

    assert one == again
    assert one != other


def test_rows_follow_the_series_and_keep_the_key() -> None:
    """Times go forward by the step of the series at every station, and no key stands twice."""
    contract = library.load("ambient-air-hourly")
    made = [one.row for one in rows(contract, 40, seed=1)]
    times = [row["local_time"] for row in made if row["station"] == made[0]["station"]]

    assert len({(row["station"], row["local_time"]) for row in made}) == 40
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[:2] == ["2026-01-01T00:00", "2026-01-01T01:00"]


def test_rows_keep_the_order_that_quality_rules_ask_for() -> None:
    """PM2.5 is at most PM10 in every made row where the contract says so."""
    made = [one.row for one in rows(library.load("ambient-air-hourly"), 100, seed=2)]

    assert all(row["pm2_5"] <= row["pm10"] for row in made if None not in (row["pm2_5"], row["pm10"]))


def test_conditions_are_broken_too() -> None:
    """Among the ways to break a row is each branch of a condition."""
    made = document()
    made["record"]["allOf"] = [
        {
            "if": {"properties": {"code": {"const": "500100"}}},
            "then": {"properties": {"level": {"maximum": 5}}},
        }
    ]
    contract = parse_contract(orjson.dumps(made))
    judge = RowValidator(contract)
    found = {
        fault.schema_pointer
        for one in rows(contract, 300, seed=3, broken=1)
        for fault in judge.violations(one.row)
    }

    assert "/allOf/0/then/properties/level/maximum" in found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-50, 50),
    st.integers(0, 100),
    st.integers(1, 7),
    st.booleans(),
    st.booleans(),
    st.integers(0, 9),
)
def test_numbers_are_drawn_within_their_limits(
    low: int, span: int, step: int, exclusive: bool, whole: bool, seed: int
) -> None:
    """Whatever the limits, a drawn record is admitted, or there is none and that is said."""
    part = {"type": "integer", "minimum": low, "maximum": low + span, "multipleOf": step}
    if not whole:
        part = {
            "type": "number",
            ("exclusiveMinimum" if exclusive else "minimum"): low,
            "maximum": low + span,
        }
    record = {"type": "object", "properties": {"x": part}, "required": ["x"], "additionalProperties": False}
    possible = any(n % step == 0 for n in range(low, low + span + 1)) if whole else span > 0 or not exclusive
    try:
        assert sample_record(record, {}, seed)["x"] >= low
    except NoSample:
        assert not possible


def test_a_contradiction_is_said() -> None:
    """A record that nothing satisfies is reported, not searched for forever."""
    record = {
        "type": "object",
        "properties": {"x": {"type": "string"}},
        "required": ["x"],
        "not": {"required": ["x"]},
    }

    with pytest.raises(NoSample):
        sample_record(record, {})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 10**12, "maxLength": 10**13},
        {
            "type": "array",
            "minItems": 10**5,
            "maxItems": 10**6,
            "items": {"type": "array", "minItems": 10**5, "maxItems": 10**6, "items": {"type": "boolean"}},
        },
    ],
    ids=["a text of a terabyte", "lists of lists"],
)
def test_a_record_that_would_fill_the_memory_is_not_made(schema: dict[str, object]) -> None:
    """A contract of a stranger may ask for records that no machine holds; then there is no sample."""
    made = document()
    made["record"]["properties"]["keeper"] = {**schema, "type": [schema["type"], "null"]}
    made["example"] = '{"code":"500100","level":1.5,"keeper":null}'
    contract = parse_contract(orjson.dumps(made))

    with pytest.raises(NoSample):
        list(rows(contract, 50, seed=3, broken=0.5))
