"""Packed files: one canonical JSON value in a gzip file (RFC 1952) in which no byte can change unnoticed.

The header is fixed, and its extra field ``HW`` carries the SHA-256 of everything after it. ``gzip -dc`` shows
the JSON. Deflate has many spellings for the same bytes, and which one a library writes is its own affair, so
the reader compares no spellings: what was written once stays readable, and the digest holds every bit of it.
"""

import hashlib
import zlib

from contracts.errors import Invalid

DIGEST_SIZE = 32

_HEADER = (
    b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x02\xff"  # deflate, an extra field, no time, best, unknown system
)
_EXTRA = b"\x24\x00HW\x20\x00"  # 36 bytes: the field HW of 32 bytes
_START = len(_HEADER) + len(_EXTRA) + DIGEST_SIZE
_TRAILER_SIZE = 8  # CRC-32 and size of what was packed
_RAW_DEFLATE = -zlib.MAX_WBITS


class PackedFileInvalid(Invalid):
    """The packed file was changed, or is not one."""

    code = "packed-file-invalid"
    title_zh = "压缩文件已损坏或格式不符"
    next_zh = "重新获取该文件;副本可能在传输或存放中受损。"
    next_en = "Get the file again; this copy was changed on its way or where it was kept."


def pack(plain: bytes) -> bytes:
    """Write a packed file; the same bytes and the same zlib give the same file."""
    packer = zlib.compressobj(level=9, method=zlib.DEFLATED, wbits=_RAW_DEFLATE, memLevel=9)
    trailer = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) % 2**32).to_bytes(4, "little")
    rest = packer.compress(plain) + packer.flush() + trailer
    return _HEADER + _EXTRA + hashlib.sha256(rest).digest() + rest


def is_packed(raw: bytes) -> bool:
    """Tell whether ``raw`` begins as a packed file does; says nothing about the rest."""
    return raw.startswith(_HEADER + _EXTRA)


def unpack(raw: bytes, *, max_packed_bytes: int, max_plain_bytes: int) -> bytes:
    """Give what was packed; raise PackedFileInvalid beyond a limit, or when one bit is not as written."""
    if len(raw) > max_packed_bytes:
        raise PackedFileInvalid(f"the file is larger than {max_packed_bytes} bytes")
    if not is_packed(raw) or len(raw) < _START + _TRAILER_SIZE:
        raise PackedFileInvalid("the file does not begin as a packed file does")
    rest = raw[_START:]
    if hashlib.sha256(rest).digest() != raw[_START - DIGEST_SIZE : _START]:
        raise PackedFileInvalid("the file's digest is not the one in its header")
    unpacker = zlib.decompressobj(_RAW_DEFLATE)
    try:
        plain = unpacker.decompress(rest, max_plain_bytes + 1)
    except zlib.error as error:
        raise PackedFileInvalid("the file does not unpack") from error
    if len(plain) > max_plain_bytes:
        raise PackedFileInvalid(f"the file unpacks to more than {max_plain_bytes} bytes")
    trailer = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    if not unpacker.eof or unpacker.unused_data != trailer:
        raise PackedFileInvalid("the file does not end as a packed file does")
    return plain
