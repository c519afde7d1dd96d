"""Read newline-delimited JSON under I-JSON (``contracts.parsing``), a megabyte of text at a time.

A line that is no record is broken and keeps its number; a blank line is no row.
"""

import codecs
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice

from contracts.parsing import MAX_RECORD_BYTES, NotARecord, RecordParser, parse_record
from contracts.schema import Contract
from nodes.sources.batch import RecordBatch, broken_row
from nodes.sources.faults import BrokenText
from nodes.sources.scan import Scan

BLOCK_BYTES = 1 << 20
_PEEK_LINES = 50


def read_keys(scan: Scan) -> list[str]:
    """Read the field names of the first line that is a record."""
    with closing(_lines(scan, _PEEK_LINES)) as blocks:
        for line in islice((line for lines in blocks for line in lines), _PEEK_LINES):
            try:
                return list(parse_record(line))
            except NotARecord:
                continue
    return []


def read_records(scan: Scan, contract: Contract, batch_rows: int) -> Iterator[RecordBatch]:
    """Read all lines in batches of at most ``batch_rows``; raise BrokenText for an endless line."""
    parser = RecordParser(contract)
    first = 1
    with closing(_lines(scan, batch_rows)) as blocks:
        for lines in blocks:
            parsed = parser.parse(lines)
            numbers = [first + index for index in parsed.indices]
            broken = [
                broken_row(first + index, "json", lines[index].decode(errors="replace"), fault.message)
                for index, fault in parsed.faults
            ]
            yield RecordBatch(contract, numbers, parsed.records, broken)
            first += len(lines)
    scan.check_unchanged()


def _lines(scan: Scan, most: int) -> Generator[list[bytes], None, None]:
    """Give the lines that are not blank, in UTF-8, some at a time."""
    rest = b""
    for piece in _pieces(scan):
        text = rest + piece
        # A carriage return at the very end may be half of a line end.
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        rest = text[end:]
        if len(rest) > MAX_RECORD_BYTES:
            raise BrokenText(f"{scan.path.name}: a row is longer than {MAX_RECORD_BYTES} bytes")
        yield from _some(text[:end], most)
    yield from _some(rest, most)


def _some(text: bytes, most: int) -> Iterator[list[bytes]]:
    lines = [line for line in text.splitlines() if line and not line.isspace()]
    for start in range(0, len(lines), most):
        yield lines[start : start + most]


def _pieces(scan: Scan) -> Iterator[bytes]:
    with scan.open_binary() as file:
        if scan.encoding == "utf-8-sig":
            file.read(len(codecs.BOM_UTF8))
        if scan.encoding != "gb18030":
            while piece := file.read(BLOCK_BYTES):
                yield piece
            return
        decoder = codecs.getincrementaldecoder("gb18030")("strict")
        while piece := file.read(BLOCK_BYTES):
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
