"""Records of a release as they stand in a file: read by their row, named by a digest, compared by it.

The digest is over one JSON text: an object of the row's columns in the file's order, as Polars writes NDJSON,
with bytes as base64. Consumer and provider hold the same view, byte for byte, so both read the same text.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from contracts.canonical import sha256_hex
from contracts.dialect import pointer_text
from contracts.errors import Invalid
from contracts.messages import DisputedRecord
from nodes.sources.parquet_rows import read_columns

MAX_FOUND = 200


class RecordUnknown(Invalid):
    """The release has no such row, or the row no such field."""

    code = "disputed-record-unknown"
    title_zh = "批次中没有该行,或该行没有该字段"
    next_zh = "行号从 1 起,按所接收文件计;字段写作 /名称。"
    next_en = "Rows count from 1 in the file that was received; a field is written /name."


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a received file, a JSON pointer within it (empty: the whole record), and what is expected."""

    row: int
    pointer: str
    expected: str | None


def dispute(path: Path, places: list[Place]) -> list[DisputedRecord]:
    """Read what is disputed from a received file; raise RecordUnknown or TruncatedFile."""
    columns = read_columns(path)
    found = []
    for place in places:
        text = _text(path, place.row)
        if text is None:
            raise RecordUnknown(f"the file has no row {place.row}")
        column = _column(place.pointer)
        if column is not None and column not in columns:
            raise RecordUnknown(f"row {place.row} has no field {column[:80]}")
        found.append(
            DisputedRecord(
                row=place.row,
                pointer=place.pointer,
                record=sha256_hex(text),
                found=None if column is None else _cell(text, column),
                expected=place.expected,
            )
        )
    return found


def is_as_delivered(path: Path, record: DisputedRecord) -> bool:
    """Say whether a file holds this very record in this row: it is what was delivered."""
    text = _text(path, record.row)
    return text is not None and sha256_hex(text) == record.record


def _text(path: Path, row: int) -> bytes | None:
    """Write one row of a Parquet file as JSON; None beyond its end."""
    frame = pl.scan_parquet(path, glob=False).slice(row - 1, 1).collect()
    if frame.is_empty():
        return None
    return frame.with_columns(pl.col(pl.Binary).bin.encode("base64")).write_ndjson().encode().rstrip(b"\n")


def _column(pointer: str) -> str | None:
    """Give the first name of a JSON pointer (RFC 6901); None for the whole record."""
    if not pointer:
        return None
    if not pointer.startswith("/"):
        raise RecordUnknown(f"{pointer[:80]!r} is no JSON pointer")
    return pointer_text(pointer[1:].split("/", 1)[0])


def _cell(text: bytes, column: str) -> str:
    row: dict[str, Any] = orjson.loads(text)
    return orjson.dumps(row.get(column)).decode()[:MAX_FOUND]
