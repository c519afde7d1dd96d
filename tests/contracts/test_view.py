"""The shape of a view: what obligations leave of a contract, and what they cannot be met on."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from contracts import library
from contracts.messages import (
    AggregateOnly,
    Expiry,
    FieldFilter,
    Mask,
    MaskGeneralise,
    MaskGeoGrid,
    MaskHash,
    MaskHow,
    MaskNull,
    MaskRound,
    MaskTruncate,
    Measure,
    Obligation,
    PurposeBinding,
    Quota,
    Rate,
    Redact,
    RowFilter,
    Watermark,
)
from contracts.schema import Contract, parse_contract
from contracts.validation import RowValidator
from contracts.view import ObligationUnfit, shape_view

Make = Callable[..., dict[str, Any]]
GOOD = {"code": "500100", "level": 1.5, "keeper": None}
RECORD = library.load("enterprise-environment-record")
CITIES = library.load("ambient-air-city-hourly")
SOURCES = library.load("pollution-source-online")
PATTERN = "^pm25_[a-z0-9_]{1,40}$"


@pytest.fixture
def contract(make: Make) -> Contract:
    """Give the small contract."""
    return parse_contract(orjson.dumps(make()))


def judge(contract: Contract, *obligations: Obligation) -> RowValidator:
    return RowValidator(shape_view(contract, obligations).contract)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_a_view_is_closed_without_the_redacted_fields(contract: Contract) -> None:
    """A view lacks the redacted fields in properties and required; a row that still has one is refused."""
    shape = shape_view(contract, [Redact(fields=["code"])])
    validator = RowValidator(shape.contract)

    assert validator.is_valid({"level": 1, "keeper": None})
    assert not validator.is_valid(GOOD)
    assert "code" not in shape.contract.columns()
    assert shape.contract.record["required"] == ["level"]


def test_a_view_keeps_conditions_it_can_judge() -> None:
    """A condition on a redacted or masked field falls away; the others stay in force."""
    row = without(SOURCES.example_row(), "factor")

    assert judge(SOURCES, Redact(fields=["factor"])).is_valid(row)
    assert not judge(SOURCES, Redact(fields=["factor"])).is_valid(row | {"value": None})  # flag N needs one
    assert judge(SOURCES, Redact(fields=["factor", "flag"])).is_valid(without(row, "flag") | {"value": None})
    masked = judge(SOURCES, Mask(field="value", how=MaskNull()))
    assert masked.is_valid(SOURCES.example_row() | {"value": None})
    assert not masked.is_valid(SOURCES.example_row())


def test_a_pattern_hides_every_column_that_it_admits() -> None:
    """The columns of a redacted pattern are strangers; of a masked one, all are masked."""
    row = CITIES.example_row()
    columns = [name for name in row if name.startswith("pm25_")]
    redacted = shape_view(CITIES, [Redact(fields=[PATTERN])])
    masked = shape_view(CITIES, [Mask(field=PATTERN, how=MaskRound(digits=-1))])

    assert not RowValidator(redacted.contract).is_valid(row)
    assert RowValidator(redacted.contract).is_valid(without(row, *columns))
    assert redacted.columns(row) == [name for name in CITIES.columns(row) if name not in columns]
    assert {masked.mask_of(name) for name in columns} == {MaskRound(digits=-1)}


def test_a_hash_makes_text_of_a_number() -> None:
    """The column is text of 32 hex digits, and null only where the field could be."""
    shape = shape_view(RECORD, [Mask(field="penalties_count", how=MaskHash(recipient="p-222222222222"))])
    row = RECORD.example_row()

    assert shape.contract.kind("penalties_count") == "string"
    validator = RowValidator(shape.contract)
    assert validator.is_valid(row | {"penalties_count": "0" * 32})
    assert not validator.is_valid(row | {"penalties_count": None})
    assert not validator.is_valid(row)


def test_rounded_bounds_admit_every_rounded_value() -> None:
    """Rounding may go beyond a bound, so the bounds are rounded too; an open bound closes."""
    parcels = library.load("forest-parcel")
    shape = shape_view(
        parcels,
        [Mask(field="area", how=MaskRound(digits=0)), Mask(field="survey_year", how=MaskRound(digits=-2))],
    )
    row = parcels.example_row()

    assert RowValidator(shape.contract).is_valid(row | {"area": 0.0, "survey_year": 2000})
    assert not RowValidator(shape.contract).is_valid(row | {"area": -1.0})


def test_figures_have_a_contract_of_their_own() -> None:
    """Groups first, then figures; a small count, a missing column or a record is refused."""
    figures = AggregateOnly(
        by=["admin_code"],
        measures=[
            Measure(field="penalty_amount_cny", function="sum"),
            Measure(field="credit_code", function="count"),
        ],
        min_group=5,
    )
    shape = shape_view(RECORD, [figures])
    row = {"admin_code": "510104", "penalty_amount_cny_sum": 7.5, "credit_code_count": 5}

    assert shape.columns([]) == list(row)
    validator = RowValidator(shape.contract)
    assert validator.is_valid(row)
    assert validator.is_valid(row | {"penalty_amount_cny_sum": None, "credit_code_count": None})
    assert not validator.is_valid(row | {"credit_code_count": 4})
    assert not validator.is_valid(row | {"credit_code": "x"})
    assert not validator.is_valid(RECORD.example_row())


@pytest.mark.parametrize("contract", [library.load(name) for name in library.names()], ids=lambda c: c.id)
def test_every_contract_of_the_library_stands_every_mask_that_fits(contract: Contract) -> None:
    """The example, masked field by field, keeps the contract of its view."""
    from contracts.masking import hashed, masker

    row = contract.example_row()
    hows: list[MaskHow] = [
        MaskNull(),
        MaskHash(recipient="p-222222222222"),
        MaskRound(digits=-2),
        MaskTruncate(characters=2),
        MaskGeneralise(to="month"),
        MaskGeoGrid(cell_millidegrees=100),
    ]
    tried = 0
    for field in contract.fields:
        for how in hows:
            try:
                shape = shape_view(contract, [Mask(field=field.name, how=how)])
            except ObligationUnfit:
                continue
            masked = dict(row)
            for column in row:
                if shape.mask_of(column) is not None and row[column] is not None:
                    mask = masker(how, limit=shape.degrees(column))
                    value = row[column]
                    masked[column] = hashed(b"k" * 32, value) if isinstance(how, MaskHash) else mask(value)
            assert RowValidator(shape.contract).violations(masked) == (), (field.name, how)
            tried += 1
    assert tried > 2 * len(contract.fields)


@pytest.mark.parametrize(
    "obligations",
    [
        [Redact(fields=["nope"])],
        [Redact(fields=[field.name for field in RECORD.fields])],
        [Mask(field="nope", how=MaskNull())],
        [Mask(field="credit_code", how=MaskRound(digits=1))],
        [Mask(field="penalties_count", how=MaskRound(digits=0))],
        [Mask(field="penalties_count", how=MaskTruncate(characters=1))],
        [Mask(field="penalties_count", how=MaskGeneralise(to="year"))],
        [Mask(field="credit_code", how=MaskGeoGrid(cell_millidegrees=1))],
        [Mask(field="rectified", how=MaskHash())],
        [Mask(field="credit_code", how=MaskNull()), Mask(field="credit_code", how=MaskHash())],
        [Mask(field="credit_code", how=MaskNull()), Redact(fields=["credit_code"])],
        [RowFilter(rows=FieldFilter(operator="eq", field="nope", value="x"))],
        [RowFilter(rows=FieldFilter(operator="eq", field="record_year", value="x"))],
        [RowFilter(rows=FieldFilter(operator="eq", field="record_year", value=n)) for n in (1, 2)],
        [Watermark(recipient="p-222222222222"), Watermark(recipient="p-222222222223")],
        [PurposeBinding(purpose="flood"), PurposeBinding(purpose="fire")],
        [Expiry(days=1), Expiry(days=2)],
    ],
)
def test_an_obligation_that_cannot_be_met_is_refused(obligations: list[Obligation]) -> None:
    """A field that is not there, a mask that does not fit, two of what there can be one of."""
    with pytest.raises(ObligationUnfit):
        shape_view(RECORD, obligations)


@pytest.mark.parametrize(
    ("by", "measure", "others"),
    [
        ("nope", ("penalties_count", "sum"), []),
        ("admin_code", ("nope", "count"), []),
        ("admin_code", ("credit_grade", "mean"), []),
        ("admin_code", ("penalties_count", "sum"), [Redact(fields=["penalties_count"])]),
        ("admin_code", ("penalties_count", "sum"), [Mask(field="admin_code", how=MaskNull())]),
    ],
)
def test_figures_of_what_is_hidden_or_unknown_are_refused(
    by: str, measure: tuple[str, Any], others: list[Obligation]
) -> None:
    """An aggregate speaks of single, visible fields, and adds up numbers only."""
    figures = AggregateOnly(by=[by], measures=[Measure(field=measure[0], function=measure[1])], min_group=5)

    with pytest.raises(ObligationUnfit):
        shape_view(RECORD, [*others, figures])


def test_figures_of_a_pattern_or_of_places_are_refused() -> None:
    """A pattern is no one column, and a place is no group."""
    parcels = library.load("forest-parcel")
    count = [Measure(field="local_time", function="count")]

    with pytest.raises(ObligationUnfit):
        shape_view(CITIES, [AggregateOnly(by=[PATTERN], measures=count, min_group=2)])
    with pytest.raises(ObligationUnfit):
        shape_view(
            parcels,
            [AggregateOnly(by=["geometry"], measures=[Measure(field="area", function="sum")], min_group=2)],
        )


def test_two_figures_of_one_name_are_refused() -> None:
    """Each column of the figures has a name of its own."""
    twice = [Measure(field="penalties_count", function="sum")] * 2

    with pytest.raises(ObligationUnfit):
        shape_view(RECORD, [AggregateOnly(by=["admin_code"], measures=twice, min_group=5)])


def test_only_obligations_that_change_no_value_leave_the_artifact_whole() -> None:
    """A purpose, a term, a quota and a rate are kept beside the bytes; a watermark stands in them."""
    beside: list[Obligation] = [
        PurposeBinding(purpose="flood"),
        Expiry(days=3),
        Quota(unit="rows", limit=1, window_seconds=60),
        Rate(fetches=1, window_seconds=1),
    ]

    assert shape_view(RECORD, beside).whole
    assert not shape_view(RECORD, [*beside, Watermark(recipient="p-222222222222")]).whole
