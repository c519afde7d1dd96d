"""The encrypted content of HJ 212-2025: SM4 (GB/T 32907-2016) in ECB mode over what stands between the marks.

A key has 16 bytes. The standard says no padding; a sender whose text is no whole number of blocks fills it up
at the end, and what no content ends with (control characters, blanks) is taken off again. The blocks travel
as hexadecimal digits. Second-hand, from public implementations. ECB shows which blocks are equal, and nothing
here proves who sent a packet: that is for the signature over the release.
"""

import re
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from contracts.hj212.faults import ContentSealed, PacketInvalid
from contracts.hj212.packet import Packet, parse_content

_BLOCK = 16
_FILL = bytes(range(33)) + b"\x7f"
_HEX = re.compile(r"[0-9A-Fa-f]{32}", re.ASCII)


class BadStationKey(PacketInvalid):
    """An SM4 key is not 32 hexadecimal digits, or is one that anybody would guess."""

    code = "hj212-bad-key"
    title_zh = "SM4 密钥不可用"
    next_zh = "密钥为 32 位十六进制数字,由上位机随机生成,不得使用全零、重复或标准示例密钥。"
    next_en = (
        "A key is 32 random hexadecimal digits; zeros, repetitions and the standard's example are refused."
    )


# GB/T 32907-2016 Annex A: the example key, known to everybody.
_EXAMPLE = bytes.fromhex("0123456789abcdeffedcba9876543210")


def parse_key(text: str) -> bytes:
    """Read a key of 32 hexadecimal digits; raise BadStationKey."""
    if not _HEX.fullmatch(text):
        raise BadStationKey("a key is 32 hexadecimal digits")
    key = bytes.fromhex(text)
    if key == _EXAMPLE or len(set(key)) < 4:
        raise BadStationKey("the key is one that anybody would guess")
    return key


def seal(packet: Packet, key: bytes) -> Packet:
    """Encrypt a packet's content, filled up with zero bytes to whole blocks."""
    clear = packet.content().encode()
    if not clear:
        return packet
    encryptor = _cipher(key).encryptor()
    blocks = encryptor.update(clear + bytes(-len(clear) % _BLOCK)) + encryptor.finalize()
    return replace(packet, items=(), sealed=blocks.hex().upper())


def unseal(packet: Packet, key: bytes) -> Packet:
    """Decrypt a packet's content; raise ContentSealed where no content comes out."""
    if packet.sealed is None:
        raise ContentSealed("the content is in clear")
    decryptor = _cipher(key).decryptor()
    clear = decryptor.update(bytes.fromhex(packet.sealed)) + decryptor.finalize()
    try:
        items = parse_content(clear.rstrip(_FILL).decode())
    except (UnicodeDecodeError, PacketInvalid) as error:
        raise ContentSealed("the content does not decrypt under the station's key") from error
    return replace(packet, items=items, sealed=None)


def _cipher(key: bytes) -> Cipher[modes.ECB]:
    return Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305  # the standard's mode
