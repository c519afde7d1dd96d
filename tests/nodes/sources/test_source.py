"""Files are recognised by their columns and read without losing a row."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from contracts import library
from contracts.errors import Corrupt, HeadwatersError, NotFound
from contracts.validation import Rejected, RowValidator
from nodes.simulation import record
from nodes.sources.batch import judge
from nodes.sources.faults import BrokenText, NoHeader, TruncatedFile, UnknownColumns
from nodes.sources.source import Source, open_source, recognise

Put = Callable[..., Path]


def read(source: Source, batch_rows: int = 2) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Judge a source in tiny batches; give the accepted rows and the rejected ones."""
    validator = RowValidator(source.contract)
    judged = [judge(batch, validator) for batch in source.batches(batch_rows)]
    return [row for frame, _ in judged for row in frame.to_dicts()], [
        bad for _, some in judged for bad, _ in some
    ]


NOT = "not stated in the file"
RIVER = "Brisbane River, Queensland, Australia"
KNOWN = {
    "prsa": ("ambient-air-hourly", "air-dongsi", "Beijing, station Dongsi", "prsa-csv"),
    "city": ("ambient-air-city-hourly", "air-city-chengdu", "Chengdu, Sichuan", "five-cities-csv"),
    "buoy": ("surface-water-buoy", "river-buoy-brisbane", RIVER, "river-buoy-csv"),
    "turbine": (
        "stack-emission-hourly",
        "stack-gas-turbine",
        f"{NOT} (one gas turbine, UCI 551)",
        "gas-turbine-csv",
    ),
    "plant": (
        "waste-water-daily",
        "waste-water-plant",
        f"{NOT} (one plant, UCI 106)",
        "waste-water-plant-csv",
    ),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_a_published_set_is_recognised_by_its_columns(put: Put, texts: dict[str, str], kind: str) -> None:
    """A set is known by its columns under any file name, with its true place and its contract."""
    file = recognise(put(texts[kind], "misleading.parquet.gz"))

    assert file is not None
    assert (file.contract_id, file.dataset, file.info.place, file.info.format) == KNOWN[kind]
    assert (file.info.synthetic, file.info.file_name) == (False, "misleading.parquet.gz")
    assert file.info.note().sha256 == file.scan.sha256


def test_prsa_rows(put: Put, texts: dict[str, str]) -> None:
    """PRSA rows get a local time, NA becomes null, a blank is rejected with its value, 999 is kept."""
    rows, rejected = read(open_source(put(texts["prsa"])))

    assert [row["local_time"] for row in rows] == ["2013-03-01T00:00", "2013-03-31T13:00"]
    assert (rows[1]["pm10"], rows[1]["co"], rows[0]["station"]) == (999.0, 10000.0, "Dongsi")
    (bad,) = rejected
    assert bad.row_number == 2
    assert [(v.pointer, v.rule, v.value) for v in bad.violations] == [("/so2", "type", '" "')]


def test_city_rows(put: Put, texts: dict[str, str]) -> None:
    """Each site is a column of its own, and -9999 is out of range in both columns."""
    rows, rejected = read(open_source(put(texts["city"])))

    assert [name for name in rows[0] if name.startswith("pm25")] == [
        "pm25_caotangsi",
        "pm25_shahepu",
        "pm25_us_post",
    ]
    assert [(b.row_number, [v.pointer for v in b.violations]) for b in rejected] == [
        (2, ["/dew_point", "/humidity"])
    ]


def test_buoy_rows(put: Put, texts: dict[str, str]) -> None:
    """A one-digit hour is brought into the one spelling, without a zone; empty is null."""
    rows, rejected = read(open_source(put(texts["buoy"])))

    assert [(r["local_time"], r["temperature"]) for r in rows] == [
        ("2023-08-04T23:00", 19.834),
        ("2024-03-04T06:00", None),
    ]
    assert rejected == []


def test_turbine_rows_are_numbered(put: Put, texts: dict[str, str]) -> None:
    """Rows without a time are numbered as in the file, without a made-up time; AH above 100 is rejected."""
    rows, rejected = read(open_source(put(texts["turbine"])))

    assert [row["row_number"] for row in rows] == [1, 3]
    assert not any("time" in name for name in rows[0])
    assert [(b.row_number, b.violations[0].value) for b in rejected] == [(2, "100.06")]


def test_plant_rows(put: Put, texts: dict[str, str]) -> None:
    """A day nought is rejected as it is written, a real day is read, ? is null."""
    rows, rejected = read(open_source(put(texts["plant"])))

    assert [(row["date"], row["inlet_bod"]) for row in rows] == [("1990-03-01", None)]
    assert [(b.row_number, b.violations[0].value) for b in rejected] == [(1, '"D-0/3/90"')]


@pytest.mark.parametrize(
    ("columns", "slug", "place"),
    [
        ("PM_Jingan,PM_US Post,PM_Xuhui", "air-city-shanghai", "Shanghai"),
        ("PM_Taiyuanjie,PM_Xiaoheyan", "air-city-shenyang", "Shenyang, Liaoning"),
        ("PM_Somewhere", "air-city", "not stated in the file"),
    ],
)
def test_a_city_is_known_by_its_sites(
    put: Put, texts: dict[str, str], columns: str, slug: str, place: str
) -> None:
    """Known sites name their city; unknown sites leave the place unstated."""
    cells = ",".join("1" for _ in columns.split(","))
    text = texts["city"].replace("PM_Caotangsi,PM_Shahepu,PM_US Post", columns).replace("NA,NA,NA", cells)
    file = recognise(put(text))

    assert file is not None
    assert (file.dataset, file.info.place) == (slug, place)


def test_an_unknown_station_has_no_place(put: Put, texts: dict[str, str]) -> None:
    """PRSA columns with a foreign station do not make it a place in Beijing, nor does one among others."""
    foreign = recognise(put(texts["prsa"].replace("Dongsi", "Elsewhere"), "a"))
    mixed = recognise(put(texts["prsa"].replace("Dongsi", "Elsewhere", 1), "b"))

    assert foreign is not None
    assert mixed is not None
    assert (foreign.info.place, foreign.info.station) == (
        "not stated in the file (station Elsewhere)",
        "Elsewhere",
    )
    assert (mixed.info.place, mixed.info.station) == ("not stated in the file", None)


def test_two_unknown_stations_are_two_datasets(put: Put, texts: dict[str, str]) -> None:
    """Stations that are not known here keep their own names, and so their own datasets."""
    one = recognise(put(texts["prsa"].replace("Dongsi", "Elsewhere"), "a"))
    two = recognise(put(texts["prsa"].replace("Dongsi", "Over There"), "b"))

    assert one is not None
    assert two is not None
    assert [one.dataset, two.dataset] == ["air-elsewhere", "air-over-there"]


def test_a_spool_of_frames_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    """A file of HJ 212 frames is read as rows of the online-monitoring contract, whatever its name."""
    spool = tmp_path / "anything"
    record(spool, stations=1, hours=2, seed=3)
    source = open_source(spool)
    rows = [row for batch in source.batches() for _, row in batch.rows()]

    assert source.contract.id == "pollution-source-online"
    assert len(rows) >= 2
    assert {row["mn"] for row in rows} == {rows[0]["mn"]}


@pytest.mark.parametrize("name", library.names())
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_file_in_a_contracts_own_names_is_read(tmp_path: Path, name: str, form: str) -> None:
    """A file whose columns are a contract's fields is read alike from CSV, NDJSON and Parquet."""
    contract = library.load(name)
    example = contract.example_row()
    path = tmp_path / "clerk"
    flat = {k: orjson.dumps(v).decode() if isinstance(v, dict) else v for k, v in example.items()}
    if form == "csv":
        pl.DataFrame([flat]).write_csv(path)
    elif form == "ndjson":
        path.write_bytes(orjson.dumps(example) + b"\n\n" + orjson.dumps(example))
    else:
        pl.DataFrame([example]).write_parquet(path)

    source = open_source(path)
    rows = [row for batch in source.batches() for _, row in batch.rows()]

    assert source.contract.id == name
    assert rows[0] == example
    assert read(source)[1] == []
    assert source.info.place == "not stated in the file"
    assert source.info.synthetic is (example.get("synthetic") is True)


def test_chinese_encodings_give_equal_rows(put: Put) -> None:
    """A clerk's file reads alike in UTF-8, UTF-8 with a mark, and GB18030."""
    contract = library.load("enterprise-environment-record")
    row = {
        k: "" if v is None else str(v).lower() if isinstance(v, bool) else str(v)
        for k, v in contract.example_row().items()
    }
    text = ",".join(row) + "\n" + ",".join(f'"{cell}"' for cell in row.values()) + "\n"

    found = [read(open_source(put(text, e, encoding=e))) for e in ("utf-8", "utf-8-sig", "gb18030")]

    assert found[0] == found[1] == found[2]
    assert found[0][0][0]["enterprise_name"] == "示例水务有限公司(虚构)"


def test_ragged_rows_are_rejected_and_counted(put: Put, texts: dict[str, str]) -> None:
    """Short, long and cut rows are rejected under their own numbers; rows after them keep theirs."""
    lines = texts["turbine"].splitlines()
    text = "\n".join([lines[0], lines[1], "1,2,3", "", lines[1] + ",9", lines[2], lines[1], lines[1][:20]])

    rows, rejected = read(open_source(put(text)))

    assert [row["row_number"] for row in rows] == [1, 5]
    assert [(b.row_number, b.violations[0].rule) for b in rejected] == [
        (2, "columns"), (3, "columns"), (4, "maximum"), (6, "columns"),
    ]  # fmt: skip
    assert rejected[0].violations[0].message.en == "has 3 cells where the header has 11"
    assert rejected[0].violations[0].value == '["1","2","3"]'


@pytest.mark.parametrize("row", ['"1,2\n3,4\n', '1,"2"x\n'])
def test_broken_quotes_are_a_fault(put: Put, texts: dict[str, str], row: str) -> None:
    """A quote that never closes, or closes too early, is a fault that names the line."""
    with pytest.raises(BrokenText, match="line"):
        read(open_source(put(texts["turbine"] + row)))


@pytest.mark.parametrize("header", ["1,2,3", "a,a,b", "a,,b", "\n\n"])
def test_a_file_without_header_is_refused(put: Put, header: str) -> None:
    """Numbers, repeated names, empty names or nothing in the first line are no header."""
    with pytest.raises(NoHeader):
        recognise(put(header + "\n1,2,3\n"))


def test_unknown_columns_are_not_recognised(put: Put, texts: dict[str, str]) -> None:
    """Foreign columns are not recognised, and cannot be opened, even under a named contract."""
    path = put("a,b\n1,2\n")

    assert recognise(path) is None
    with pytest.raises(UnknownColumns):
        open_source(path)
    with pytest.raises(UnknownColumns, match="ambient-air-hourly"):
        open_source(path, "ambient-air-hourly")
    with pytest.raises(UnknownColumns):
        open_source(put(texts["prsa"], "p"), "waste-water-daily")
    with pytest.raises(NotFound):
        open_source(path, "no-such")


def test_quoted_cells_may_hold_lines_and_commas(put: Put) -> None:
    """Commas, quotes and line ends inside quotes belong to the cell, and the row counts once."""
    contract = library.load("enterprise-environment-record")
    row = contract.example_row() | {"inspection_note": 'a,"b"\nc'}
    flat = {k: str(v).lower() if isinstance(v, bool) else v for k, v in row.items()}
    path = put(pl.DataFrame([flat, flat]).write_csv())

    rows, rejected = read(open_source(path))

    assert [r["inspection_note"] for r in rows] == ['a,"b"\nc'] * 2
    assert rejected == []


def test_bad_json_lines_are_rejected_and_counted(put: Put) -> None:
    """Lines that are no I-JSON record are rejected under their own numbers; the others are judged."""
    contract = library.load("surface-water-buoy")
    good = orjson.dumps(contract.example_row()).decode()
    lines = [
        good, "{", "[1]", good.replace("8.158", "NaN"), good.replace("8.158", "1e400"), "",
        good.replace("}", ',"ph":7}'), good.replace("}", ',"p\\u0068":7}'),
        good.replace("8.158", '"\\ud800"'),
        good.replace("8.158", '"8"'), good.replace("}", ',"x":7}'), good,
    ]  # fmt: skip

    rows, rejected = read(open_source(put("\n".join(lines))))

    assert len(rows) == 2
    assert [(b.row_number, b.violations[0].rule) for b in rejected] == [
        (2, "json"), (3, "json"), (4, "json"), (5, "json"), (6, "json"), (7, "json"), (8, "json"),
        (9, "type"), (10, "additionalProperties"),
    ]  # fmt: skip


def test_parquet_types_are_judged(tmp_path: Path) -> None:
    """In Parquet a text is no number and a NaN is none; Float32 is read by its decimal form."""
    contract = library.load("surface-water-buoy")
    base = contract.example_row()
    path = tmp_path / "p"
    pl.DataFrame(
        [base | {"ph": v} for v in (8.0, float("nan"), 15.0)], schema_overrides={"salinity": pl.Float32}
    ).write_parquet(path)
    rows, rejected = read(open_source(path))
    pl.DataFrame([base | {"ph": "8.0"}]).write_parquet(path)
    text_rows, text_rejected = read(open_source(path))

    assert [row["salinity"] for row in rows] == [35.255]
    assert [(b.row_number, b.violations[0].rule, b.violations[0].value) for b in rejected] == [
        (2, "type", "nan"), (3, "maximum", "15"),
    ]  # fmt: skip
    assert text_rows == []
    assert text_rejected[0].violations[0].value == '"8.0"'


def test_parquet_times_become_text(tmp_path: Path) -> None:
    """Dates and zone-less times become their text; a time with a zone is no local time and is rejected."""
    firm = library.load("enterprise-environment-record").example_row() | {
        "last_violation_date": date(2025, 4, 11)
    }
    buoy = library.load("surface-water-buoy").example_row()
    paths = [tmp_path / name for name in "abc"]
    pl.DataFrame([firm]).write_parquet(paths[0])
    pl.DataFrame([buoy | {"local_time": datetime(2023, 8, 4, 23, 0)}]).write_parquet(paths[1])  # noqa: DTZ001
    pl.DataFrame([buoy | {"local_time": datetime(2023, 8, 4, 23, 0, tzinfo=UTC)}]).write_parquet(paths[2])

    assert read(open_source(paths[0]))[0][0]["last_violation_date"] == "2025-04-11"
    assert read(open_source(paths[1]))[0][0]["local_time"] == "2023-08-04T23:00"
    assert read(open_source(paths[2]))[1][0].violations[0].rule == "pattern"


def test_prsa_parquet_reads_like_its_csv(put: Put, texts: dict[str, str], tmp_path: Path) -> None:
    """The typed Parquet edition of PRSA gives the rows its CSV gives."""
    source = open_source(put(texts["prsa"].replace(", ,", ",NA,")))
    frame = pl.read_csv(source.file.path, null_values=["NA"], schema_overrides={"TEMP": pl.Float32})
    frame.write_parquet(tmp_path / "p")

    found = open_source(tmp_path / "p")

    assert found.info.format == "prsa-parquet"
    assert read(found) == read(source)


@pytest.mark.parametrize("cut", [4, 40, 400])
def test_a_cut_parquet_is_refused(tmp_path: Path, cut: int) -> None:
    """A Parquet file that lost bytes, at its end or inside, is a clear fault."""
    path = tmp_path / "p"
    pl.DataFrame([library.load("surface-water-buoy").example_row()] * 99).write_parquet(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-cut])
    with pytest.raises(TruncatedFile):
        recognise(path)

    path.write_bytes(raw[: len(raw) // 2 - cut] + raw[len(raw) // 2 :])
    with pytest.raises(HeadwatersError):
        read(open_source(path))


def test_numbers_start_at_one_across_batches(put: Put, texts: dict[str, str]) -> None:
    """Row numbers run on from batch to batch, whatever the batch size."""
    path = put(texts["prsa"])

    found = [[n for b in open_source(path).batches(size) for n, _ in b.rows()] for size in (1, 2, 100)]

    assert found == [[1, 2, 3]] * 3


def test_a_rejected_row_comes_with_its_cells(put: Put, texts: dict[str, str]) -> None:
    """Judging a batch keeps the good rows and gives the bad ones with their numbers and what they held."""
    source = open_source(put(texts["turbine"]))
    (batch,) = source.batches()

    kept, rejected = judge(batch, RowValidator(source.contract))

    assert len(kept) == 2
    assert [(bad.row_number, row) for bad, row in rejected] == [(2, dict(batch.rows())[2])]


def test_a_row_is_written_only_as_it_was_judged(put: Put, texts: dict[str, str]) -> None:
    """A row with a cell that its column cannot hold is never written, even if a caller says it passed."""
    (batch,) = open_source(put(texts["prsa"])).batches()

    with pytest.raises(Corrupt):
        batch.keep([True, True, True])
