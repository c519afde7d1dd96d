"""Read a GeoJSON FeatureCollection (RFC 7946 s3.3) feature by feature, however large the file is.

A row is a feature's properties with its geometry as the field ``geometry``. A feature that is no record is
broken and keeps its number; a text that cannot be followed any further is a fault that names the feature. The
old ``crs`` member (GeoJSON 2008) must name longitude and latitude, as the coordinates are never converted.
"""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, TextIO

from contracts.parsing import MAX_RECORD_BYTES, NotARecord, Record, parse_record
from contracts.schema import Contract
from contracts.validation import Rejected
from nodes.sources.batch import RecordBatch, broken_row
from nodes.sources.faults import BrokenText
from nodes.sources.geometry import CoordinatesUnknown, check_reference
from nodes.sources.scan import Scan

GEOMETRY = "geometry"
_BLOCK_CHARS = 1 << 18
_PEEK_FEATURES = 50
_BLANK = re.compile(r"[ \t\r\n]*", re.ASCII)
_DECODER = json.JSONDecoder()


def read_keys(scan: Scan) -> list[str]:
    """Read the field names of the first feature that is a record."""
    with closing(_features(scan)) as features:
        for _, text in islice(features, _PEEK_FEATURES):
            try:
                return list(_row(text))
            except NotARecord:
                continue
    return []


def read_features(scan: Scan, contract: Contract, batch_rows: int) -> Iterator[RecordBatch]:
    """Read all features in batches; raise BrokenText or CoordinatesUnknown."""
    with closing(_features(scan)) as features:
        while some := list(islice(features, batch_rows)):
            numbers: list[int] = []
            records: list[Record] = []
            broken: list[Rejected] = []
            for number, text in some:
                try:
                    records.append(_row(text))
                    numbers.append(number)
                except NotARecord as fault:
                    broken.append(broken_row(number, "json", text, fault.message))
            yield RecordBatch(contract, numbers, records, broken)
    scan.check_unchanged()


def _row(text: str) -> Record:
    feature = parse_record(text.encode(errors="surrogatepass"))
    properties = feature.get("properties")
    if feature.get("type") != "Feature" or not isinstance(properties, dict | None):
        raise NotARecord("不是 GeoJSON 要素", "not a GeoJSON feature")
    row = dict(properties or {})
    if GEOMETRY in row:
        raise NotARecord("属性中另有 geometry", "its properties have a geometry of their own")
    if "id" in feature:
        row.setdefault("id", feature["id"])
    return row | {GEOMETRY: feature.get("geometry")}


def _features(scan: Scan) -> Generator[tuple[int, str], None, None]:
    """Give the text of each feature with its number, and check the members around them."""
    with scan.open_text() as text:
        reader = _Reader(text, scan.path.name)
        reader.take("{")
        kind: object = None
        seen: set[str] = set()
        while not reader.took("}"):
            if seen:
                reader.take(",")
            name = reader.value()
            reader.take(":")
            if not isinstance(name, str) or name in seen:
                raise reader.broken("a member has no name of its own")
            seen.add(name)
            if name == "features":
                yield from _array(reader)
                continue
            value = reader.value()
            if name == "crs":
                _check_crs(value, scan.path.name)
            kind = value if name == "type" else kind
        reader.end()
        if kind != "FeatureCollection" or "features" not in seen:
            raise reader.broken("it is no FeatureCollection")


def _array(reader: "_Reader") -> Iterator[tuple[int, str]]:
    reader.take("[")
    if reader.took("]"):
        return
    while True:
        reader.number += 1
        yield reader.number, reader.text_of_value()
        if reader.took("]"):
            return
        reader.take(",")


def _check_crs(value: Any, name: str) -> None:  # Any: a JSON value
    if value is None:
        raise CoordinatesUnknown(f"{name} says that its reference system is unknown")
    properties = value.get("properties") if isinstance(value, dict) else None
    said = properties.get("name") if isinstance(properties, dict) else None
    check_reference(said if isinstance(said, str) else "", name)


class _Reader:
    """Follows JSON text block by block; holds at most one value and the block behind it."""

    def __init__(self, text: TextIO, name: str) -> None:
        self.number = 0
        self._text, self._name = text, name
        self._buffer = ""
        self._at = 0
        self._ended = False

    def broken(self, why: str) -> BrokenText:
        """Make the fault, which names the feature."""
        place = f"feature {self.number}" if self.number else "its beginning"
        return BrokenText(f"{self._name}, at {place}: {why}", feature=self.number)

    def took(self, sign: str) -> bool:
        """Pass a sign if it is the next one."""
        if self._next() != sign:
            return False
        self._at += 1
        return True

    def take(self, sign: str) -> None:
        """Pass a sign; raise BrokenText for another one."""
        if not self.took(sign):
            raise self.broken(f"{sign!r} is missing")

    def end(self) -> None:
        """Raise BrokenText if something follows."""
        if self._next():
            raise self.broken("something follows the collection")

    def value(self) -> Any:  # Any: a JSON value
        """Read the next value."""
        return self._value()[0]

    def text_of_value(self) -> str:
        """Read the next value as the text that it is."""
        return self._value()[1]

    def _value(self) -> tuple[Any, str]:
        self._next()
        more = _BLOCK_CHARS
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
            except ValueError as error:
                if self._ended:
                    raise self.broken("the text ends or is no JSON here") from error
            except RecursionError as error:
                raise self.broken("it is nested too deep") from error
            else:
                # A number at the very end of the block may go on in the next one.
                if end < len(self._buffer) or self._ended:
                    text = self._buffer[self._at : end]
                    self._at = end
                    return value, text
            if len(self._buffer) - self._at > MAX_RECORD_BYTES:
                raise self.broken(f"it has more than {MAX_RECORD_BYTES} characters, or is no JSON")
            self._read(more)
            more *= 2

    def _next(self) -> str:
        """Pass blanks; give the next sign, or nothing at the end."""
        while True:
            match = _BLANK.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._read(_BLOCK_CHARS)

    def _read(self, chars: int) -> None:
        block = self._text.read(chars)
        self._ended = not block
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
