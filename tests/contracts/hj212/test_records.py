"""From packets to records: columns, units, flags, times; nothing is guessed and nothing is dropped."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import library
from contracts.codes.factors import FACTORS
from contracts.hj212 import DeviceUnits, Edition, Packet, PacketInvalid, parse_frame, records_of
from contracts.hj212.commands import QC_STATUS
from contracts.units import UnitsDoNotConvert, UnitUnknown
from contracts.validation import RowValidator
from tests.contracts.hj212.packets import HOUR, packets

Record = dict[str, Any]  # Any: a record holds whatever its packet held


def made(content: str, *, units: Mapping[str, str] | None = None, **changes: Any) -> list[Record]:
    """Make the records of a packet with this content."""
    items = tuple(
        tuple((pair.split("=")[0], pair.split("=")[1]) for pair in item.split(","))
        for item in content.split(";")
    )
    packet = replace(HOUR, items=items, **changes)
    return list(records_of(packet, DeviceUnits(units or {})))


TIME = "DataTime=20260301080000;"


@pytest.mark.parametrize(
    ("item", "column", "expected"),
    [
        ("w01018-Avg=23.4", "value", 23.4),
        ("w01018-Rtd=7", "value", 7),
        ("w01018-Avg=-2", "value", -2),
        ("w01018-Avg=", "value", None),
        ("w01018-Avg=1e5", "value", "1e5"),
        ("w01018-Avg=NaN", "value", "NaN"),
        ("w01018-Min=1,w01018-Max=3", "max_value", 3),
        ("w01018-Flag=N", "flag", "N"),
        ("w01018-Flag=D", "qc_status", "invalid"),
        ("w01018-Cou=4.2", "total_unit", "kg"),
        ("w01018-Cou=4.2", "total", 4.2),
        ("a21026-ZsAvg=31.5", "converted_value", 31.5),
        ("a21026-ZsMin=30,a21026-ZsMax=32", "converted_min", 30),
        ("w01018-EFlag=A01", "vendor_flag", "A01"),
        ("w01018-SampleTime=20260301074500", "sample_time", "2026-03-01T07:45"),
        ("w99999-Avg=1", "unit", None),
        ("a01001-Avg=18.2", "unit", "degC"),
        ("w00000-Avg=3.5", "unit", "L/s"),
    ],
)
def test_each_field_has_its_column(item: str, column: str, expected: object) -> None:
    """What is no number stays text, what is missing stays missing, and an unknown factor has no unit."""
    (record,) = made(TIME + item)

    assert (record[column], record["local_time"], record["period"]) == (expected, "2026-03-01T08:00", "hour")


@pytest.mark.parametrize(
    ("cn", "period"), [("2011", "moment"), ("2051", "minute"), ("2061", "hour"), ("2031", "day")]
)
def test_the_command_names_the_period(cn: str, period: str) -> None:
    """DataTime is a moment in real-time data, and the start of its period in all other data."""
    (record,) = made(TIME + "w01018-Avg=1", cn=cn)

    assert (record["period"], record["local_time"]) == (period, "2026-03-01T08:00")


def test_other_commands_make_no_record() -> None:
    """Device states, running hours and a heartbeat hold no factor."""
    assert [made("DataTime=20260301080000;SB1-RS=1", cn=cn) for cn in ("2021", "2041", "9015")] == [
        [],
        [],
        [],
    ]


def test_values_of_one_factor_are_one_record_wherever_they_stand() -> None:
    """Some devices part a factor's values by semicolons, or put two factors into one item; none is lost."""
    found = made(TIME + "w01018-Avg=1;w01018-Flag=N,w01001-Avg=7")

    assert [(one["factor"], one["value"], one["flag"]) for one in found] == [
        ("w01018", 1, "N"),
        ("w01001", 7, None),
    ]


@pytest.mark.parametrize("item", ["w01018-Avg=1,w01018-Avg=2", "w01018-Avg=1,w01018-Rtd=2"])
def test_a_value_that_comes_twice_is_refused(item: str) -> None:
    """Of two values for one field neither is taken by chance."""
    with pytest.raises(PacketInvalid):
        made(TIME + item)


def test_a_time_that_is_none_stays_as_it_came() -> None:
    """DataTime outside the calendar, missing, or there twice, is left for validation to refuse."""
    times = [
        made(text + "w01018-Avg=1")[0]["local_time"]
        for text in ("DataTime=20261301080000;", "", TIME + "DataTime=20260301090000;")
    ]

    assert times == ["20261301080000", None, None]


@given(digits=st.integers(0, 10**9), places=st.integers(0, 6))
def test_particles_are_converted_exactly(digits: int, places: int) -> None:
    """Annex B gives PM2.5 in ng/m3, GB 3095 in ug/m3: a thousandth, without a rounding error."""
    text = str(Decimal(digits).scaleb(-places).quantize(Decimal(1).scaleb(-places)))
    (record,) = made(TIME + f"a34004-Avg={text}")

    assert record["unit"] == "ug/m3"
    assert Decimal(str(record["value"])) == Decimal(str(float(Decimal(text) / 1000)))


def test_no_factor_is_reported_in_nanograms_per_cubic_metre() -> None:
    """All ten factors that annex B gives in ng/m3 come in ug/m3; all others in annex B's unit."""
    tiny = [code for code, factor in FACTORS.items() if factor.unit == "ng/m3"]
    units = {code: made(TIME + f"{code}-Avg=1500")[0]["unit"] for code in FACTORS}

    assert len(FACTORS) == 184
    assert len(tiny) == 10
    assert {units[code] for code in tiny} == {"ug/m3"}
    assert all(units[code] == factor.unit for code, factor in FACTORS.items() if code not in tiny)


def test_a_device_with_units_of_its_own() -> None:
    """A station may say that its device sends ug/m3 or ug/L; the record's unit stays the same."""
    units = {"a34004": "ug/m3", "w01018": "ug/L", "w00000": "m3/h", "w77777": "mg/L"}
    found = made(
        TIME + "a34004-Avg=35.5;w01018-Avg=23400;w00000-Avg=3.6;w77777-Avg=ERR,w77777-Flag=N", units=units
    )

    assert [(one["value"], one["unit"]) for one in found] == [
        (35.5, "ug/m3"),
        (23.4, "mg/L"),
        (1, "L/s"),
        ("ERR", "mg/L"),
    ]


def test_a_unit_of_another_quantity_is_refused() -> None:
    """Between ppb and mg/m3 there is no fixed factor, and a unit that is none is none."""
    with pytest.raises(UnitsDoNotConvert):
        DeviceUnits({"a21026": "ppb"}).check()
    with pytest.raises(UnitUnknown):
        DeviceUnits({"w99999": "spoons"}).check()


def test_every_flag_has_a_quality_status() -> None:
    """The eight flags of table 8, and only they, say what a value may be used for."""
    statuses = {
        flag: made(TIME + f"w01018-Avg=1,w01018-Flag={flag}")[0].get("qc_status") for flag in "NFMSDCTBX"
    }

    assert statuses == {**{flag: status.value for flag, status in QC_STATUS.items()}, "X": None}
    assert statuses["N"] == "valid"


def test_old_codes_are_those_of_2005() -> None:
    """011 is chemical oxygen demand in water, 02 sulphur dioxide in a flue; later editions know neither."""
    old: dict[str, Any] = {"flag": 1, "mn": "88888880000001"}
    water = made(TIME + "011-Avg=23.4,011-Flag=N", st="32", **old)
    air = made(TIME + "02-Avg=35,02-Flag=N", st="31", **old)
    later = made(TIME + "011-Avg=23.4")

    assert [one[0]["factor"] for one in (water, air, later)] == ["w01018", "a21026", "011"]
    assert RowValidator(library.load("pollution-source-online")).is_valid(water[0])


def test_an_encrypted_packet_makes_no_record() -> None:
    """What was not opened is refused, never taken for empty."""
    with pytest.raises(PacketInvalid):
        list(records_of(replace(HOUR, items=(), flag=9, sealed="00" * 16)))


def test_the_records_keep_the_contract() -> None:
    """A packet in order makes records that the shipped contract takes."""
    validator = RowValidator(library.load("pollution-source-online"))
    content = ";".join(
        f"{code}-Min=1,{code}-Avg=2.5,{code}-Max=3,{code}-Flag=N" for code in list(FACTORS)[:12]
    )
    found = [
        record for cn in ("2011", "2051", "2061", "2031") for record in made(TIME + content, cn=cn, st="31")
    ]

    assert len(found) == 48
    assert [validator.violations(record) for record in found] == [()] * 48


@given(packet=packets)
def test_any_packet_makes_records_or_is_refused(packet: Packet) -> None:
    """Whatever came over the wire, a record names its station, and no other error is raised."""
    read = parse_frame(packet.frame())
    try:
        found = list(records_of(read))
    except PacketInvalid:
        found = []

    assert {one["mn"] for one in found} <= {packet.mn}
    assert read.edition in Edition


def test_a_factor_with_fields_that_nobody_knows_is_not_dropped() -> None:
    """Its record is empty, and validation holds it back with the reason."""
    (record,) = made(TIME + "w01018-Xyz=1,w01018-Uvw=2")

    assert (record["factor"], record["value"], record["flag"]) == ("w01018", None, None)
    assert not RowValidator(library.load("pollution-source-online")).is_valid(record)
