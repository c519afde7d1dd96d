"""The encrypted content of HJ 212-2025: the block cipher's vector, round trips, and what does not open."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.hj212 import ContentSealed, Packet, PacketInvalid, PacketTooLarge, parse_frame
from contracts.hj212.sm4 import BadStationKey, parse_key, seal, unseal
from tests.contracts.hj212.packets import HOUR, items

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
SECRET = replace(HOUR, flag=9)


def test_the_vector_of_the_block_cipher() -> None:
    """GB/T 32907-2016 Annex A: the block that is its own key encrypts to 681EDF34D206965E86B3E94F536E4246."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    sealed = replace(SECRET, items=(), sealed="681EDF34D206965E86B3E94F536E4246")

    with pytest.raises(ContentSealed):
        unseal(sealed, key)  # what comes out is the key's bytes, and those are no content
    assert seal(Packet(*("",) * 5, flag=9, sealed=key.decode("latin-1")), key).sealed is not None


def test_a_sealed_packet_shows_nothing_until_it_is_opened() -> None:
    """On the wire the content is hexadecimal digits; the key brings the items back."""
    sealed = seal(SECRET, KEY)
    read = parse_frame(sealed.frame())

    assert read.items == ()
    assert b"DataTime" not in sealed.frame()
    assert unseal(read, KEY) == SECRET


@given(content=items, key=st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens(content: tuple[tuple[tuple[str, str], ...], ...], key: bytes) -> None:
    """Every content comes back under its key, but for blanks at its very end."""
    packet = replace(SECRET, items=content)
    try:
        frame = seal(packet, key).frame()
    except PacketTooLarge:
        return  # encrypted, it takes twice the room

    read = parse_frame(frame)
    opened = read if read.sealed is None else unseal(read, key)

    assert opened.content() == packet.content().rstrip(" ")


@given(other=st.binary(min_size=16, max_size=16).filter(lambda key: key != KEY))
def test_another_key_does_not_open(other: bytes) -> None:
    """Under another key no content comes out, and the error says so."""
    with pytest.raises(ContentSealed):
        unseal(seal(SECRET, KEY), other)


def test_clear_content_does_not_open() -> None:
    """A packet that was never encrypted is not taken for one."""
    with pytest.raises(ContentSealed):
        unseal(SECRET, KEY)


def test_only_the_edition_of_2025_encrypts() -> None:
    """In an older edition, and in a command that is not encrypted, hexadecimal digits are no content."""
    sealed = seal(SECRET, KEY)
    for other in (replace(sealed, flag=5), replace(sealed, cn="9015")):
        with pytest.raises(PacketInvalid):
            other.frame()


@pytest.mark.parametrize(
    "text", ["", "0" * 32, "ab" * 16, "0123456789ABCDEFFEDCBA9876543210", "0011", "zz" * 16, "00112233" * 4]
)
def test_no_key_that_anybody_would_guess(text: str) -> None:
    """Zeros, one byte or few over and over, the standard's example, and what is no key, are refused."""
    known = {"00112233" * 4}
    if text in known:
        assert parse_key(text) == bytes.fromhex(text)
        return
    with pytest.raises(BadStationKey):
        parse_key(text)
