"""Write made rows as a file that ``nodes.sources`` reads: NDJSON, CSV or Parquet, by its suffix."""

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from contracts.errors import Usage
from contracts.sampling.seen import Form, cell, columns
from contracts.schema import Contract
from nodes.sources.artifact import write_artifact
from nodes.sources.batch import RecordBatch

_FORMS: dict[str, Form] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
_BATCH_ROWS = 10_000

Row = dict[str, Any]  # Any: a record holds whatever its schema admits


class UnknownSuffix(Usage):
    """The name of the file does not say its form."""

    code = "unknown-suffix"
    title_zh = "无法从文件名判断格式"
    next_zh = "文件名以 .ndjson、.csv 或 .parquet 结尾。"
    next_en = "End the file name with .ndjson, .csv or .parquet."


def form_of(path: Path) -> Form:
    """Read the form from the name of a file; raise UnknownSuffix."""
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise UnknownSuffix(f"{path.name[:80]!r} has none of the suffixes {', '.join(_FORMS)}")
    return form


def write_rows(path: Path, contract: Contract, rows: Iterable[Row]) -> None:
    """Write the rows to a draft beside ``path``, which then takes its place."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        match form_of(path):
            case "ndjson":
                with draft.open("wb") as file:
                    file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
            case "csv":
                names = columns(contract)
                with draft.open("w", encoding="utf-8", newline="") as text:
                    writer = csv.writer(text, lineterminator="\n")
                    writer.writerow(names)
                    writer.writerows([cell(row.get(name)) for name in names] for row in rows)
            case "parquet":
                write_artifact(draft, contract, _frames(contract, iter(rows)))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _frames(contract: Contract, rows: Iterator[Row]) -> Iterator[pl.DataFrame]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield RecordBatch(contract, range(len(batch)), batch).keep([True] * len(batch))
