"""The published data sets that are recognised by their columns, and how their columns become contract fields.

Missing markers are those the sets document. Times are brought into one spelling and are never converted to
another zone; where a set has no time, its rows are numbered instead.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

Numbers = Sequence[int]
Derive = Callable[[pl.DataFrame, Numbers], pl.DataFrame]

PRSA_POLLUTANTS = {"PM2.5": "pm2_5", "PM10": "pm10", "SO2": "so2", "NO2": "no2", "CO": "co", "O3": "o3"}


@dataclass(frozen=True, slots=True)
class Layout:
    """One known set of columns; ``rename`` leads from source columns to contract fields."""

    name: str
    contract_id: str
    columns: frozenset[str]
    missing: frozenset[str]
    rename: Mapping[str, str]
    derive: Derive
    more: re.Pattern[str] | None = None

    def fits(self, header: Sequence[str]) -> bool:
        """Tell whether these are the columns of the set."""
        extra = set(header) - self.columns
        if not self.columns <= set(header):
            return False
        return bool(extra) == bool(self.more) and all(self.more and self.more.fullmatch(n) for n in extra)

    def fields(self, frame: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
        """Turn a frame of the set's text columns into a frame of text columns named by the contract."""
        derived = self.derive(frame, numbers)
        names = {name: field_name(name) for name in frame.columns if self.more and self.more.fullmatch(name)}
        kept = {**self.rename, **names}
        kept = {old: new for old, new in kept.items() if old in derived.columns}
        return derived.select(pl.col(old).alias(new) for old, new in kept.items())


def field_name(column: str) -> str:
    """Make the field name of a PM2.5 column of the five-cities set: ``PM_US Post`` is ``pm25_us_post``."""
    return "pm25_" + re.sub(r"[^a-z0-9]+", "_", column.removeprefix("PM_").lower()).strip("_")[:40]


def layout_of(header: Sequence[str]) -> Layout | None:
    """Recognise a published set by its columns."""
    return next((layout for layout in LAYOUTS if layout.fits(header)), None)


def _hours(frame: pl.DataFrame, _numbers: Numbers) -> pl.DataFrame:
    """Write year, month, day and hour as one local time; odd parts stay visible in the text."""
    two = [pl.col(part).str.zfill(2) for part in ("month", "day", "hour")]
    return frame.with_columns(pl.format("{}-{}-{}T{}:00", pl.col("year"), *two).alias("local_time"))


def _buoy_time(frame: pl.DataFrame, _numbers: Numbers) -> pl.DataFrame:
    parts = pl.col("Timestamp").str.extract_groups(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{1,2}):([0-9]{2})$")
    day, hour, minute = (parts.struct[index] for index in range(3))
    written = pl.format("{}T{}:{}", day, hour.str.zfill(2), minute)
    return frame.with_columns(pl.coalesce(written, pl.col("Timestamp")).alias("local_time"))


def _plant_date(frame: pl.DataFrame, _numbers: Numbers) -> pl.DataFrame:
    """Read ``D-day/month/yy`` of the 1990s; a day that does not exist stays as it is written."""
    parts = pl.col("date").str.extract_groups(r"^D-([0-9]{1,2})/([0-9]{1,2})/([0-9]{2})$")
    day, month, year = (parts.struct[index] for index in range(3))
    written = pl.format("19{}-{}-{}", year, month.str.zfill(2), day.str.zfill(2))
    real = written.str.to_date("%Y-%m-%d", strict=False).dt.to_string("%Y-%m-%d")
    return frame.with_columns(pl.coalesce(real, pl.col("date")).alias("date"))


def _row_numbers(frame: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    return frame.with_columns(pl.Series("row_number", numbers, dtype=pl.Int64).cast(pl.String))


_TIMES = {"local_time": "local_time"}
_PLANT = {
    "Q-E": "inlet_flow", "ZN-E": "inlet_zinc", "PH-E": "inlet_ph", "DBO-E": "inlet_bod", "DQO-E": "inlet_cod",
    "SS-E": "inlet_ss", "SSV-E": "inlet_vss", "SED-E": "inlet_sediment", "COND-E": "inlet_conductivity",
    "PH-P": "primary_ph", "DBO-P": "primary_bod", "SS-P": "primary_ss", "SSV-P": "primary_vss",
    "SED-P": "primary_sediment", "COND-P": "primary_conductivity",
    "PH-D": "secondary_ph", "DBO-D": "secondary_bod", "DQO-D": "secondary_cod", "SS-D": "secondary_ss",
    "SSV-D": "secondary_vss", "SED-D": "secondary_sediment", "COND-D": "secondary_conductivity",
    "PH-S": "outlet_ph", "DBO-S": "outlet_bod", "DQO-S": "outlet_cod", "SS-S": "outlet_ss",
    "SSV-S": "outlet_vss", "SED-S": "outlet_sediment", "COND-S": "outlet_conductivity",
    "RD-DBO-P": "removal_bod_primary", "RD-SS-P": "removal_ss_primary",
    "RD-SED-P": "removal_sediment_primary",
    "RD-DBO-S": "removal_bod_secondary", "RD-DQO-S": "removal_cod_secondary",
    "RD-DBO-G": "removal_bod_overall", "RD-DQO-G": "removal_cod_overall", "RD-SS-G": "removal_ss_overall",
    "RD-SED-G": "removal_sediment_overall",
}  # fmt: skip
_TURBINE = {
    "AT": "ambient_temperature", "AP": "ambient_pressure", "AH": "ambient_humidity",
    "AFDP": "air_filter_difference_pressure", "GTEP": "exhaust_pressure", "TIT": "turbine_inlet_temperature",
    "TAT": "turbine_after_temperature", "TEY": "energy_yield", "CDP": "compressor_discharge_pressure",
    "CO": "co", "NOX": "nox",
}  # fmt: skip
_BUOY = {
    "Record number": "record_number", "Average Water Speed": "water_speed",
    "Average Water Direction": "water_direction", "Chlorophyll": "chlorophyll", "Temperature": "temperature",
    "Dissolved Oxygen": "dissolved_oxygen",
    "Dissolved Oxygen (%Saturation)": "dissolved_oxygen_saturation", "pH": "ph", "Salinity": "salinity",
    "Specific Conductance": "specific_conductance", "Turbidity": "turbidity",
}  # fmt: skip
_PRSA = {
    "station": "station", **_TIMES, **PRSA_POLLUTANTS, "TEMP": "temperature", "PRES": "pressure",
    "DEWP": "dew_point", "RAIN": "rain", "wd": "wind_direction", "WSPM": "wind_speed", "No": "record_number",
}  # fmt: skip
_CITY = {
    **_TIMES, "season": "season", "DEWP": "dew_point", "HUMI": "humidity", "PRES": "pressure",
    "TEMP": "temperature", "cbwd": "wind_direction", "Iws": "cumulated_wind_speed",
    "precipitation": "precipitation", "Iprec": "cumulated_precipitation", "No": "record_number",
}  # fmt: skip
_CLOCK = frozenset({"year", "month", "day", "hour"})

PRSA = Layout(
    name="prsa",
    contract_id="ambient-air-hourly",
    columns=frozenset(_PRSA) - _TIMES.keys() | _CLOCK,
    missing=frozenset({"", "NA"}),
    rename=_PRSA,
    derive=_hours,
)
FIVE_CITIES = Layout(
    name="five-cities",
    contract_id="ambient-air-city-hourly",
    columns=frozenset(_CITY) - _TIMES.keys() | _CLOCK,
    missing=frozenset({"", "NA"}),
    rename=_CITY,
    derive=_hours,
    more=re.compile(r"PM_[A-Za-z0-9 ]{1,40}", re.ASCII),
)
BUOY = Layout(
    name="river-buoy",
    contract_id="surface-water-buoy",
    columns=frozenset(_BUOY) | {"Timestamp"},
    missing=frozenset({""}),
    rename={**_TIMES, **_BUOY},
    derive=_buoy_time,
)
TURBINE = Layout(
    name="gas-turbine",
    contract_id="stack-emission-hourly",
    columns=frozenset(_TURBINE),
    missing=frozenset({""}),
    rename={"row_number": "row_number", **_TURBINE},
    derive=_row_numbers,
)
PLANT = Layout(
    name="waste-water-plant",
    contract_id="waste-water-daily",
    columns=frozenset(_PLANT) | {"date"},
    missing=frozenset({"", "?"}),
    rename={"date": "date", **_PLANT},
    derive=_plant_date,
)
LAYOUTS = (PRSA, FIVE_CITIES, BUOY, TURBINE, PLANT)
