"""The real files: every row is judged, and the known defects are what is rejected."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from contracts.validation import Rejected
from nodes.sources.discovery import Discovery, discover
from nodes.sources.intake import take_in
from nodes.sources.source import Source, open_source

DATA = Path(__file__).parents[3].parent / "shared" / "data"
HOURS = 35_064
EXPECTED = {
    "air_beijing_pm_2010_2015.csv.gz": (52_584, 1),
    "air_chengdu_pm_2010_2015.csv.gz": (52_584, 0),
    "air_guangzhou_pm_2010_2015.csv.gz": (52_584, 4),
    "stack_gas_turbine_2011.csv.gz": (7_411, 83),
    "stack_gas_turbine_2012.csv.gz": (7_628, 150),
    "stack_gas_turbine_2013.csv.gz": (7_152, 147),
    "stack_gas_turbine_2014.csv.gz": (7_158, 98),
    "water_brisbane_river_2023_2024.csv.gz": (30_889, 0),
    "wwtp_daily_1990_1991.csv": (528, 1),
    "Aotizhongxin.csv.gz": (HOURS, 1),
} | {
    f"{station}.csv.gz": (HOURS, 0)
    for station in (
        "Changping", "Dingling", "Dongsi", "Guanyuan", "Gucheng", "Nongzhanguan", "Shunyi", "Tiantan", "Wanliu",
    )
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not (DATA / "SOURCES.md").exists(), reason="the sample data is not beside the project (../shared/data)"
)


@pytest.fixture(scope="module")
def found() -> Discovery:
    """Look through the sample data once."""
    return discover(DATA)


def test_the_sample_folder_is_sorted_out(found: Discovery) -> None:
    """Nineteen files are read, the Parquet copy is covered by its stations, the rest is unknown."""
    reasons = Counter(left.code for left in found.skipped)

    assert {file.path.name for file in found.files} == EXPECTED.keys()
    assert [left.path.name for left in found.skipped if left.code == "covered"] == [
        "air_beijing_prsa_10stations.parquet"
    ]
    assert set(reasons) == {"covered", "unknown-columns"}
    assert not any(file.info.synthetic for file in found.files)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_is_judged_row_by_row(
    found: Discovery, name: str, tmp_path: Path, judged: Callable[[Source, Path], tuple[int, list[Rejected]]]
) -> None:
    """Rows read and rows rejected are those known of the file."""
    (file,) = [file for file in found.files if file.path.name == name]

    read, rejected = judged(Source(file), tmp_path / "a.parquet")

    assert (read, len(rejected)) == EXPECTED[name]


@pytest.fixture
def judged() -> Callable[[Source, Path], tuple[int, list[Rejected]]]:
    """Give a reader that counts rows and keeps the rejected ones."""

    def take(source: Source, path: Path) -> tuple[int, list[Rejected]]:
        rejected: list[Rejected] = []
        return take_in(source, path, rejected.extend).counts.read, rejected

    return take


@pytest.mark.parametrize(
    ("name", "row", "faults"),
    [
        ("air_beijing_prsa/Aotizhongxin.csv.gz", 75, {"/so2": '" "'}),
        (
            "air_beijing_pm_2010_2015.csv.gz",
            51_278,
            {"/precipitation": "999990", "/cumulated_precipitation": "999990"},
        ),
        ("air_guangzhou_pm_2010_2015.csv.gz", 34_637, {"/dew_point": "-9999", "/humidity": "-9999"}),
        ("wwtp_daily_1990_1991.csv", 1, {"/date": '"D-0/3/90"'}),
    ],
)
def test_the_known_defects_are_shown(
    name: str,
    row: int,
    faults: dict[str, str],
    tmp_path: Path,
    judged: Callable[[Source, Path], tuple[int, list[Rejected]]],
) -> None:
    """A known defect is rejected under its own row number, with pointer and value."""
    _, rejected = judged(open_source(DATA / name), tmp_path / "a.parquet")

    assert rejected[0].row_number == row
    assert {v.pointer: v.value for v in rejected[0].violations} == faults


def test_the_parquet_edition_agrees_with_the_csv(tmp_path: Path) -> None:
    """The typed Parquet edition of PRSA, read under the contract, gives the rows of the station's CSV."""
    whole, one = tmp_path / "w", tmp_path / "o"
    take_in(open_source(DATA / "air_beijing_prsa_10stations.parquet"), whole, lambda _: None)
    take_in(open_source(DATA / "air_beijing_prsa" / "Dongsi.csv.gz"), one, lambda _: None)

    assert pl.read_parquet(whole).filter(pl.col("station") == "Dongsi").equals(pl.read_parquet(one))
