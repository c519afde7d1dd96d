"""The shipped contracts hold what they promise."""

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from contracts import library
from contracts.library import NoSuchContract
from contracts.messages import Redact
from contracts.validation import RowValidator
from contracts.view import shape_view

NAMES = (
    "ambient-air-city-hourly",
    "ambient-air-hourly",
    "enterprise-environment-record",
    "forest-parcel",
    "pollution-source-online",
    "stack-emission-hourly",
    "surface-water-buoy",
    "waste-water-daily",
)
SECRETS = ("legal_representative", "contact_name", "contact_phone", "inspection_note")


def test_the_library_is_complete() -> None:
    """Every shipped contract is listed, and its file is named by its id."""
    assert library.names() == NAMES
    assert tuple(contract.id for contract in library.shipped_contracts()) == NAMES
    with pytest.raises(NoSuchContract):
        library.load("../secrets")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_contract_is_valid_in_two_engines(name: str) -> None:
    """Its schema passes the meta-schema, and its example is valid in both engines."""
    contract = library.load(name)
    jsonschema.Draft202012Validator.check_schema(contract.record)
    second = jsonschema.Draft202012Validator(contract.record, format_checker=jsonschema.FormatChecker())

    assert second.is_valid(contract.example_row())
    assert RowValidator(contract).violations(contract.example_row()) == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_contract_describes_each_field(name: str) -> None:
    """Each field has both titles and a class, each number a unit or a plain meaning; editions are named."""
    contract = library.load(name)

    assert contract.editions
    assert contract.title.zh != contract.title.en
    assert all(field.title.zh and field.title.en for field in contract.fields)
    assert max(field.classification for field in contract.fields) == contract.classification
    assert set(contract.columns(contract.example_row())) >= set(contract.example_row())


@pytest.mark.parametrize("name", NAMES)
def test_each_required_field_is_needed(name: str) -> None:
    """Taking a required field out of the example, or adding a stranger, rejects it."""
    contract = library.load(name)
    validator = RowValidator(contract)
    required = contract.record["required"]
    assert isinstance(required, list)

    for field in map(str, required):
        row = {key: value for key, value in contract.example_row().items() if key != field}
        assert not validator.is_valid(row), field
    assert not validator.is_valid(contract.example_row() | {"stranger": 1})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ambient-air-hourly", {"so2": " "}),
        ("ambient-air-hourly", {"pm2_5": -1}),
        ("ambient-air-hourly", {"dew_point": -9999}),
        ("ambient-air-hourly", {"local_time": "2013-02-29T00:00"}),
        ("ambient-air-hourly", {"local_time": "2013-03-01T24:00"}),
        ("ambient-air-hourly", {"local_time": "2013-03-01T00:00Z"}),
        ("ambient-air-hourly", {"local_time": None}),
        ("ambient-air-city-hourly", {"precipitation": 999990}),
        ("ambient-air-city-hourly", {"humidity": -9999}),
        ("ambient-air-city-hourly", {"pm25_x": "NA"}),
        ("ambient-air-city-hourly", {"PM25": 1}),
        ("stack-emission-hourly", {"ambient_humidity": 100.01}),
        ("waste-water-daily", {"date": "1990-03-00"}),
        ("surface-water-buoy", {"ph": 14.1}),
        ("forest-parcel", {"geometry": {"type": "Point", "coordinates": [1, 2]}}),
        (
            "forest-parcel",
            {"geometry": {"type": "Polygon", "coordinates": [[[1, 2], [1, 91], [2, 2], [1, 2]]]}},
        ),
        ("forest-parcel", {"area": 0}),
        ("forest-parcel", {"admin_code": "5101"}),
        ("enterprise-environment-record", {"credit_code": "91510100MA0000000I"}),
        ("enterprise-environment-record", {"penalty_amount_cny": -1}),
        ("enterprise-environment-record", {"violations_count": 1.5}),
        ("pollution-source-online", {"flag": "X"}),
        ("pollution-source-online", {"value": None}),
        ("pollution-source-online", {"mn": "010000a8900016f000169dc0"}),
    ],
    ids=str,
)
def test_what_cannot_be_is_rejected(name: str, change: dict[str, object]) -> None:
    """Wrong types, wrong forms and impossible values reject a row."""
    contract = library.load(name)

    assert not RowValidator(contract).is_valid(contract.example_row() | change)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ambient-air-hourly", {"pm2_5": 300, "pm10": 10}),
        ("ambient-air-hourly", {"pm10": 999, "co": 10000, "o3": 1071}),
        ("ambient-air-hourly", {"local_time": "2016-02-29T23:00", "wind_direction": None}),
        ("ambient-air-city-hourly", {"pm25_us_post": 10, "season": None}),
        ("pollution-source-online", {"flag": "D", "value": None}),
        ("stack-emission-hourly", {"ambient_humidity": 100}),
    ],
    ids=str,
)
def test_what_is_only_unlikely_is_kept(name: str, change: dict[str, object]) -> None:
    """Implausible values stay: they are findings and no faults."""
    contract = library.load(name)

    assert RowValidator(contract).is_valid(contract.example_row() | change)


def test_a_bank_sees_no_contact_person() -> None:
    """The fields kept from banks are class 3, and a view without them still validates."""
    contract = library.load("enterprise-environment-record")
    row = {key: value for key, value in contract.example_row().items() if key not in SECRETS}

    assert tuple(f.name for f in contract.fields if f.classification == 3) == SECRETS
    view = shape_view(contract, [Redact(fields=list(SECRETS))]).contract
    assert RowValidator(view).is_valid(row)
