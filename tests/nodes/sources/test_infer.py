"""A contract drafted from data admits that data, says what to look at, and shows no row of it."""

import csv
import json
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import library
from contracts.sampling.generate import rows
from contracts.schema import contract_text, parse_contract
from nodes.sources.check import check_file
from nodes.sources.infer import NotDrafted, draft
from nodes.sources.made_rows import UnknownSuffix, form_of, write_rows

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def accepts(path: Path, contract: Any) -> bool:
    """Tell whether a contract admits every row of a file."""
    with check_file(contract, path) as checked:
        return checked.rejected == 0 and checked.rows > 0


def written(path: Path, header: list[str], *lines: list[str]) -> Path:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text).writerows([header, *lines])
    return path


def test_columns_are_recognised(tmp_path: Path) -> None:
    """Numbers, whole numbers, truth values, times, codes, few returning values and blanks each get their rule."""  # noqa: E501
    header = ["site", "local_time", "area_code", "count", "level", "open", "kind", "note"]
    path = written(
        tmp_path / "river levels.csv",
        header,
        *([f"S{n % 3}", f"2026-01-01T{n:02}:00", "510100", str(n), f"{n}.5", "true", "abc"[n % 3], "" if n % 2 else "ok then"]  # noqa: E501
          for n in range(24)),
    )  # fmt: skip
    drafted = draft(path)
    found: Any = drafted.contract.record["properties"]

    assert drafted.contract.id == "river-levels"
    assert found["count"] == {"type": "integer", "minimum": 0, "maximum": 50}
    assert found["level"] == {"type": "number", "minimum": 0, "maximum": 50}
    assert found["open"] == {"type": "boolean"}
    assert found["kind"] == {"type": "string", "enum": ["a", "b", "c"]}
    assert found["area_code"] == {"type": "string", "pattern": "^[0-9]{6}$"}
    assert found["note"]["type"] == ["string", "null"]
    assert drafted.contract.series is not None
    assert (drafted.contract.series.time, drafted.contract.series.by) == ("local_time", ["site"])
    assert accepts(path, drafted.contract)


@pytest.mark.parametrize("suffix", ["ndjson", "csv", "parquet"])
@pytest.mark.parametrize("name", ["ambient-air-hourly", "forest-parcel", "pollution-source-online"])
def test_a_draft_admits_made_rows_of_every_form(tmp_path: Path, name: str, suffix: str) -> None:
    """Rows of a shipped contract, in each form of file, are admitted by the contract that is drafted from them."""  # noqa: E501
    contract = library.load(name)
    path = tmp_path / f"made.{suffix}"
    write_rows(path, contract, (one.row for one in rows(contract, 60, form=form_of(path))))

    drafted = draft(path)

    assert parse_contract(contract_text(drafted.contract)) == drafted.contract
    if suffix == "ndjson" or name != "forest-parcel":  # a table holds geometry as text
        assert accepts(path, drafted.contract)


def test_a_map_is_drafted_from(tmp_path: Path) -> None:
    """The features of a GeoJSON file become rows with a geometry."""
    feature = {
        "type": "Feature",
        "properties": {"name": "x", "area": 1.5},
        "geometry": {"type": "Point", "coordinates": [103.5, 31]},
    }
    path = tmp_path / "parcels.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [feature] * 3}))
    drafted = draft(path)

    assert drafted.contract.kind("geometry") == "object"
    assert accepts(path, drafted.contract)


def test_no_row_is_shown(tmp_path: Path) -> None:
    """A text that does not return stands nowhere in the draft: its example is made up."""
    path = written(
        tmp_path / "people.csv", ["person", "phone"], *([f"name-{n}", f"138{n:08}"] for n in range(30))
    )

    assert "name-" not in draft(path).contract.model_dump_json()


def test_values_of_a_rarer_kind_are_named(tmp_path: Path) -> None:
    """Where a field holds several kinds of value, the most frequent is drafted and the rest is said."""
    path = tmp_path / "mixed.ndjson"
    path.write_text("\n".join(json.dumps({"x": value}) for value in [1, 2, 3, "four"]))
    drafted = draft(path)

    assert drafted.contract.kind("x") == "integer"
    assert any(note.startswith("x: ") for note in drafted.notes)
    assert any("1 faults remain" in note for note in drafted.notes)


def test_missing_marks_among_numbers_are_named(tmp_path: Path) -> None:
    """Numbers beside a word are drafted as text, and a person is told of it."""
    path = written(tmp_path / "marks.csv", ["x"], ["1"], ["NA"], ["2.5"])
    drafted = draft(path)

    assert drafted.contract.kind("x") == "string"
    assert any("missing marks" in note for note in drafted.notes)


def test_names_that_no_contract_can_have_are_listed(tmp_path: Path) -> None:
    """Column names that are not ASCII are refused, each with a reason."""
    with pytest.raises(NotDrafted) as refused:
        draft(written(tmp_path / "cn.csv", ["断面", "level"], ["a", "1"]))

    assert refused.value.facts["reasons"] == ["列名须为 ASCII / not an ASCII name: 断面"]


def test_narrow_parquet_numbers_are_read(tmp_path: Path) -> None:
    """Parquet columns of narrow integers, floats, days and moments are drafted and admitted."""
    path = tmp_path / "narrow.parquet"
    pl.DataFrame(
        {
            "a": pl.Series([1, 2, None], dtype=pl.Int16),
            "b": pl.Series([1.5, 2, 3], dtype=pl.Float32),
            "c": pl.Series([200, 1, 0], dtype=pl.UInt8),
            "d": pl.Series(["2026-01-01", "2026-01-02", None]).str.to_date(),
            "e": pl.Series(["2026-01-01T01:00:00"] * 3).str.to_datetime(time_zone="UTC"),
        }
    ).write_parquet(path)

    assert accepts(path, draft(path).contract)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "a": st.none() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9),
                "b": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
                "c": st.booleans(),
                "d": st.lists(st.integers(-5, 5), max_size=4) | st.just([]),
                "e": st.fixed_dictionaries(
                    {"x": st.integers(0, 9)}, optional={"y": st.none() | st.text("ab")}
                ),
                "f": st.sampled_from(["2026-01-01", "2026-02-29", "2026-01-01T00:00:00Z"]),
            },
        ),
        min_size=1,
        max_size=8,
    ).filter(lambda records: bool(records[0]))
)
def test_a_draft_admits_any_records(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    """Whatever the records hold, as long as each field keeps to one kind, the draft admits them all."""
    path = tmp_path / "any.ndjson"
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))

    assert accepts(path, draft(path).contract)


def test_a_file_without_a_known_suffix_is_not_written(tmp_path: Path) -> None:
    """The form of made rows is that of the suffix; without one nothing is written."""
    with pytest.raises(UnknownSuffix):
        write_rows(tmp_path / "rows.xlsx", library.load("forest-parcel"), [])


@pytest.mark.skipif(not DATA.exists(), reason=f"the real files are not at {DATA}")
@pytest.mark.parametrize(
    "name",
    [
        "wwtp_daily_1990_1991.csv",
        "usgs_samples_wide.csv",
        "stack_gas_turbine_2011.csv.gz",
        "forest_fires_montesinho.csv",
    ],
)
def test_real_files_are_admitted_by_their_drafts(name: str) -> None:
    """A contract drafted from a real file, 181 columns wide or 528 rows odd, admits all of it."""
    path = next(DATA.rglob(name))

    assert accepts(path, draft(path).contract)
