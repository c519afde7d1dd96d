"""Tiny files of every known form."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

Put = Callable[..., Path]

PRSA = (
    '"No","year","month","day","hour","PM2.5","PM10","SO2","NO2","CO","O3","TEMP","PRES","DEWP","RAIN","wd",'
    '"WSPM","station"\r\n'
    '1,2013,3,1,0,4,4,4,7,300,77,-0.7,1023,-18.8,0,"NNW",4.4,"Dongsi"\r\n'
    '2,2013,3,1,1,NA,8, ,7,300,77,-1.1,1023.2,-18.2,0,NA,4.7,"Dongsi"\r\n'
    '3,2013,3,31,13,8,999,4,7,10000,77,-1.1,1023.2,-18.2,0,"N",4.7,"Dongsi"\r\n'
)
CITY = (
    "No,year,month,day,hour,season,PM_Caotangsi,PM_Shahepu,PM_US Post,DEWP,HUMI,PRES,TEMP,cbwd,Iws,"
    "precipitation,Iprec\n"
    "1,2010,1,1,0,4,NA,NA,NA,4,81.2,1022,7,cv,1,0,0\n"
    "2,2010,1,1,1,4,12,NA,NA,-9999,-9999,1022,6,cv,1,0,0\n"
)
BUOY = (
    "Timestamp,Record number,Average Water Speed,Average Water Direction,Chlorophyll,Temperature,"
    "Dissolved Oxygen,Dissolved Oxygen (%Saturation),pH,Salinity,Specific Conductance,Turbidity\n"
    "2023-08-04 23:00,1473,1.596,100.271,1.935,19.834,7.43,100.293,8.158,35.255,53.315,2.124\n"
    "2024-03-04 6:00,1474,6.6,141.8,2.1,,7.4,100.3,8.158,35.259,53.321,\n"
)
TURBINE = (
    "AT,AP,AH,AFDP,GTEP,TIT,TAT,TEY,CDP,CO,NOX\n"
    "4.5878,1018.7,83.675,3.5758,23.979,1086.2,549.83,134.67,11.898,0.32663,81.952\n"
    "4.2932,1018.3,100.06,3.5709,23.951,1086.1,550.05,134.67,11.892,0.44784,82.377\n"
    "4.2932,1018.3,84.1,3.5709,23.951,1086.1,550.05,134.67,11.892,0.44784,82.377\n"
)
_PLANT_CELLS = (
    "44101,1.50,7.8,?,407,166,66.3,4.5,2110,7.9,?,228,70.2,5.5,2120,7.9,?,280,94,72.3,0.3,2010,7.3,?,84,21,81.0,"
    "0.02,2000,?,58.8,95.5,?,70.0,?,79.4,87.3,99.6\n"
)
PLANT = (
    "date,Q-E,ZN-E,PH-E,DBO-E,DQO-E,SS-E,SSV-E,SED-E,COND-E,PH-P,DBO-P,SS-P,SSV-P,SED-P,COND-P,PH-D,DBO-D,DQO-D,"
    "SS-D,SSV-D,SED-D,COND-D,PH-S,DBO-S,DQO-S,SS-S,SSV-S,SED-S,COND-S,RD-DBO-P,RD-SS-P,RD-SED-P,RD-DBO-S,RD-DQO-S,"
    f"RD-DBO-G,RD-DQO-G,RD-SS-G,RD-SED-G\nD-0/3/90,{_PLANT_CELLS}D-1/3/90,{_PLANT_CELLS}"
)
TEXTS = {"prsa": PRSA, "city": CITY, "buoy": BUOY, "turbine": TURBINE, "plant": PLANT}


@pytest.fixture
def texts() -> dict[str, str]:
    """Give a tiny CSV of each published set."""
    return TEXTS


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Give a writer of files: text or bytes, in an encoding, gzipped if the name says so."""

    def write(content: str | bytes, name: str = "file.dat", *, encoding: str = "utf-8") -> Path:
        raw = content if isinstance(content, bytes) else content.encode(encoding)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write
