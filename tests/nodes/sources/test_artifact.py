"""Accepted rows become the same bytes each time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from contracts import library
from contracts.schema import Contract
from contracts.validation import RowValidator
from nodes.sources.artifact import artifact_batches, write_artifact
from nodes.sources.batch import RecordBatch
from nodes.sources.faults import TruncatedFile
from nodes.sources.source import open_source
from tests.nodes.sources.taking import take_in

Put = Callable[..., Path]


def _rows(path: Path, contract: Contract) -> list[tuple[int, dict[str, Any]]]:
    return [row for batch in artifact_batches(path, contract) for row in batch.rows()]


def test_an_intake_counts_every_row(put: Put, texts: dict[str, str], tmp_path: Path) -> None:
    """Read is published plus quarantined, and the artifact holds the published rows in order."""
    source = open_source(put(texts["prsa"]))

    intake = take_in(source, tmp_path / "a.parquet")

    assert (intake.counts.read, intake.counts.published, intake.counts.quarantined) == (3, 2, 1)
    assert [bad.row_number for bad in intake.rejected] == [2]
    rows = _rows(tmp_path / "a.parquet", source.contract)
    assert [(number, row["record_number"]) for number, row in rows] == [(1, 1), (2, 3)]
    assert intake.written.columns == tuple(source.contract.columns())
    assert intake.written.size_bytes == (tmp_path / "a.parquet").stat().st_size


@pytest.mark.parametrize("kind", ["prsa", "city", "buoy", "turbine", "plant"])
def test_the_same_rows_are_the_same_bytes(put: Put, texts: dict[str, str], tmp_path: Path, kind: str) -> None:
    """Writing a source twice gives equal bytes, and what was written is valid when read again."""
    source = open_source(put(texts[kind]))
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in paths:
        take_in(source, path)

    assert paths[0].read_bytes() == paths[1].read_bytes()
    validator = RowValidator(source.contract)
    assert all(validator.is_valid(row) for _, row in _rows(paths[0], source.contract))


def test_nested_values_come_back(tmp_path: Path) -> None:
    """A geometry is JSON text in its column and the same object when it is read."""
    contract = library.load("forest-parcel")
    write_artifact(
        tmp_path / "f", contract, [RecordBatch(contract, [1], [contract.example_row()]).keep([True])]
    )

    assert pl.read_parquet(tmp_path / "f").schema["geometry"] == pl.String
    assert [row for _, row in _rows(tmp_path / "f", contract)] == [contract.example_row()]


def test_an_empty_artifact_has_its_columns(tmp_path: Path) -> None:
    """A release without rows still has the contract's columns."""
    contract = library.load("surface-water-buoy")

    written = write_artifact(tmp_path / "e", contract, [])

    assert (written.rows, written.columns) == (0, tuple(contract.columns()))
    assert _rows(tmp_path / "e", contract) == []


def test_a_damaged_artifact_is_a_clear_fault(tmp_path: Path) -> None:
    """Bytes that are no Parquet file are refused."""
    (tmp_path / "x").write_bytes(b"PAR1nonsensePAR1")

    with pytest.raises(TruncatedFile):
        _rows(tmp_path / "x", library.load("surface-water-buoy"))
