"""Small data folders in the formats of the published sets, with known defects, made for one test."""

import random
from pathlib import Path

PRSA = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station"
BUOY = (
    "Timestamp,Record number,Average Water Speed,Average Water Direction,Chlorophyll,Temperature,"
    "Dissolved Oxygen,Dissolved Oxygen (%Saturation),pH,Salinity,Specific Conductance,Turbidity"
)
TURBINE = "AT,AP,AH,AFDP,GTEP,TIT,TAT,TEY,CDP,CO,NOX"


def write_station(folder: Path, station: str, rows: int) -> Path:
    """Write hourly rows of one station; data row 3 has a blank-string SO2, which is no number."""
    lines = [PRSA]
    for number in range(1, rows + 1):
        so2 = '" "' if number == 3 else "5"
        day, hour = divmod(number - 1, 24)
        weather = f'1.5,1020.1,-9.2,0,"NW",2.1,"{station}"'
        lines.append(f"{number},2013,3,{day + 1},{hour},{number % 80},90,{so2},17,300,NA,{weather}")
    return _write(folder / f"{station}.csv", lines)


def write_buoy(folder: Path, rows: int) -> Path:
    """Write rows of the river buoy without a defect."""
    lines = [BUOY] + [
        f"2023-08-{4 + n // 24:02d} {n % 24:02d}:30,{n},1.5,100.2,1.9,19.8,7.4,100.2,8.1,35.2,53.3,2.1"
        for n in range(rows)
    ]
    return _write(folder / "buoy.csv", lines)


def write_turbine(folder: Path, name: str, rows: int) -> Path:
    """Write hourly stack rows; data row 2 has a humidity above 100 %."""
    humidity = ["83.6"] * rows
    humidity[1] = "100.2"
    lines = [TURBINE] + [
        f"4.5,1018.7,{h},3.5,23.9,1086.2,549.8,134.6,11.8,0.3,{81 + n}" for n, h in enumerate(humidity)
    ]
    return _write(folder / name, lines)


def write_readings(path: Path, values: random.Random, rows: int) -> Path:
    """Write made-up rows of a river buoy, 17 digits each so that they do not compress; none has a defect."""
    lines = [BUOY]
    for number in range(rows):
        moment = f"2023-08-{4 + number // 24 % 24:02d} {number % 24:02d}:30"
        numbers = (repr(values.uniform(0.5, 13.5)) for _ in range(10))
        lines.append(f"{moment},{number},{','.join(numbers)}")
    return _write(path, lines)


def _write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
