"""From packets to records of the contract ``pollution-source-online``: one for each factor of a packet.

Text that is no number stays text, and a factor without a known unit has none, so that validation can hold the
record back; nothing is guessed. What annex B gives in ng/m3 is reported in ug/m3, the unit of GB 3095, and
everything else in annex B's unit; what a device sends in another unit of the same quantity is converted,
exactly.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from contracts.codes.factors import FACTORS, Factor, factor
from contracts.hj212.commands import PERIODS, QC_STATUS, Edition
from contracts.hj212.faults import PacketInvalid
from contracts.hj212.packet import Packet, parse_time
from contracts.units import Conversion, conversion

Record = dict[str, object]

PARTICLE_UNIT = "ng/m3"
REPORTED_UNIT = "ug/m3"
DATA_TIME = "DataTime"

# Where the values of a factor's fields go (section 6.3.4); the mean of real-time data is its one value.
_MEASURED: dict[str, str] = {"Rtd": "value", "Avg": "value", "Min": "min_value", "Max": "max_value"}
_CONVERTED: dict[str, str] = {
    "ZsRtd": "converted_value",
    "ZsAvg": "converted_value",
    "ZsMin": "converted_min",
    "ZsMax": "converted_max",
}
_IN_UNIT = frozenset({*_MEASURED.values(), *_CONVERTED.values()})
_STATUSES: Mapping[object, str] = {flag: status.value for flag, status in QC_STATUS.items()}
RECORD_KEYS = (
    *("mn", "st", "local_time", "period", "factor"),
    *("value", "min_value", "max_value", "total", "unit", "total_unit", "flag"),
    *(
        "converted_value",
        "converted_min",
        "converted_max",
        "qc_status",
        "vendor_flag",
        "sample_time",
        "synthetic",
    ),
)

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
# By water or by air: a system code of table 5 that says which of the old three-character codes is meant.
_WATER = frozenset({"21", "24", "26", "32", "33", "34", "52"})


@dataclass(frozen=True, slots=True)
class DeviceUnits:
    """Which unit a device sends for a factor where that is not annex B's, by factor code."""

    sent: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise UnitUnknown or UnitsDoNotConvert for a unit that does not fit its factor."""
        for code, unit in self.sent.items():
            known = factor(code)
            conversion(unit, reported_unit(known) if known is not None else unit)


STANDARD_UNITS = DeviceUnits()


def reported_unit(known: Factor) -> str:
    """Give the unit in which records carry a factor."""
    return REPORTED_UNIT if known.unit == PARTICLE_UNIT else known.unit


def records_of(
    packet: Packet, units: DeviceUnits = STANDARD_UNITS, *, synthetic: bool | None = None
) -> Iterator[Record]:
    """Give the records of a packet, in the order in which its factors come; none for a command without any.

    Raises PacketInvalid for an encrypted packet, and where a field of a factor comes twice.
    """
    period = PERIODS.get(packet.cn)
    if period is None:
        return
    if packet.sealed is not None:
        raise PacketInvalid("the content is encrypted")
    begun, times = _gather(packet, period, units)
    local_time = _local_time(times[0]) if len(times) == 1 else None
    for record, _ in begun.values():
        record["local_time"] = local_time
        status = _STATUSES.get(record["flag"])
        if status is not None:
            record["qc_status"] = status
        if synthetic is not None:
            record["synthetic"] = synthetic
        yield record


_Begun = dict[str, tuple[Record, Conversion | None]]


def _gather(packet: Packet, period: str, units: DeviceUnits) -> tuple[_Begun, list[str]]:
    """Sort the values of a packet by factor, and give the times it says beside them."""
    times: list[str] = []
    begun: _Begun = {}
    latest = None
    record: Record = {}
    change: Conversion | None = None
    for item in packet.items:
        for name, text in item:
            sent, column, read = _field(name)
            if not sent:
                if name == DATA_TIME:
                    times.append(text)
                continue
            if sent != latest:  # the values of a factor mostly stand together
                found = begun.get(sent)
                if found is None:
                    begun[sent] = found = _begin(packet, sent, period, units)
                record, change = found
                latest = sent
            if record.get(column) is not None:
                raise PacketInvalid("a value of one factor comes twice, or a moment's value beside a mean")
            if not column:
                continue
            if change is None or column not in _IN_UNIT:
                record[column] = read(text)
            else:
                record[column] = _converted(text, change)
    return begun, times


def _begin(packet: Packet, sent: str, period: str, units: DeviceUnits) -> tuple[Record, Conversion | None]:
    """Begin the record of a factor; the second is how the device's unit converts into the record's."""
    code = _present_code(sent, packet.st) if packet.edition is Edition.Y2005 else sent
    unit, total_unit, change = _units(code, units.sent.get(code))
    record: Record = {
        "mn": packet.mn,
        "st": packet.st,
        "local_time": None,
        "period": period,
        "factor": code,
        "value": None,
        "min_value": None,
        "max_value": None,
        "total": None,
        "unit": unit,
        "total_unit": total_unit,
        "flag": None,
    }
    return record, change


@lru_cache(maxsize=8192)
def _field(name: str) -> tuple[str, str, Callable[[str], object]]:
    """Give the factor of a name, its column, and how its text is read.

    A name without a factor has none; a field that no column takes still makes its factor's record, so that a
    factor with nothing else is held back by validation and not dropped.
    """
    sent, _, tail = name.partition("-")
    if not tail:
        return "", "", str
    column, read = _FIELDS.get(tail, ("", str))
    return sent, column, read


@lru_cache(maxsize=8192)
def _units(code: str, sent: str | None) -> tuple[str | None, str | None, Conversion | None]:
    """Give the record's unit, that of the total, and how the device's unit converts into the record's."""
    known = factor(code)
    if known is None:
        return sent, None, None
    unit = reported_unit(known)
    change = conversion(sent or known.unit, unit)
    same = change.factor == 1 and not change.offset
    return unit, known.total_unit, None if same else change


@lru_cache(maxsize=8192)
def _present_code(code: str, st: str) -> str:
    """Give the code of HJ 524 and HJ 525 for an old one of HJ/T 212-2005; one that is not listed stays."""
    medium = "water" if st in _WATER else "air"
    for known in FACTORS.values():
        if known.old_code == code and known.medium == medium:
            return known.code
    return code


@lru_cache(maxsize=8192)
def _local_time(text: str) -> str:
    """Write a time as the contract does; one that is none stays as it came, to be held back."""
    try:
        parse_time(text)
    except PacketInvalid:
        return text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}"


@lru_cache(maxsize=16_384)
def _number(text: str) -> float | int | str | None:
    """Read a number, null where there is no text; stations send the same few thousand again and again."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _converted(text: str, change: Conversion) -> float | int | str | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        return text
    value = change.apply(Decimal(text))
    whole = int(value)
    return whole if whole == value else float(value)


_FIELDS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    **{tail: (column, _number) for tail, column in (_MEASURED | _CONVERTED).items()},
    "Cou": ("total", _number),
    "Flag": ("flag", str),
    "EFlag": ("vendor_flag", str),
    "SampleTime": ("sample_time", _local_time),
}
