"""A file is tried against a contract: every fault of every row, and nothing is kept."""

from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest

from contracts import library
from contracts.validation import RowValidator
from nodes.sources.check import Check, check_file
from nodes.sources.faults import SourceFault, UnknownColumns
from nodes.sources.source import open_under
from tests.contracts.workload import rows, workload_contract

Put = Callable[..., Path]
Faults = list[tuple[int, str, str, str]]


def faults_of(check: Check) -> Faults:
    """List what a check found: row, place, rule and value."""
    return [(f["row"], f["pointer"], f["schema_pointer"], f["value"] or "") for f in check.faults()]


def test_a_file_can_be_tried_before_it_is_published(put: Put, texts: dict[str, str]) -> None:
    """A trial reports the counts and each fault with row, both pointers, value and words."""
    with check_file(library.load("stack-emission-hourly"), put(texts["turbine"])) as check:
        (fault,) = check.faults()

    assert (check.rows, check.accepted, check.rejected, check.fault_count) == (3, 2, 1, 1)
    assert (fault["row"], fault["pointer"], fault["value"]) == (2, "/ambient_humidity", "100.06")
    assert fault["schema_pointer"] == "/properties/ambient_humidity/maximum"
    assert fault["message"]["en"] == "ambient humidity must be at most 100"


def test_every_form_of_a_file_gives_the_same_faults(tmp_path: Path) -> None:
    """NDJSON, CSV and Parquet, with structs or JSON text, break the same rules in the same rows."""
    contract = workload_contract()
    made = list(rows(3000, seed=11, broken=0.3, kinds=range(3, 12)))
    frame = pl.DataFrame(
        made, schema_overrides={"value": pl.Float64, "note": pl.String}, infer_schema_length=None
    )
    text = frame.with_columns(pl.col("location").struct.json_encode())
    (tmp_path / "a.ndjson").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in made))
    text.write_csv(tmp_path / "a.csv")
    text.write_parquet(tmp_path / "text.parquet")
    frame.write_parquet(tmp_path / "struct.parquet", row_group_size=700)
    validator = RowValidator(contract)
    expected = [
        (number, v.pointer, v.schema_pointer, v.value or "")
        for number, row in enumerate(made, 1)
        for v in validator.violations(row)
    ]

    found = {}
    for path in sorted(tmp_path.iterdir()):
        with check_file(contract, path) as check:
            found[path.name] = faults_of(check)

    assert len(expected) > 600
    assert found == dict.fromkeys(["a.csv", "a.ndjson", "struct.parquet", "text.parquet"], expected)


def test_no_fault_is_left_out(put: Put) -> None:
    """A row with many faults and a file with many such rows are listed whole."""
    wide = orjson.dumps({f"stranger_{index}": index for index in range(700)})
    file = put(b'{"station":1}\n' + b"\n".join([wide] * 20))

    with check_file(workload_contract(), file) as check:
        count = sum(1 for _ in check.faults())

    assert check.rejected == 21
    assert count == check.fault_count
    assert check.faults_by_rule["/additionalProperties", "additionalProperties"] == 14_000


def test_a_column_too_many_or_too_few_is_a_fault_of_each_row(put: Put) -> None:
    """A file that is tried is judged row by row, also where its columns are not the contract's."""
    with check_file(library.load("waste-water-daily"), put("date,stranger\n1990-01-01,x\n")) as check:
        rules = {fault["rule"] for fault in check.faults()}

    assert (check.rows, check.rejected) == (1, 1)
    assert rules == {"required", "additionalProperties"}


def test_quite_another_file_is_refused(put: Put) -> None:
    """A file without one column of the contract is another file, and is said to be."""
    with pytest.raises(UnknownColumns), check_file(workload_contract(), put("colour,size\nred,1\n")):
        pytest.fail("it was read")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_opened_is_a_clear_fault(tmp_path: Path, name: str) -> None:
    """A missing file and a folder are faults in words, not tracebacks."""
    with (
        pytest.raises(SourceFault, match="cannot be opened"),
        check_file(workload_contract(), tmp_path / name),
    ):
        pytest.fail("it was read")


def test_progress_is_told(put: Put, texts: dict[str, str]) -> None:
    """Whoever waits hears how many rows have been judged."""
    heard: list[int] = []

    with check_file(library.load("stack-emission-hourly"), put(texts["turbine"]), heard.append):
        pass

    assert heard == [3]


def test_a_known_set_is_read_under_the_edition_that_is_named(put: Put, texts: dict[str, str]) -> None:
    """A published set is judged by the named version of its contract, not by the shipped one."""
    newer = library.load("stack-emission-hourly").model_copy(update={"version": "9.0.0"})

    assert open_under(put(texts["turbine"]), newer).contract.version == "9.0.0"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_numbered_in_any_encoding_and_line_end(put: Put, encoding: str, end: str) -> None:
    """Blank lines are no rows; a line that is no record keeps its number."""
    good = [orjson.dumps(row).decode() for row in rows(3, broken=0)]
    text = end.join([good[0], "", "  ", "{broken", good[1], good[2]]) + end

    with check_file(workload_contract(), put(text, encoding=encoding)) as check:
        (fault,) = check.faults()

    assert (check.rows, check.rejected) == (4, 1)
    assert (fault["row"], fault["rule"], fault["pointer"]) == (2, "json", "")
