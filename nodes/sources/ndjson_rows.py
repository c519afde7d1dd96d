"""Read newline-delimited JSON under I-JSON (RFC 7493): no NaN, no duplicate key, no lone surrogate.

A line that is no such object is broken and keeps its number; a blank line is no row.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from contracts.messages import Text
from contracts.schema import Contract
from contracts.validation import Rejected
from nodes.sources.batch import RecordBatch, broken_row
from nodes.sources.faults import BrokenText
from nodes.sources.scan import Scan

MAX_LINE_CHARS = 8 * 1024 * 1024
_PEEK_LINES = 50


class _NotARecord(Exception):
    pass


def read_keys(scan: Scan) -> list[str]:
    """Read the field names of the first line that is a record."""
    with scan.open_text() as text:
        for _, line in islice(_lines(scan, text), _PEEK_LINES):
            try:
                return list(_record(line))
            except _NotARecord:
                continue
    return []


def read_records(scan: Scan, contract: Contract, batch_rows: int) -> Iterator[RecordBatch]:
    """Read all lines in batches; raise BrokenText for an endless line."""
    with scan.open_text() as text:
        lines = _lines(scan, text)
        while raw := list(islice(lines, batch_rows)):
            yield _batch(contract, raw)
    scan.check_unchanged()


def _batch(contract: Contract, raw: list[tuple[int, str]]) -> RecordBatch:
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    broken: list[Rejected] = []
    for number, line in raw:
        try:
            records.append(_record(line))
            numbers.append(number)
        except _NotARecord as error:
            message = Text(zh="该行不是合规的 JSON 对象", en=f"the line is no JSON record: {error}")
            broken.append(broken_row(number, "json", line, message))
    return RecordBatch(contract, numbers, records, broken)


def _lines(scan: Scan, text: Any) -> Iterator[tuple[int, str]]:  # Any: a text stream with readline(limit)
    number = 0
    while line := text.readline(MAX_LINE_CHARS + 1):
        if len(line) > MAX_LINE_CHARS:
            raise BrokenText(f"{scan.path.name}: row {number + 1} is longer than {MAX_LINE_CHARS} characters")
        if line.strip():
            number += 1
            yield number, line


def _record(line: str) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
        if not isinstance(record, dict):
            raise _NotARecord("not an object")
        # Without escapes every quote delimits a string, so a missing pair betrays a key that was overwritten.
        if "\\" in line or line.count('"') != 2 * _strings(record):
            json.loads(line, object_pairs_hook=_unique)
    except orjson.JSONDecodeError as error:
        raise _NotARecord(error.msg) from error
    except RecursionError as error:
        raise _NotARecord("nested too deep") from error
    return record


def _strings(value: object) -> int:
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return len(value) + sum(map(_strings, value.values()))
    return sum(map(_strings, value)) if isinstance(value, list) else 0


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _NotARecord("a key stands twice")
    return dict(pairs)
