"""The real files: every row is judged, and the known defects are what is rejected."""

from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pytest

from contracts.messages import Counts
from contracts.validation import Rejected, RowValidator
from nodes.sources.discovery import Discovery, discover
from nodes.sources.source import Source, open_source
from tests.nodes.sources.taking import take_in

Judge: TypeAlias = Callable[[str], tuple[Counts, list[Rejected]]]

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
        "Changping", "Dingling", "Dongsi", "Guanyuan", "Gucheng", "Nongzhanguan", "Shunyi", "Tiantan",
        "Wanliu",
    )
}  # fmt: skip

pytestmark = pytest.mark.skipif(
    not (DATA / "SOURCES.md").exists(),
    reason="the sample data is not beside the project (../shared/data)",
)


@pytest.fixture(scope="module")
def found() -> Discovery:
    """Look through the sample data once."""
    return discover(DATA)


@pytest.fixture(scope="module")
def judged(found: Discovery, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Judge a sample file when a test of this worker asks for it, and once."""
    path = tmp_path_factory.mktemp("real") / "a.parquet"
    files = {file.path.name: file for file in found.files}

    @cache
    def judge(name: str) -> tuple[Counts, list[Rejected]]:
        intake = take_in(Source(files[name]), path)
        return intake.counts, intake.rejected

    return judge


def test_the_sample_folder_is_sorted_out(found: Discovery) -> None:
    """Nineteen files are read, the Parquet copy is covered by its stations, the rest is unknown."""
    covered = [left.path.name for left in found.skipped if left.code == "covered"]

    assert {file.path.name for file in found.files} == EXPECTED.keys()
    assert covered == ["air_beijing_prsa_10stations.parquet"]
    assert {left.code for left in found.skipped} == {"covered", "unknown-columns"}
    assert not any(file.info.synthetic for file in found.files)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_file_is_judged_row_by_row(judged: Judge, name: str) -> None:
    """Rows read and rows rejected are those known of the file, and read is published plus quarantined."""
    counts, rejected = judged(name)

    assert (counts.read, len(rejected)) == EXPECTED[name]
    assert counts.read == counts.published + counts.quarantined


@pytest.mark.parametrize(
    ("name", "row", "faults"),
    [
        ("Aotizhongxin.csv.gz", 75, {"/so2": '" "'}),
        (
            "air_beijing_pm_2010_2015.csv.gz",
            51_278,
            {"/precipitation": "999990", "/cumulated_precipitation": "999990"},
        ),
        ("air_guangzhou_pm_2010_2015.csv.gz", 34_637, {"/dew_point": "-9999", "/humidity": "-9999"}),
        ("wwtp_daily_1990_1991.csv", 1, {"/date": '"D-0/3/90"'}),
    ],
)
def test_the_known_defects_are_shown(judged: Judge, name: str, row: int, faults: dict[str, str]) -> None:
    """A known defect is rejected under its own row number, with pointer and value."""
    first = judged(name)[1][0]

    assert first.row_number == row
    assert {v.pointer: v.value for v in first.violations} == faults


@pytest.mark.parametrize("name", list(EXPECTED)[:10])
def test_columns_and_rows_agree_on_a_real_file(found: Discovery, name: str) -> None:
    """The rows that are doubted by columns, or have an odd cell, are those that the row engine refuses."""
    source = Source(next(file for file in found.files if file.path.name == name))
    validator = RowValidator(source.contract)
    for batch in source.batches():
        doubted = [number for _, number, _ in batch.doubtful(validator)]

        rows = list(batch.rows())
        refused = validator.doubtful_records([row for _, row in rows])
        assert doubted == [rows[index][0] for index in refused]


def test_the_parquet_edition_agrees_with_the_csv() -> None:
    """The PRSA Parquet file gives the rows of the CSV, in the single precision it was written with."""
    edition = open_source(DATA / "air_beijing_prsa_10stations.parquet")
    station = open_source(DATA / "air_beijing_prsa" / "Aotizhongxin.csv.gz")
    with closing(edition.batches(HOURS)) as ours, closing(station.batches(HOURS)) as theirs:
        kept = [row != 75 for row in range(1, HOURS + 1)]  # row 75 is the blank SO2 of the CSV
        left, right = (next(batches).keep(kept) for batches in (ours, theirs))

    single = pl.selectors.float().cast(pl.Float32)
    assert left.select(single).equals(right.select(single))
    assert left.select("station", "local_time").equals(right.select("station", "local_time"))
