"""The open rows of a quarantine as a file that a clerk mends, and the mended file read back.

A file is CSV (UTF-8 with a byte order mark, as spreadsheets want it) or NDJSON, by its suffix. The column or
key ``id`` names the row and never changes; ``reasons`` is for reading only; where the contract has fields of
these names, they get an underscore in front. A cell that a spreadsheet would take for a formula is written
with an apostrophe in front, which reading takes away again; so are names, which a partner's contract chose.
The file is 0600, as it holds rows that were never published.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from contracts.errors import Conflict, HeadwatersError, Invalid
from contracts.schema import Contract
from nodes.node import Node
from nodes.quarantine.mending import Mended, current_contract, judges, resubmit
from nodes.quarantine.model import ChangesUnfit
from nodes.quarantine.rows import open_rows
from nodes.sources.batch import ColumnBatch
from nodes.sources.cells import type_text, write_json

BATCH_ROWS = 5_000
SHOWN_REFUSALS = 500
ID, REASONS = "id", "reasons"
_FORMULA = tuple("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")  # also in full width

Record = dict[str, Any]  # Any: a record holds whatever its schema admits
Progress = Callable[[int], None]
"""Hears how many lines have been read."""


class MendingFileUnfit(Invalid):
    """The file is no list of mended rows."""

    code = "mending-file-unfit"
    title_zh = "该文件不是修改后的隔离行清单"
    next_zh = "用 headwaters quarantine export 导出,修改后原样提交,保留 id 列。"
    next_en = "Export with headwaters quarantine export, mend that file, and keep its id column."


class ExportExists(Conflict):
    """The file for the export is there already."""

    code = "export-exists"
    title_zh = "目标文件已存在"
    next_zh = "换一个文件名,或先移走原文件。"
    next_en = "Choose another name, or move the file away first."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line of a mended file that was not taken, and why."""

    line: int
    row: int | None
    error: HeadwatersError


@dataclass(slots=True)
class Outcome:
    """What became of a mended file; ``refusals`` holds the first 500, ``refused`` counts all."""

    mended: int
    repeated: int
    refused: int
    refusals: list[Refusal]


def write_open(node: Node, dataset: str, path: Path) -> int:
    """Write the open rows of a dataset into a new file; give their number.

    Raises DatasetNotDeclared, MendingFileUnfit for another suffix, ExportExists.
    """
    contract = current_contract(node, dataset)
    write = {".csv": _write_csv, ".ndjson": _write_ndjson}.get(path.suffix)
    if write is None or not path.is_absolute():
        raise MendingFileUnfit(f"{path.name} ends neither in .csv nor in .ndjson")
    try:
        return write(path, contract, open_rows(node, dataset))
    except FileExistsError as error:
        raise ExportExists(path.name) from error
    except OSError as error:
        raise MendingFileUnfit(f"{path.name} cannot be written: {error.strerror}") from error


def resubmit_file(
    node: Node, dataset: str, path: Path, person: str, progress: Progress = lambda _: None
) -> Outcome:
    """Offer every row of a mended file.

    Raises DatasetNotDeclared or MendingFileUnfit; what is wrong with one row stands among the refusals.
    """
    contract = current_contract(node, dataset)
    outcome = Outcome(0, 0, 0, [])
    judge_of = judges(node)

    def send(row: int, record: Record) -> Mended:
        return resubmit(node, row, record, person, judge_of)

    try:
        for line, row, record in _offers(path, contract):
            _offer(outcome, (line, row), record, send)
            progress(line)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MendingFileUnfit(f"{path.name} cannot be read: {type(error).__name__}") from error
    return outcome


def _offer(
    outcome: Outcome,
    place: tuple[int, int | None],
    record: Record | None,
    send: Callable[[int, Record], Mended],
) -> None:
    line, row = place
    try:
        if row is None or record is None:
            raise ChangesUnfit("the line holds no id, or no record")
        done = send(row, record)
    except HeadwatersError as error:
        outcome.refused += 1
        if len(outcome.refusals) < SHOWN_REFUSALS:
            outcome.refusals.append(Refusal(line, row, error))
        return
    outcome.mended += not done.repeated
    outcome.repeated += done.repeated


def _offers(path: Path, contract: Contract) -> Iterator[tuple[int, int | None, Record | None]]:
    match path.suffix:
        case ".ndjson":
            return _read_ndjson(path)
        case ".csv":
            return _read_csv(path, contract)
        case _:
            raise MendingFileUnfit(f"{path.name} ends neither in .csv nor in .ndjson")


def _write_ndjson(path: Path, _contract: Contract, rows: Iterator[Record]) -> int:
    count = 0
    with os.fdopen(_new_file(path), "wb") as file:
        for row in rows:
            file.write(orjson.dumps(row) + b"\n")
            count += 1
    return count


def _write_csv(path: Path, contract: Contract, rows: Iterator[Record]) -> int:
    names = contract.columns()
    count = 0
    with os.fdopen(_new_file(path), "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*_marks(contract), *map(_cell, names)])
        for row in rows:
            record = row["record"] if isinstance(row["record"], dict) else {}
            writer.writerow([row["id"], _cell(row["reasons"]), *(_cell(record.get(name)) for name in names)])
            count += 1
    return count


def _new_file(path: Path) -> int:
    """Begin a file that nobody else reads; raise FileExistsError, also for a link that leads elsewhere."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _marks(contract: Contract) -> tuple[str, str]:
    """Name the columns beside the record's own, by names that none of these has."""
    taken = set(contract.columns())
    mark, reasons = ID, REASONS
    while mark in taken:
        mark = f"_{mark}"
    while reasons in taken:
        reasons = f"_{reasons}"
    return mark, reasons


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return orjson.dumps(value).decode()
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case _:
            return write_json(value)


def _read_ndjson(path: Path) -> Iterator[tuple[int, int | None, Record | None]]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            try:
                value = orjson.loads(raw)
            except orjson.JSONDecodeError:
                value = None
            record = value.get("record") if isinstance(value, Mapping) else None
            row = value.get(ID) if isinstance(value, Mapping) else None
            whole = isinstance(row, int) and not isinstance(row, bool)
            yield line, row if whole else None, record if isinstance(record, dict) else None


def _read_csv(path: Path, contract: Contract) -> Iterator[tuple[int, int | None, Record | None]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = [name.removeprefix("'") for name in next(reader, [])]
        mark, reasons = _marks(contract)
        names = [name for name in header if name not in {mark, reasons}]
        if mark not in header or len(set(header)) != len(header) or not names:
            raise MendingFileUnfit(f"{path.name} has no column {mark}, or a column twice")
        line = 0
        while cells := list(islice(reader, BATCH_ROWS)):
            whole = [row if len(row) == len(header) else [""] * len(header) for row in cells]
            text = pl.DataFrame(
                {name: [_read_cell(row[at]) for row in whole] for at, name in enumerate(header)},
                schema=dict.fromkeys(header, pl.String()),
            )
            typed, odd = type_text(text.select(names), contract)
            batch = ColumnBatch(contract, range(len(whole)), typed, odd)
            ids = text[mark].to_list()
            for number, record in batch.rows():
                line += 1
                row = ids[number]
                yield line, int(row) if row and row.isascii() and row.isdecimal() else None, record


def _read_cell(text: str) -> str | None:
    if text == "":
        return None
    return text.removeprefix("'")
