"""Read comma-separated text (RFC 4180) as text, row by row, losing none.

Where the first line has no comma, the sign between columns is the tab, semicolon or bar that it has. Quoting
is strict. A row with too few or too many cells is broken and keeps its number; a blank line is no
row. A quote that never closes makes the rest of the file unreadable, and is a fault that names the line.
"""

import csv
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice

import polars as pl

from contracts.messages import Text
from contracts.validation import Rejected
from nodes.sources.batch import broken_row
from nodes.sources.cells import NUMBER
from nodes.sources.faults import BrokenText, NoHeader
from nodes.sources.scan import Scan

_DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True, slots=True)
class TextRows:
    """Rows of text cells as columns, with their data row numbers."""

    numbers: Sequence[int]
    frame: pl.DataFrame
    broken: Sequence[Rejected]


def read_header(scan: Scan) -> list[str]:
    """Read the column names; raise NoHeader if the first line cannot be one."""
    with scan.open_text() as text:
        header = next(_lines(scan, text), [])
    if not header or len(set(header)) != len(header) or not all(header):
        raise NoHeader(f"{scan.path.name}: a column name is missing or stands twice")
    if pl.Series(header).str.contains(NUMBER).any():
        raise NoHeader(f"{scan.path.name}: the first line holds numbers instead of column names")
    return header


def read_rows(scan: Scan, batch_rows: int) -> Iterator[TextRows]:
    """Read all data rows in batches; raise BrokenText."""
    with scan.open_text() as text, closing(_lines(scan, text)) as lines:
        header = next(lines)
        number = 1
        while raw := list(islice(lines, batch_rows)):
            yield _batch(header, raw, number)
            number += len(raw)
    scan.check_unchanged()


def distinct_cells(scan: Scan, column: str) -> list[str]:
    """List the different values of one column in order of appearance."""
    with scan.open_text() as text, closing(_lines(scan, text)) as lines:
        place = next(lines).index(column)
        return list(dict.fromkeys(row[place] for row in lines if len(row) > place))


def _lines(scan: Scan, text: Iterator[str]) -> Generator[list[str], None, None]:
    first = next(text, "")
    reader = csv.reader(chain([first], text), strict=True, delimiter=_delimiter(first))
    try:
        for row in reader:
            if row:
                yield row
    except csv.Error as error:
        raise BrokenText(f"{scan.path.name}, line {reader.line_num}: {error}") from error


def _delimiter(first: str) -> str:
    """Find the sign between the columns of a header; a sign inside quotes separates nothing."""
    bare = "".join(first.split('"')[::2])
    return next((sign for sign in _DELIMITERS if sign in bare), ",")


def _batch(header: list[str], raw: list[list[str]], first: int) -> TextRows:
    width = len(header)
    numbers: Sequence[int] = range(first, first + len(raw))
    broken: list[Rejected] = []
    if any(len(row) != width for row in raw):
        broken = [_ragged(n, row, width) for n, row in zip(numbers, raw, strict=True) if len(row) != width]
        good = [(n, row) for n, row in zip(numbers, raw, strict=True) if len(row) == width]
        numbers = [n for n, _ in good]
        raw = [row for _, row in good]
    columns = list(zip(*raw, strict=True)) or [()] * width
    frame = pl.DataFrame(
        [pl.Series(name, cells, dtype=pl.String) for name, cells in zip(header, columns, strict=True)]
    )
    return TextRows(numbers, frame, broken)


def _ragged(number: int, row: list[str], width: int) -> Rejected:
    message = Text(
        zh=f"应有 {width} 列,实有 {len(row)} 列", en=f"has {len(row)} cells where the header has {width}"
    )
    return broken_row(number, "columns", row, message)
