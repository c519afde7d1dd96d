"""Made-up input for what no real file covers; every row and every dataset says that it is synthetic.

The numbers come from a fixed seed, so that two runs publish the same bytes.
"""

import random
from pathlib import Path
from typing import Any

import orjson

SEED = 809
ENTERPRISES = 400
PARCELS = 60
STATIONS = ("示例站甲(虚构)", "示例站乙(虚构)")
STATION_DAYS = 10
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_GRADES = ("green", "green", "blue", "blue", "yellow", "red")


def write_enterprises(path: Path, seed: int = SEED) -> Path:
    """Write enterprise environment records; two carry a defect that the contract catches."""
    dice = random.Random(seed)  # noqa: S311  # made-up data wants repeatable numbers, not secrets
    rows = [_enterprise(dice, number) for number in range(1, ENTERPRISES + 1)]
    rows[100]["credit_grade"] = "purple"
    rows[200]["violations_count"] = -1
    return _write(path, rows)


def write_parcels(path: Path) -> Path:
    """Write forest parcels with exact outlines: data that its provider does not share."""
    dice = random.Random(SEED)  # noqa: S311  # as above
    return _write(path, [_parcel(dice, number) for number in range(1, PARCELS + 1)])


def write_air(path: Path) -> Path:
    """Write ten days of two stations: a row that breaks the contract, and odd rows that keep it.

    At the first station SO2 is below nothing once, PM2.5 stands above PM10 for five hours, PM2.5 is stuck for
    nine, and three times carbon monoxide is at the end of its range.
    """
    dice = random.Random(SEED)  # noqa: S311  # as above
    rows = [_hour(dice, station, hour) for station in STATIONS for hour in range(24 * STATION_DAYS)]
    rows[30]["so2"] = -3
    for row in rows[40:45]:
        row["pm2_5"] = row["pm10"] + 12
    for row in rows[60:69]:
        row["pm2_5"] = 33
    for row in rows[80:83]:
        row["co"] = 10_000
    return _write(path, rows)


def _enterprise(dice: random.Random, number: int) -> dict[str, Any]:
    violations = dice.choice((0, 0, 0, 1, 1, 2, 5))
    return {
        "credit_code": "91510100" + "".join(dice.choices(_CREDIT_ALPHABET, k=10)),
        "enterprise_name": f"示例企业 {number:03d} 号(虚构)",
        "admin_code": "510107",
        "industry_code": dice.choice(("C265", "D462", "C301")),
        "permit_number": None,
        "permit_valid_until": f"20{dice.randint(27, 31)}-06-30",
        "record_year": 2025,
        "violations_count": violations,
        "penalties_count": violations,
        "penalty_amount_cny": violations * dice.randint(2, 40) * 10_000,
        "last_violation_date": f"2025-{dice.randint(1, 12):02d}-11" if violations else None,
        "rectified": bool(dice.getrandbits(1)) if violations else None,
        "credit_grade": dice.choice(_GRADES),
        "legal_representative": "示例甲",
        "contact_name": "示例乙",
        "contact_phone": f"028-{dice.randint(0, 99_999_999):08d}",
        "inspection_note": "虚构示例",
        "synthetic": True,
    }


def _hour(dice: random.Random, station: str, hour: int) -> dict[str, Any]:
    pm2_5 = dice.randint(18, 60)
    return {
        "station": station,
        "local_time": f"2026-03-{1 + hour // 24:02d}T{hour % 24:02d}:00",
        "pm2_5": pm2_5,
        "pm10": pm2_5 + dice.randint(15, 50),
        "so2": dice.randint(3, 15),
        "no2": dice.randint(15, 60),
        "co": 10 * dice.randint(40, 110),
        "o3": dice.randint(20, 160),
        "temperature": dice.randint(8, 19),
        "pressure": dice.randint(1008, 1022),
        "dew_point": dice.randint(-4, 7),
        "rain": 0,
        "wind_direction": dice.choice(("N", "NE", "SW", "W")),
        "wind_speed": dice.randint(1, 5),
    }


def _parcel(dice: random.Random, number: int) -> dict[str, Any]:
    west, south = dice.randint(98, 105), dice.randint(26, 33)
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    return {
        "parcel_id": f"SYN-{number:04d}",
        "admin_code": "533421",
        "survey_year": 2024,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "area": dice.randint(10, 400),
        "land_class": "arbor",
        "dominant_species": None,
        "origin": None,
        "age_group": None,
        "canopy_density": dice.randint(20, 90),
        "stock_volume": None,
        "category": None,
        "protection_level": 1,
        "owner": None,
        "synthetic": True,
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path
