"""Whole columns and single rows get the same verdict, for any schema of the dialect and any typed cells."""

from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.columns import ColumnJudge
from contracts.schema import Contract
from contracts.validation import RowValidator
from tests.contracts.test_traps import TRAPS
from tests.contracts.workload import broken_row, chances, rows, workload_contract

DTYPES = {"t": pl.String(), "n": pl.Float64(), "i": pl.Int64(), "b": pl.Boolean(), "o": pl.String()}
KINDS = {"t": "string", "n": "number", "i": "integer", "b": "boolean", "o": "object"}
MOMENTS = ["2024-02-29T00:00:00Z", "1998-12-31T23:59:60Z", "2026-01-01T00:00:00+0800", "2026-02-30T00:00:00Z"]
TEXTS = ["", "a", "ab", "aaa", "断面", "𠀀", "500100", "500100\n", "１２３", "N", *MOMENTS, "2026-02-28"]
NUMBERS = [0.0, -0.0, 1.0, 1.5, -3.0, 14.0, 1e300, 2.0**53 - 1]
CELLS: dict[str, Any] = {
    "t": st.sampled_from(TEXTS) | st.text(max_size=4),
    "n": st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False),
    "i": st.sampled_from([-3, 0, 1, 2, 14, 2**53 - 1]),
    "b": st.booleans(),
    "o": st.sampled_from([{}, {"x": 1}, {"x": "1"}, {"x": 1, "y": [1, None]}]),
}

_whole = st.integers(-3, 14)
_options = st.lists(
    st.sampled_from(["a", "N", "断面", "", 0, 1, 14, True, False, None]), min_size=1, unique_by=repr
)
_patterns = st.sampled_from(["^a+$", "^[0-9]{6}$", "^(?:a|ab)$", "^$", "^[A-Za-z0-9 :+-]*$"])
_rule = st.one_of(
    st.fixed_dictionaries({"minimum": _whole}),
    st.fixed_dictionaries({"maximum": _whole}),
    st.fixed_dictionaries({"exclusiveMinimum": _whole, "exclusiveMaximum": _whole}),
    st.fixed_dictionaries({"type": st.just("integer"), "multipleOf": st.integers(1, 4)}),
    st.fixed_dictionaries({"minLength": st.integers(0, 3)}),
    st.fixed_dictionaries({"maxLength": st.integers(0, 3)}),
    st.fixed_dictionaries({"pattern": _patterns}),
    st.fixed_dictionaries({"format": st.sampled_from(["date-time", "date", "uuid"])}),
    st.fixed_dictionaries({"enum": _options}),
    st.fixed_dictionaries({"const": st.sampled_from(["a", "N", 1, 0, True, None])}),
    st.fixed_dictionaries(
        {"type": st.lists(st.sampled_from([*KINDS.values(), "null"]), min_size=1, unique=True)}
    ),
    st.fixed_dictionaries({"properties": st.just({"x": {"type": "integer"}}), "required": st.just(["x"])}),
    st.booleans(),
)


def _combine(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner,
        st.fixed_dictionaries({"allOf": some}),
        st.fixed_dictionaries({"anyOf": some}),
        st.fixed_dictionaries({"oneOf": some}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner}, optional={"else": inner}),
    )


_field = st.recursive(_rule, _combine, max_leaves=4)
_names = st.lists(st.sampled_from("tnibo"), unique=True, max_size=3)
_condition = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(st.sampled_from("tnibo"), _field, min_size=1, max_size=2),
        "required": _names,
        "dependentRequired": st.dictionaries(st.sampled_from("tnibo"), _names, max_size=1),
        "minProperties": st.integers(0, 6),
        "maxProperties": st.integers(0, 6),
    },
)


@st.composite
def _records(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record schema: a type for each field, rules on some, and conditions on the whole."""
    properties: dict[str, Any] = {}
    for name, kind in KINDS.items():
        extra = draw(_field)
        properties[name] = {"type": draw(st.sampled_from([kind, [kind, "null"]])), "allOf": [extra]}
    record = {"type": "object", "properties": properties, "additionalProperties": False}
    return record | {"allOf": [draw(_combine(_condition))]}


def contract_of(record: dict[str, Any]) -> Contract:
    """Wrap a record schema as a contract, without the linter: the columns are held to more than it admits."""
    return library.load("forest-parcel").model_copy(update={"record": record})


def frame_of(records: list[dict[str, Any]], columns: list[str]) -> pl.DataFrame:
    """Make typed columns; an object is JSON text."""
    return pl.DataFrame(
        [
            pl.Series(
                name,
                [orjson.dumps(r[name]).decode() if isinstance(r[name], dict) else r[name] for r in records],
                dtype=DTYPES[name],
            )
            for name in columns
        ]
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(record=_records(), data=st.data())
def test_columns_and_rows_agree_on_any_schema(record: dict[str, Any], data: st.DataObject) -> None:
    """The rows that columns doubt are exactly those that the row engine refuses."""
    columns = data.draw(st.lists(st.sampled_from("tnibo"), unique=True, min_size=1), label="columns")
    one = st.fixed_dictionaries({name: st.none() | CELLS[name] for name in columns})
    records = data.draw(st.lists(one, min_size=1, max_size=8), label="rows")
    contract = contract_of(record)
    validator = RowValidator(contract)

    doubtful = ColumnJudge(contract).doubtful(frame_of(records, columns))

    assert doubtful == [index for index, row in enumerate(records) if not validator.is_valid(row)]


TYPED_TRAPS = [
    trap
    for trap in TRAPS
    if isinstance(trap[2], str | bool) or (isinstance(trap[2], float) and trap[2] == trap[2])
]


@pytest.mark.parametrize(
    ("schema", "value", "valid"), [t[1:] for t in TYPED_TRAPS], ids=[t[0] for t in TYPED_TRAPS]
)
def test_columns_are_right_on_the_traps(schema: dict[str, Any], value: object, *, valid: bool) -> None:
    """Where engines are known to differ, the columns are on the right side as well."""
    kind = {str: "t", bool: "b", float: "n"}[type(value)]
    contract = contract_of({"type": "object", "properties": {kind: {"type": KINDS[kind], "allOf": [schema]}}})

    assert ColumnJudge(contract).doubtful(frame_of([{kind: value}], [kind])) == ([] if valid else [0])


def test_both_paths_agree_on_twenty_thousand_rows() -> None:
    """Row by row and by columns, structs as they are and as JSON text, the same rows break the same rules."""
    contract = workload_contract()
    validator, columns = RowValidator(contract), ColumnJudge(contract)
    made = list(rows(20_000, seed=7, broken=0.2, kinds=range(3, 12)))
    refused = [index for index, row in enumerate(made) if not validator.is_valid(row)]
    structs = pl.DataFrame(
        made, schema_overrides={"value": pl.Float64, "note": pl.String}, infer_schema_length=None
    )
    texts = structs.with_columns(pl.col("location").struct.json_encode())

    assert 3000 < len(refused) < 5000
    assert columns.doubtful(structs) == refused
    assert columns.doubtful(texts) == refused


@pytest.mark.parametrize("kind", range(3, 12))
def test_each_defect_is_doubted(kind: int) -> None:
    """Every defect that typed columns can hold is found by the columns."""
    row = broken_row(chances(kind), kind)
    frame = pl.DataFrame(
        [row], schema_overrides={"value": pl.Float64, "sampler": pl.String, "note": pl.String}
    )

    assert ColumnJudge(workload_contract()).doubtful(frame) == [0]


@pytest.mark.parametrize("contract", library.shipped_contracts(), ids=lambda contract: contract.id)
def test_a_shipped_contract_is_judged_by_columns(contract: Contract) -> None:
    """No shipped contract needs the row engine for rows that are in order, and its example is in order."""
    example = contract.example_row()
    columns = contract.columns(example)
    cells = [
        pl.Series(
            name,
            [orjson.dumps(v).decode() if isinstance(v := example.get(name), dict | list) else v],
            dtype=_dtype(contract, name),
        )
        for name in columns
    ]

    assert ColumnJudge(contract).doubtful(pl.DataFrame(cells)) == []


@pytest.mark.parametrize(
    "record",
    [
        {"type": "object", "properties": {"t": {"type": "string", "$ref": "#/$defs/x"}}},
        {"type": "object", "enum": [{"t": "a"}]},
        {"type": "object", "properties": {"t": {"type": "string"}}, "unevaluatedProperties": False},
    ],
    ids=repr,
)
def test_what_columns_cannot_say_goes_to_the_row_engine(record: dict[str, Any]) -> None:
    """A keyword that has no exact expression leaves every row in doubt, and none is passed over."""
    frame = frame_of([{"t": "a"}, {"t": "b"}], ["t"])

    assert ColumnJudge(contract_of(record)).doubtful(frame) == [0, 1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53)])
def test_numbers_that_json_has_not_are_doubted(value: float) -> None:
    """NaN, infinities and integers beyond 2^53 - 1 never pass by a column, not in a struct either."""
    contract = contract_of({"type": "object", "properties": {"o": {"type": "object"}}})
    plain = contract_of({"type": "object"})

    fine = type(value)(1)

    assert ColumnJudge(plain).doubtful(pl.DataFrame({"n": [value, fine]})) == [0]
    assert ColumnJudge(contract).doubtful(pl.DataFrame({"o": [{"x": value}, {"x": fine}]})) == [0]


def _dtype(contract: Contract, name: str) -> pl.DataType:
    kinds = {"number": pl.Float64(), "integer": pl.Int64(), "boolean": pl.Boolean()}
    return kinds.get(contract.kind(name) or "", pl.String())
