"""Records are read so that no other parser can see another record (RFC 7493)."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.parsing import MAX_RECORD_BYTES, MAX_RECORD_DEPTH, NotARecord, RecordParser, parse_record
from contracts.schema import parse_contract
from contracts.validation import RowValidator
from tests.contracts.workload import rows, workload_contract

Make = Callable[..., dict[str, Any]]
OPEN = {"type": ["number", "null"]}


def deep(levels: int) -> bytes:
    """Nest arrays in a record."""
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":NaN}', b'{"a":1e400}', b'{"a":"\\ud800"}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"[1]",
        b"1", b"{",
        b'{"a" : 1,"b":2,"a":3}', b'{"a\\u0062":1,"ab":2}', b'{"a":9007199254740992}',
        b'{"a":[-9007199254740992]}',
        b'{"a":18446744073709551616}', b'{"a":"\xff"}', deep(MAX_RECORD_DEPTH), deep(2000), b"",
    ],
    ids=repr,
)  # fmt: skip
def test_what_parsers_read_differently_is_no_record(line: bytes) -> None:
    """NaN, doubled keys, lone surrogates, large integers and deep nesting are refused in words."""
    with pytest.raises(NotARecord) as refused:
        parse_record(line)

    assert refused.value.message.zh.startswith("该行不是合规的 JSON 对象")


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"a":"\\":\\" : "}', b'{"a:":" :","b":":"}', b'{"a" :\t1 , "b"\r:2}', b'{"a":9007199254740991}',
        b'{"a":1e300}', deep(MAX_RECORD_DEPTH - 1), b'{"":{"":""}}',
    ],
    ids=repr,
)  # fmt: skip
def test_signs_inside_texts_do_not_mislead(line: bytes) -> None:
    """Colons, quotes and blanks in texts, and large floats, leave a record a record."""
    assert parse_record(line) == json.loads(line)


def test_a_long_line_is_no_record() -> None:
    """A record has at most eight megabytes."""
    with pytest.raises(NotARecord):
        parse_record(b'{"a":"' + b"x" * MAX_RECORD_BYTES + b'"}')


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    record=st.dictionaries(st.text(max_size=4), _json, max_size=4), spaced=st.booleans(), plain=st.booleans()
)
def test_any_json_object_is_read_as_it_is(record: dict[str, Any], *, spaced: bool, plain: bool) -> None:
    """However it is spelled, a record is read as Python's own parser reads it."""
    line = json.dumps(record, indent=1 if spaced else None, ensure_ascii=plain).encode()

    assert parse_record(line) == record


@given(line=st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_a_record_or_refused(line: bytes) -> None:
    """No line raises anything but the refusal."""
    with suppress(NotARecord):
        assert isinstance(parse_record(line), dict)


def test_a_bad_line_leaves_its_neighbours_alone() -> None:
    """Lines read together give what each gives by itself, in order."""
    lines = [orjson.dumps(row) for row in rows(50, seed=3, broken=0.3)]
    lines[7] = lines[7].replace(b'{"station"', b'{"depth":1,"station"', 1)
    lines[30] = b"not json"

    parsed = RecordParser(workload_contract()).parse(lines)

    assert [index for index, _ in parsed.faults] == [7, 30]
    assert parsed.records == [orjson.loads(lines[index]) for index in parsed.indices]
    assert list(parsed.indices) == [index for index in range(50) if index not in {7, 30}]


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from([b'{"code":"500100","level":1}', b'{"code":"1","code":"1"}', b"[", deep(300)])
    )
)
def test_what_is_said_of_a_line_does_not_depend_on_the_others(lines: list[bytes]) -> None:
    """Each line is judged alone, wherever a batch ends."""
    parser = RecordParser(workload_contract())

    together = {index: str(fault) for index, fault in parser.parse(lines).faults}

    assert together == {
        index: str(fault) for index, line in enumerate(lines) for _, fault in parser.parse([line]).faults
    }


@pytest.mark.parametrize(
    "text", ["9007199254740992", "-9007199254740992", "18446744073709551616", "1" + "0" * 30]
)
def test_an_integer_that_systems_read_differently_is_refused(make: Make, text: str) -> None:
    """Where a contract sets no limit, an integer beyond 2^53 - 1 is no record; else its limit says why."""
    limited = parse_contract(orjson.dumps(make()))
    made = make()
    made["record"]["properties"]["level"] = OPEN
    unlimited = parse_contract(orjson.dumps(made))
    line = f'{{"code":"500100","level":{text}}}'.encode()

    assert len(RecordParser(unlimited).parse([line]).faults) == 1
    (record,) = RecordParser(limited).parse([line]).records
    assert {violation.rule for violation in RowValidator(limited).violations(record)} <= {
        "maximum",
        "minimum",
    }


def test_a_large_integer_from_elsewhere_is_refused_as_a_row(make: Make) -> None:
    """A row that came from no text is held to the same range, and the violation names the field."""
    made = make()
    made["record"]["properties"]["level"] = OPEN
    validator = RowValidator(parse_contract(orjson.dumps(made)))
    row = {"code": "500100", "level": 2**60}

    (violation,) = validator.violations(row)

    assert not validator.is_valid(row)
    assert validator.doubtful_records([row | {"level": 1}, row]) == [1]
    assert (violation.pointer, violation.rule) == ("/level", "json")
