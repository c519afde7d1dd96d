"""Look through a whole file once before any row is read: digest, form, compression, encoding, limits.

The answer depends on the bytes alone, never on the name. Text that is valid UTF-8 is UTF-8; else it is
GB18030 if it decodes strictly and reads like Chinese (GB/T 2312 repertoire); else it is refused with the byte
offset. Memory use is constant, and a compressed file is measured by what it unpacks to.
"""

import codecs
import gzip
import hashlib
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl
from polars.exceptions import PolarsError

from nodes.sources.faults import (
    EmptyFile,
    EncodingUnknown,
    FileChanged,
    FileTooLarge,
    NulBytes,
    SourceFault,
    TruncatedFile,
    UnreadableForm,
)
from nodes.sources.json_start import is_collection

MAX_CONTENT_BYTES = 4 * 1024**3
CHUNK_BYTES = 1 << 20
PLAUSIBLE_SHARE = 0.8

Form = Literal["csv", "ndjson", "geojson", "parquet", "hj212"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030", "binary"]

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_FOREIGN = {b"PK\x03\x04": "a ZIP or Excel workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
_HJ212 = re.compile(rb"##[0-9]{4}QN=")
# Where the first bytes of characters of two, three and four bytes begin, and before them those that follow.
_LEADS = (0xC0, 0xE0, 0xF0)
_FOLLOWS = 0x80
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over a file found; ``sha256`` names the file, ``content_sha256`` what it unpacks to."""

    path: Path
    sha256: str
    content_sha256: str
    compressed: bool
    form: Form
    encoding: Encoding
    stamp: tuple[int, int]

    def open_binary(self) -> BinaryIO:
        """Open the unpacked bytes."""
        return _open(self.path, compressed=self.compressed)

    def open_text(self) -> io.TextIOWrapper:
        """Open the text with line ends as they are."""
        return io.TextIOWrapper(self.open_binary(), encoding=self.encoding, newline="")

    def check_unchanged(self) -> None:
        """Raise FileChanged if the file is no longer the one that was scanned."""
        if _stamp(self.path) != self.stamp:
            raise FileChanged(f"{self.path.name} changed while it was read")


def scan_file(path: Path, *, max_bytes: int = MAX_CONTENT_BYTES) -> Scan:
    """Look through a file; raise a SourceFault or FileTooLarge that says what to do."""
    try:
        return _scan(path, max_bytes)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TruncatedFile(f"{path.name} does not unpack: the gzip data ends early or is damaged") from error
    except OSError as error:
        raise SourceFault(f"{path.name} cannot be opened: {error.strerror}") from error


def _scan(path: Path, max_bytes: int) -> Scan:
    stamp = _stamp(path)
    if stamp[0] == 0:
        raise EmptyFile(f"{path.name} has no bytes")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PARQUET):
        sha256 = _file_digest(path, max_bytes)
        _check_parquet_end(path)
        return Scan(path, sha256, sha256, False, "parquet", "binary", stamp)
    compressed = head.startswith(_GZIP)
    packed_sha256 = _file_digest(path, max_bytes) if compressed else None
    reader = _TextReader(path.name)
    with _open(path, compressed=compressed) as content:
        for piece in _pieces(content, max_bytes, path.name):
            reader.feed(piece)
    encoding = reader.encoding()
    if encoding is None:
        encoding = _gb18030(lambda: _open(path, compressed=compressed), path.name, reader.bad_at)
    if compressed and reader.form == "hj212":
        raise UnreadableForm(f"{path.name} holds HJ 212 frames inside gzip; unpack it first")
    content_sha256 = "sha256:" + reader.digest.hexdigest()
    return Scan(
        path, packed_sha256 or content_sha256, content_sha256, compressed, reader.form, encoding, stamp
    )


def _file_digest(path: Path, max_bytes: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in _pieces(file, max_bytes, path.name):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


class _TextReader:
    """Takes the unpacked bytes piece by piece and keeps what the scan needs."""

    def __init__(self, name: str) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self.form: Form = "csv"
        self.bad_at: int | None = None
        self._name = name
        self._bom = False
        self._rest = b""  # a character that has begun

    def feed(self, piece: bytes) -> None:
        if self.size == 0:
            self._look_at_start(piece)
        nul = piece.find(b"\0")
        if nul >= 0:
            raise NulBytes(f"{self._name} holds a NUL at byte {self.size + nul}")
        self._decode(piece, final=False)
        self.digest.update(piece)
        self.size += len(piece)

    def encoding(self) -> Encoding | None:
        """Give the encoding, or None if the text is not UTF-8."""
        if self.size == 0:
            raise EmptyFile(f"{self._name} unpacks to nothing")
        self._decode(b"", final=True)
        if self.bad_at is not None:
            return None
        return "utf-8-sig" if self._bom else "utf-8"

    def _look_at_start(self, piece: bytes) -> None:
        for magic, what in _FOREIGN.items():
            if piece.startswith(magic):
                raise UnreadableForm(f"{self._name} is {what}")
        if piece.startswith(_PARQUET):
            raise UnreadableForm(f"{self._name} is a Parquet file inside gzip; unpack it first")
        if piece.startswith(_UTF16):
            raise EncodingUnknown(f"{self._name} is UTF-16 (byte 0)")
        self._bom = piece.startswith(codecs.BOM_UTF8)
        text = piece.removeprefix(codecs.BOM_UTF8).lstrip()
        if text.startswith(b"{"):
            self.form = "geojson" if is_collection(text) else "ndjson"
        elif _HJ212.match(piece):
            self.form = "hj212"

    def _decode(self, piece: bytes, *, final: bool) -> None:
        if self.bad_at is not None:
            return
        text = self._rest + piece
        end = len(text) if final else _whole_characters(text)
        if not _is_utf8(text[:end]):
            try:
                text[:end].decode()
            except UnicodeDecodeError as error:
                self.bad_at = self.size - len(self._rest) + error.start
        self._rest = text[end:]


def _is_utf8(text: bytes) -> bool:
    """Ask Polars, which takes a tenth of the time that decoding does."""
    try:
        pl.Series([text], dtype=pl.Binary).cast(pl.String)
    except PolarsError:
        return False
    return True


def _whole_characters(text: bytes) -> int:
    """Say up to where there is no UTF-8 character that only begins (RFC 3629 s3)."""
    for back, byte in enumerate(reversed(text[-3:]), start=1):
        if byte >= _LEADS[0]:
            size = 2 + (byte >= _LEADS[1]) + (byte >= _LEADS[2])
            return len(text) - back if back < size else len(text)
        if byte < _FOLLOWS:
            break
    return len(text)


def _gb18030(open_again: Callable[[], BinaryIO], name: str, bad_at: int | None) -> Encoding:
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    seen = usual = 0
    try:
        with open_again() as content:
            while piece := content.read(CHUNK_BYTES):
                foreign = "".join(sign for sign in decoder.decode(piece) if sign > "\x7f")
                seen += len(foreign)
                usual += len(foreign.encode("gb2312", "ignore")) // 2
            decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        raise EncodingUnknown(
            f"{name} is not UTF-8 from byte {bad_at}, and not GB18030", byte=bad_at or 0
        ) from error
    if usual < seen * PLAUSIBLE_SHARE:
        raise EncodingUnknown(
            f"{name} is not UTF-8 from byte {bad_at}, nor Chinese in GB18030", byte=bad_at or 0
        )
    return "gb18030"


def _pieces(file: BinaryIO, max_bytes: int, name: str) -> Iterator[bytes]:
    size = 0
    while piece := file.read(CHUNK_BYTES):
        size += len(piece)
        if size > max_bytes:
            raise FileTooLarge(f"{name} holds more than {max_bytes} bytes")
        yield piece


def _open(path: Path, *, compressed: bool) -> BinaryIO:
    # gzip.open gives a GzipFile, which reads like the binary file it stands for
    return gzip.open(path, "rb") if compressed else path.open("rb")  # type: ignore[return-value]


def _check_parquet_end(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        if file.read(4) != _PARQUET:
            raise TruncatedFile(f"{path.name} is a Parquet file without its end")


def _stamp(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns
