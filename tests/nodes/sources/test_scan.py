"""A file is looked through before it is read: encoding, form, damage, limits."""

import codecs
import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import HeadwatersError
from nodes.sources import scan
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
from nodes.sources.scan import CHUNK_BYTES, scan_file

Put = Callable[..., Path]
CHINESE = "站点,数值\n奥体中心,1\n农展馆,2\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("gbk", "gb18030")],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_the_encoding_is_found_from_the_bytes(put: Put, encoding: str, expected: str, name: str) -> None:
    """UTF-8, UTF-8 with a mark, and GB18030 are told apart, compressed or not, and read back equal."""
    scan = scan_file(put(CHINESE, name, encoding=encoding))

    assert (scan.encoding, scan.form) == (expected, "csv")
    with scan.open_text() as text:
        assert text.read() == CHINESE


def test_digests_name_the_file_and_its_content(put: Put) -> None:
    """One digest is that of the file on disk, the other that of what it unpacks to."""
    plain, packed = put(CHINESE, "a.csv"), put(CHINESE, "a.csv.gz")

    assert scan_file(packed).sha256 == "sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest()
    assert scan_file(packed).content_sha256 == scan_file(plain).content_sha256 == scan_file(plain).sha256


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES - 2])
def test_a_character_may_lie_across_two_pieces(put: Put, size: int) -> None:
    """A character cut by the reading buffer is no fault."""
    assert scan_file(put("a" * size + "站\n")).encoding == "utf-8"


@pytest.mark.parametrize("lead", [10, CHUNK_BYTES - 1, CHUNK_BYTES + 3])
def test_unknown_encodings_name_the_byte(put: Put, lead: int) -> None:
    """Text that is neither UTF-8 nor GB18030 is refused, and the error names the byte where UTF-8 fails."""
    with pytest.raises(EncodingUnknown) as caught:
        scan_file(put(b"a" * lead + b"\xe9,caf\xff\n"))
    assert caught.value.facts == {"byte": lead}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(
            [b"a", "é".encode(), "站".encode(), "\U0001f30a".encode(), b"\xe7\xab", b"\xff", b"\xf0\x9f"]
        ),
        min_size=1,
        max_size=12,
    ),
    chunk=st.integers(1, 9),
)
def test_the_byte_is_the_one_where_decoding_fails(
    put: Put, monkeypatch: pytest.MonkeyPatch, parts: list[bytes], chunk: int
) -> None:
    """However the file is read in pieces, UTF-8 is what Python decodes, and fails where Python does."""
    monkeypatch.setattr(scan, "CHUNK_BYTES", chunk)
    raw = b"x" + b"".join(parts)
    try:
        raw.decode()
        fails_at = None
    except UnicodeDecodeError as error:
        fails_at = error.start

    try:
        told: object = scan_file(put(raw)).encoding
    except EncodingUnknown as refused:
        told = refused.facts

    assert told in (("utf-8",) if fails_at is None else ("gb18030", {"byte": fails_at}))


def test_latin_text_is_not_taken_for_chinese(put: Put) -> None:
    """Latin-1 text that happens to decode as GB18030 does not read like Chinese and is refused."""
    with pytest.raises(EncodingUnknown):
        scan_file(put("Müll,Größe\nMüller,1\n", encoding="latin-1"))


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", EmptyFile),
        (gzip.compress(b"", mtime=0), EmptyFile),
        (gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-12], TruncatedFile),
        (gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:40], TruncatedFile),
        (b"\x1f\x8b" + b"no gzip at all", TruncatedFile),
        (b"a,b\n1,\x002\n", NulBytes),
        (codecs.BOM_UTF16_LE + "a,b\n".encode("utf-16-le"), EncodingUnknown | NulBytes),
        (b"PK\x03\x04 workbook", UnreadableForm),
        (b"\xd0\xcf\x11\xe0 workbook", UnreadableForm),
        (gzip.compress(b"PAR1....PAR1", mtime=0), UnreadableForm),
        (b"PAR1 cut short", TruncatedFile),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_damaged_files_are_clear_faults(put: Put, raw: bytes, fault: type[SourceFault]) -> None:
    """Empty, cut, damaged and foreign files each raise their own fault, with advice in two languages."""
    with pytest.raises(HeadwatersError) as caught:
        scan_file(put(raw))
    assert isinstance(caught.value, fault)
    assert caught.value.next_zh != HeadwatersError.next_zh
    assert caught.value.exit_code == 1


def test_a_corrupted_gzip_is_refused(put: Put) -> None:
    """One flipped bit in compressed data is found before any row is read."""
    raw = bytearray(gzip.compress(b"a,b\n" + os.urandom(4000).hex().encode()))
    raw[2000] ^= 4

    with pytest.raises(TruncatedFile):
        scan_file(put(bytes(raw)))


def test_a_bomb_is_measured_by_what_it_unpacks_to(put: Put) -> None:
    """A small compressed file that unpacks beyond the limit is refused."""
    path = put(b"a" * 3_000_000, "bomb.gz")

    assert path.stat().st_size < 10_000
    with pytest.raises(FileTooLarge):
        scan_file(path, max_bytes=1_000_000)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    """A path that cannot be opened is a fault and no OSError."""
    with pytest.raises(SourceFault):
        scan_file(tmp_path / "none.csv")


def test_a_file_that_changes_is_noticed(put: Put) -> None:
    """A file rewritten after its scan is not the file that was scanned."""
    path = put("a,b\n1,2\n")
    scan = scan_file(path)
    path.write_text("a,b\n1,2\n3,4\n")

    with pytest.raises(FileChanged):
        scan.check_unchanged()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_scanned_or_refused(put: Put, raw: bytes) -> None:
    """Whatever the bytes, they are scanned, or refused with one of our errors."""
    path = put(raw)
    try:
        scan = scan_file(path)
    except HeadwatersError:
        return
    if scan.form != "parquet":
        with scan.open_text() as text:
            assert isinstance(text.read(), str)
