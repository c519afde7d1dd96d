"""The shipped contracts hold what they promise."""

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from contracts import codes, library
from contracts.library import NoSuchContract
from contracts.messages import Redact
from contracts.promises import KnownCode
from contracts.units import UNITS, stated_symbol
from contracts.validation import RowValidator
from contracts.view import shape_view

NAMES = (
    "agricultural-non-point",
    "ambient-air-city-hourly",
    "ambient-air-hourly",
    "ambient-air-station-day",
    "carbon-emission",
    "discharge-declaration",
    "drinking-water-source",
    "emergency-bulletin",
    "enterprise-environment-record",
    "environmental-statistics",
    "forest-parcel",
    "greenhouse-gas-hourly",
    "groundwater-monitoring",
    "new-pollutant-monitoring",
    "pollution-source-census",
    "pollution-source-online",
    "rural-ecology",
    "smart-monitoring-finding",
    "stack-emission-hourly",
    "supervisory-monitoring",
    "surface-water-auto",
    "surface-water-buoy",
    "waste-water-daily",
)
THEMES = {
    "automatic-monitoring", "carbon-pilot", "discharge-declaration", "drinking-water-source", "emergency",
    "enterprise-credit", "environmental-quality", "environmental-statistics", "forestry-one-map",
    "new-pollutant-pilot", "non-point-pilot", "rural-ecology", "smart-monitoring-pilot", "source-census",
    "supervisory-monitoring",
}  # fmt: skip
PURE_NUMBERS = {
    "activity", "aqi", "black_water_bodies", "bulletin_number", "census_year", "converted_max",
    "converted_min", "converted_value", "detection_limit", "exceeded_times", "facilities",
    "facilities_running", "factor", "indicators_judged", "inlet_ph", "limit_value", "max_value",
    "mean_concentration", "min_value", "outlet_ph", "penalties_count", "ph", "primary_ph",
    "protection_level", "record_number", "record_year", "row_number", "season", "secondary_ph",
    "survey_year", "total", "units_surveyed", "valid_hours", "value", "violations_count", "year",
}  # fmt: skip
SECOND_HAND = {"hj-212-system"}  # its edition of 2025 is known from implementations only
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
def test_every_unit_is_known(name: str) -> None:
    """A unit is a symbol of ``contracts.units``, also where each row names its own."""
    contract = library.load(name)
    stated = [field.unit for field in contract.fields if field.unit is not None]
    options = (contract.field_schema("unit") or {}).get("enum", [])

    assert all(symbol is None or symbol in UNITS for symbol in map(stated_symbol, stated))
    assert UNITS.keys() >= set(options)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_without_a_unit_says_what_it_is(name: str) -> None:
    """A field of numbers has a unit, or is a count, an index, a pH, or in the unit that its row names."""
    contract = library.load(name)
    bare = {
        field.name
        for field in contract.fields
        if field.unit is None and contract.kind(field.name) in {"number", "integer"}
    }

    assert bare <= PURE_NUMBERS, bare - PURE_NUMBERS


@pytest.mark.parametrize("name", NAMES)
def test_every_code_list_is_held(name: str) -> None:
    """Each list a contract names is held in that edition and in force, and knows the example's codes."""
    contract = library.load(name)
    row = contract.example_row()

    for named in contract.codes:
        held = codes.code_list(named.list_id, named.edition)
        texts = [row[field] for field in named.fields if isinstance(row.get(field), str)]
        assert [text for text in texts if not held.knows(text)] == []
        newest = codes.editions(named.list_id)[-1]
        assert named.edition == newest or held.list_id in SECOND_HAND
        assert held.in_force_until is None or held.list_id.startswith("hj-212"), held.in_force_until


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_contract_makes_its_promises(name: str) -> None:
    """Each says its sharing class, service levels and quality rules; each code that is judged has a list."""
    contract = library.load(name)
    listed = {field for named in contract.codes for field in named.fields}

    assert contract.sharing is not None
    assert contract.service is not None
    assert len(contract.quality) >= 5
    assert {rule.field for rule in contract.quality if isinstance(rule, KnownCode)} <= listed
    assert all(rule.title.zh != rule.title.en for rule in contract.quality)
    assert contract.classification < 3 or contract.sharing.value != "unconditional"


@pytest.mark.parametrize("name", NAMES)
def test_the_key_is_in_every_record(name: str) -> None:
    """What tells one record from another is required, and so is the time of a series."""
    contract = library.load(name)
    required = contract.record["required"]
    series = [contract.series.time, *contract.series.by] if contract.series else []

    assert isinstance(required, list)
    assert {*contract.key, *series} <= set(required)


def test_each_theme_has_a_contract() -> None:
    """The ten theme databases, the pilots, the forestry map and the emergency bulletin are all there."""
    themes = {contract.theme for contract in library.shipped_contracts()}

    assert themes == THEMES


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
        ("pollution-source-online", {"mn": "010000a8900016f000169dc0x"}),
        ("ambient-air-station-day", {"level": "1"}),
        ("ambient-air-station-day", {"aqi": 101}),
        ("ambient-air-station-day", {"primary_pollutant": "VOC"}),
        ("surface-water-auto", {"ph": None}),
        ("surface-water-auto", {"ph": 9.2}),
        ("groundwater-monitoring", {"sampling_date": "2026-02-30"}),
        ("drinking-water-source", {"exceeding": "总磷(0.3)"}),
        ("drinking-water-source", {"met_standard": False}),
        ("drinking-water-source", {"groundwater_class": "III"}),
        ("drinking-water-source", {"source_kind": "groundwater"}),
        ("discharge-declaration", {"unit": "mg/m3"}),
        ("discharge-declaration", {"medium": "air"}),
        ("supervisory-monitoring", {"exceeded": False}),
        ("supervisory-monitoring", {"value": None}),
        ("supervisory-monitoring", {"factor": "w01018"}),
        ("environmental-statistics", {"category": "other"}),
        ("pollution-source-census", {"livestock": 100}),
        ("pollution-source-census", {"source_kind": "livestock"}),
        ("rural-ecology", {"village_code": "520304"}),
        ("rural-ecology", {"sewage_treated": 100.5}),
        ("agricultural-non-point", {"area": -1}),
        ("new-pollutant-monitoring", {"unit": "ug/kg"}),
        ("new-pollutant-monitoring", {"medium": "soil"}),
        ("new-pollutant-monitoring", {"list_number": "15"}),
        ("smart-monitoring-finding", {"reviewed": False}),
        ("smart-monitoring-finding", {"verdict": None}),
        ("smart-monitoring-finding", {"evidence_digest": "https://example.org/a.jpg"}),
        ("carbon-emission", {"activity_unit": "t"}),
        ("carbon-emission", {"verifier": None}),
        ("greenhouse-gas-hourly", {"co2": None}),
        ("greenhouse-gas-hourly", {"co2": 43218}),
        ("emergency-bulletin", {"stage": "first"}),
        ("emergency-bulletin", {"stage": "final", "grade": None}),
        ("emergency-bulletin", {"issued_at": "2026-08-14T15:30:00"}),
        ("emergency-bulletin", {"areas_reached": "530602,5306"}),
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
        ("surface-water-auto", {"flag": "M", "ph": None}),
        ("supervisory-monitoring", {"value": None, "exceeded": False, "exceeded_times": None}),
        ("new-pollutant-monitoring", {"medium": "sediment", "unit": "ug/kg", "value": None}),
        ("emergency-bulletin", {"stage": "first", "bulletin_number": 1, "grade": None}),
        ("ambient-air-station-day", {"aqi": None, "level": None, "valid_hours": 12}),
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
