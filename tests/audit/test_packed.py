"""A packed file is gzip that everybody can open, and no bit of it can change unnoticed."""

import gzip
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.packed import PackedFileInvalid, is_packed, pack, unpack

PLAIN = b'{"a":"' + b"x" * 500 + b'"}'
LIMIT = 10_000


def _unpack(raw: bytes, *, packed: int = LIMIT, plain: int = LIMIT) -> bytes:
    return unpack(raw, max_packed_bytes=packed, max_plain_bytes=plain)


def _wrapped(rest: bytes) -> bytes:
    return pack(b"")[:16] + hashlib.sha256(rest).digest() + rest


@given(plain=st.binary(max_size=2000))
def test_what_is_packed_is_unpacked(plain: bytes) -> None:
    """Every value comes back, through our reader and through anybody's gzip."""
    raw = pack(plain)

    assert _unpack(raw) == gzip.decompress(raw) == plain
    assert is_packed(raw)


def test_the_header_is_fixed() -> None:
    """The first 16 bytes never vary: no time, no name, one extra field."""
    assert pack(PLAIN)[:16].hex() == "1f8b08040000000002ff240048572000"


def test_every_flipped_bit_is_refused() -> None:
    """Header, digest, data, and even the bits that deflate never reads: each one is held."""
    raw = pack(PLAIN)
    for at in range(len(raw)):
        for bit in range(8):
            with pytest.raises(PackedFileInvalid):
                _unpack(raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :])


@pytest.mark.parametrize("cut", [0, 1, 15, 47, 55, -1])
def test_a_cut_file_is_refused(cut: int) -> None:
    """A file that ends early is refused, wherever it ends."""
    with pytest.raises(PackedFileInvalid):
        _unpack(pack(PLAIN)[:cut])


def test_another_spelling_with_its_own_digest_is_read() -> None:
    """Which of its spellings a deflate library chooses is free, so a file stays readable for ever."""
    stored = zlib.compressobj(level=0, wbits=-15)
    rest = stored.compress(PLAIN) + stored.flush() + pack(PLAIN)[-8:]

    assert _unpack(_wrapped(rest)) == PLAIN


@pytest.mark.parametrize(
    "rest",
    [
        pack(PLAIN)[48:] + b"x",
        pack(PLAIN)[48:-8] + zlib.crc32(b"other").to_bytes(4, "little") + pack(PLAIN)[-4:],
        pack(PLAIN)[48:-4] + bytes(4),
        pack(PLAIN)[48:-9],
        b"\xff" * 20,
        pack(PLAIN)[48:] + gzip.compress(PLAIN, mtime=0),
    ],
    ids=["more", "other-crc", "other-size", "cut", "no-deflate", "second-member"],
)
def test_a_file_that_does_not_end_well_is_refused(rest: bytes) -> None:
    """A good digest does not excuse a wrong trailer, a second member, or data that is no deflate stream."""
    with pytest.raises(PackedFileInvalid):
        _unpack(_wrapped(rest))


def test_limits_hold_before_and_after() -> None:
    """A small file that unpacks to a large one is refused at the limit, and a large one before it is read."""
    bomb = pack(bytes(LIMIT * 10))

    with pytest.raises(PackedFileInvalid, match="unpacks to more"):
        _unpack(bomb)
    with pytest.raises(PackedFileInvalid, match="larger"):
        _unpack(pack(PLAIN), packed=50)
