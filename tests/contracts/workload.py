"""The contract and rows that engines are compared on: 19 fields, 23 leaves, three conditions, twelve defects.

A row of a seed is the same row wherever it is made.
"""

import random
from collections.abc import Iterator
from typing import Any

import orjson

from contracts.schema import Contract, parse_contract

Row = dict[str, Any]
MISSING = 2

PROVINCES = ("33", "50", "51", "52", "53", "54", "63")
PARAMETERS = ("pH", "dissolved-oxygen", "codmn", "ammonia", "total-phosphorus", "total-nitrogen", "turbidity")
FLAGS = ("N", "F", "M", "S", "D", "C", "T", "B")
CLASSES = ("I", "II", "III", "IV", "V")
BASINS = ("jinsha", "jialing", "min", "wu", "lancang", "nu", "yarlung")
UNITS = ("1", "mg/L", "ug/L", "NTU")

RECORD: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "station": {"type": "string", "pattern": "^[0-9]{6}[A-Z][0-9]{3}$"},
        "province": {"type": "string", "enum": list(PROVINCES)},
        "county": {"type": "string", "pattern": "^[0-9]{6}$"},
        "mn": {"type": "string", "pattern": "^[0-9A-F]{24}$"},
        "observed_at": {"type": "string", "format": "date-time"},
        "received_at": {"type": "string", "format": "date-time"},
        "period": {"type": "string", "enum": ["minute", "hour", "day"]},
        "parameter": {"type": "string", "enum": list(PARAMETERS)},
        "value": {"type": ["number", "null"], "minimum": -50, "maximum": 100_000},
        "unit": {"type": "string", "enum": list(UNITS)},
        "flag": {"type": "string", "enum": list(FLAGS)},
        "method": {"type": "string", "enum": ["auto", "manual"]},
        "location": {
            "type": "object",
            "properties": {
                "lon": {"type": "number", "minimum": 73, "maximum": 136},
                "lat": {"type": "number", "minimum": 3, "maximum": 54},
                "elevation": {"type": ["number", "null"], "minimum": -200, "maximum": 9000},
                "datum": {"type": "string", "enum": ["CGCS2000", "WGS84"]},
                "place": {"type": "string", "minLength": 1, "maxLength": 40},
            },
            "required": ["lon", "lat", "datum", "place"],
            "additionalProperties": False,
        },
        "depth": {"type": "number", "minimum": 0, "maximum": 200},
        "sampler": {"type": ["string", "null"], "minLength": 1, "maxLength": 40},
        "water_class": {"type": ["string", "null"], "enum": [*CLASSES, None]},
        "basin": {"type": ["string", "null"], "enum": [*BASINS, None]},
        "replicate": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
        "note": {"type": ["string", "null"], "maxLength": 200},
    },
    "required": [
        "station", "province", "county", "mn", "observed_at", "received_at", "period", "parameter", "value",
        "unit", "flag", "method", "location", "depth",
    ],
    "additionalProperties": False,
    "allOf": [
        {
            "if": {"properties": {"flag": {"const": "N"}}},
            "then": {"properties": {"value": {"type": "number"}}},
        },
        {
            "if": {"properties": {"parameter": {"const": "pH"}}},
            "then": {
                "properties": {
                    "value": {"type": ["number", "null"], "minimum": 0, "maximum": 14},
                    "unit": {"const": "1"},
                }
            },
        },
        {
            "if": {"properties": {"method": {"const": "manual"}}},
            "then": {"properties": {"sampler": {"type": "string"}}, "required": ["sampler"]},
        },
    ],
}  # fmt: skip


def workload_contract() -> Contract:
    """Give the contract."""
    words = {"zh": "断面监测", "en": "section monitoring"}
    fields = [
        {"name": name, "title": {"zh": name, "en": name}, "unit": None, "classification": 1}
        for name in RECORD["properties"]
    ]
    document = {
        "contract": 1, "id": "engine-workload", "version": "1.0.0", "title": words, "description": words,
        "theme": "environmental-quality", "classification": 1, "update_frequency": "hourly", "editions": [],
        "fields": fields, "record": RECORD, "example": orjson.dumps(good_row(chances(0))).decode(),
    }  # fmt: skip
    return parse_contract(orjson.dumps(document))


def chances(seed: int) -> random.Random:
    """Give the chances of a seed."""
    return random.Random(seed)  # noqa: S311 - rows that come out the same each time


def good_row(chance: random.Random) -> Row:
    """Make a row that keeps the contract."""
    parameter = chance.choice(PARAMETERS)
    flag = "N" if chance.random() < 0.9 else chance.choice(FLAGS[1:])
    manual = chance.random() < 0.1
    return {
        "station": f"{chance.randrange(10**6):06d}{chance.choice('ABC')}{chance.randrange(1000):03d}",
        "province": chance.choice(PROVINCES),
        "county": f"{chance.randrange(10**6):06d}",
        "mn": f"{chance.getrandbits(96):024X}",
        "observed_at": _moment(chance, "+08:00"),
        "received_at": _moment(chance, "Z"),
        "period": chance.choice(("minute", "hour", "day")),
        "parameter": parameter,
        "value": None if flag != "N" and chance.random() < 0.5 else round(chance.random() * 14, 3),
        "unit": "1" if parameter == "pH" else chance.choice(UNITS[1:]),
        "flag": flag,
        "method": "manual" if manual else "auto",
        "location": {
            "lon": round(chance.uniform(97, 110), 5),
            "lat": round(chance.uniform(21, 40), 5),
            "elevation": round(chance.uniform(100, 5000), 1),
            "datum": "CGCS2000",
            "place": chance.choice(("嘉陵江北碚断面", "岷江彭山断面", "金沙江龙洞断面")),
        },
        "depth": round(chance.random() * 20, 2),
        "sampler": chance.choice(("张工", "李工", "Tashi")) if manual else None,
        "water_class": chance.choice(CLASSES),
        "basin": chance.choice(BASINS),
        "replicate": chance.randrange(3),
        "note": None,
    }


def broken_row(chance: random.Random, kind: int) -> Row:
    """Break a good row in one of twelve ways; the first three cannot be held by typed columns."""
    row = good_row(chance)
    changes: list[Row] = [
        {"stranger": 1},
        {"value": "12.3"},
        {},
        {"depth": None},
        {"station": "50010"},
        {"observed_at": "2026-02-30T08:00:00+08:00"},
        {"flag": "X"},
        {"depth": -0.5},
        {"location": row["location"] | {"lat": 90.5}},
        {"flag": "N", "value": None},
        {"parameter": "pH", "value": 15.2, "unit": "1"},
        {"method": "manual", "sampler": None},
    ]
    if kind == MISSING:
        del row["station"]
    return row | changes[kind]


def rows(count: int, *, seed: int = 1, broken: float = 0.01, kinds: range = range(12)) -> Iterator[Row]:
    """Make ``count`` rows, some of them broken in one of ``kinds``."""
    chance = chances(seed)
    for _ in range(count):
        if chance.random() < broken:
            yield broken_row(chance, chance.choice(kinds))
        else:
            yield good_row(chance)


def _moment(chance: random.Random, zone: str) -> str:
    day = f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    return f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:00{zone}"
