"""The file format of a policy bundle: the gzipped tar that an OPA server loads, and nothing else in it.

Packing the same files gives the same bytes: sorted names, no owner, no time. Unpacking trusts nobody: it
stays in memory, knows how much it will read before it reads it, and takes only regular files whose names are
on the list, so no path can leave the bundle and no entry can hide another.
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping

from contracts.errors import Invalid

MANIFEST = ".manifest"
SIGNATURES = ".signatures.json"
MAX_FILES = 64
MAX_FILE_BYTES = 256 * 1024
MAX_BYTES = 2 * 1024 * 1024
"""The most that an archive may hold, packed or unpacked, with the tar's own headers."""

_NAME = re.compile(r"headwaters/[a-z][a-z0-9_]{0,63}\.rego")
_GZIP = 16 + zlib.MAX_WBITS


class BadArchive(Invalid):
    """This file is not the archive of a policy bundle."""

    code = "bundle-archive-bad"
    title_zh = "该文件不是策略包归档"
    next_zh = "使用 headwaters policy bundle 生成的文件。"
    next_en = "Use a file that headwaters policy bundle wrote."


def pack(files: Mapping[str, bytes]) -> bytes:
    """Write an archive of ``files`` by path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, raw in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(raw)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(raw))
    return gzip.compress(buffer.getvalue(), mtime=0)


def unpack(raw: bytes) -> dict[str, bytes]:
    """Read an archive into its files by path; raise BadArchive."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflate(raw)), mode="r:") as tar:
            for path, content in _entries(tar):
                if path in files:
                    raise BadArchive(f"{path} is in the archive twice")
                files[path] = content
    # The last two: sizes of 88 bits, and extension headers that stand one upon the other by the thousand.
    except (tarfile.TarError, zlib.error, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise BadArchive(f"it cannot be read: {type(error).__name__}") from error
    return files


def known_path(path: str) -> bool:
    """Tell whether a bundle may hold a file of this name."""
    return path in {MANIFEST, SIGNATURES} or _NAME.fullmatch(path) is not None


def _inflate(raw: bytes) -> bytes:
    """Unzip one gzip member that fills the whole input and is no larger than the limit."""
    if len(raw) > MAX_BYTES:
        raise BadArchive(f"it is larger than {MAX_BYTES} bytes")
    stream = zlib.decompressobj(_GZIP)
    plain = stream.decompress(raw, MAX_BYTES + 1)
    if len(plain) > MAX_BYTES:
        raise BadArchive(f"it is larger than {MAX_BYTES} bytes when unpacked")
    if not stream.eof or stream.unused_data:
        raise BadArchive("it is cut off, or something follows it")
    return plain


def _entries(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for count, entry in enumerate(tar, start=1):
        path = entry.name.removeprefix("./").removeprefix("/")
        if count > MAX_FILES:
            raise BadArchive(f"it holds more than {MAX_FILES} files")
        if entry.size < 0:
            raise BadArchive("a size below zero would lead a reader back to what it has read")
        if entry.isdir():
            continue
        regular = entry.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not entry.issparse()
        if not regular or not known_path(path):
            raise BadArchive(f"{entry.name[:80]!r} does not belong into a bundle")
        if entry.size > MAX_FILE_BYTES:
            raise BadArchive(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        content = tar.extractfile(entry)
        yield path, content.read() if content else b""
