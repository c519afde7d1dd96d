"""Keys on disk and in text, signatures, and sealed bytes."""

import base64
import hashlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit.keys.signing import (
    KeyFileExists,
    KeyFileExposed,
    KeyFileMissing,
    KeyInvalid,
    KeyUnreadable,
    PublicKey,
    SealBroken,
    SealingKey,
    SignatureInvalid,
    SigningKey,
    create_key,
    create_sealing_key,
    fingerprint,
    load_key,
    load_sealing_key,
    seal,
)

# RFC 8032 s7.1, test 2.
RFC_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
RFC_PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
RFC_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
KEY = SigningKey.from_seed(RFC_SEED)


def test_the_published_vector() -> None:
    """The key and signature of RFC 8032 come out as published."""
    assert KEY.public_raw.hex() == RFC_PUBLIC
    assert KEY.sign(b"\x72").hex() == RFC_SIGNATURE


def test_a_key_is_durable_and_private(tmp_path: Path) -> None:
    """A new key is a file that only its owner may read, in a folder that only its owner may enter."""
    path = tmp_path / "keys" / "node.key"
    key = create_key(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_key(path).public == key.public


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Where a key is, or a link, no key is made."""
    path = tmp_path / "node.key"
    key = create_key(path)
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "elsewhere.key")
    for place in (path, link):
        with pytest.raises(KeyFileExists):
            create_key(place)

    assert load_key(path).public == key.public
    assert not (tmp_path / "elsewhere.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o666, 0o601])
def test_an_exposed_key_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file that others may touch is not used."""
    path = tmp_path / "node.key"
    create_key(path)
    path.chmod(mode)
    with pytest.raises(KeyFileExposed):
        load_key(path)


def test_a_passphrase_is_needed(tmp_path: Path) -> None:
    """An encrypted key opens with its passphrase and with nothing else, and a plain one takes none."""
    path, plain = tmp_path / "node.key", tmp_path / "plain.key"
    key = create_key(path, "correct horse")
    create_key(plain)

    assert load_key(path, "correct horse").public == key.public
    for place, wrong in ((path, None), (path, "battery staple"), (plain, "correct horse")):
        with pytest.raises(KeyUnreadable):
            load_key(place, wrong)


def test_what_is_no_key(tmp_path: Path) -> None:
    """A missing file, other content, another suite, a link, a folder and a pipe are each refused."""
    create_sealing_key(tmp_path / "sealing.key")
    create_key(tmp_path / "node.key")
    (tmp_path / "link.key").symlink_to(tmp_path / "node.key")
    other = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for name, content in (("text", b"hello"), ("large", b"x" * 20_000), ("empty", b""), ("p256", other)):
        path = tmp_path / f"{name}.key"
        path.write_bytes(content)
        path.chmod(0o600)
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    with pytest.raises(KeyFileMissing):
        load_key(tmp_path / "none.key")
    for name in ("sealing.key", "link.key", "text.key", "large.key", "empty.key", "p256.key", "pipe.key", ""):
        with pytest.raises(KeyUnreadable):
            load_key(tmp_path / name)
    with pytest.raises(KeyUnreadable):
        load_sealing_key(tmp_path / "node.key")


def test_public_text() -> None:
    """A public key is written ed25519:<base64>, and named by its digest."""
    text = "ed25519:" + base64.b64encode(bytes.fromhex(RFC_PUBLIC)).decode()

    assert KEY.public.text == text
    assert PublicKey.from_text(text) == KEY.public
    assert KEY.key_id == "ed25519:" + hashlib.sha256(bytes.fromhex(RFC_PUBLIC)).hexdigest()[:16]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ed25519:",
        KEY.public.text[:-1],
        KEY.public.text + "=",
        KEY.public.text.replace("ed25519:", ""),
        KEY.public.text.replace("ed25519:", "x25519:"),
        "ed25519:ed25519:" + KEY.public.text[8:],
        KEY.public.text + "\n",
        "ed25519:" + "A" * 42 + "B=",
        "ed25519:" + "é" * 44,
    ],
)
def test_malformed_public_text(text: str) -> None:
    """A public key has one spelling."""
    with pytest.raises(KeyInvalid):
        PublicKey.from_text(text)


@given(st.binary(max_size=200), st.integers(0, 511))
def test_a_changed_signature_fails(message: bytes, bit: int) -> None:
    """A signature holds for its message and key, and with any bit changed it does not."""
    signature = KEY.sign(message)
    KEY.public.verify(signature, message)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    for bad, text in ((bytes(changed), message), (signature, message + b"x"), (signature[:-1], message)):
        with pytest.raises(SignatureInvalid):
            KEY.public.verify(bad, text)


def test_fingerprint_for_people() -> None:
    """A fingerprint is eight groups of four digits, the same for the same key."""
    shown = fingerprint(KEY.public.text)

    assert [len(group) for group in shown.split(" ")] == [4] * 8
    assert shown.replace(" ", "")[:16] == KEY.key_id.removeprefix("ed25519:")
    assert fingerprint(SealingKey.generate().public_text) != shown
    with pytest.raises(KeyInvalid):
        fingerprint("rsa:AAAA")


def test_sealed_bytes_open(tmp_path: Path) -> None:
    """What is sealed to a stored key opens with it, 48 bytes longer than the plaintext."""
    key = create_sealing_key(tmp_path / "sealing.key", "pass")
    sealed = seal(key.public_text, b"rows", b"purpose")

    assert load_sealing_key(tmp_path / "sealing.key", "pass").open(sealed, b"purpose") == b"rows"
    assert len(sealed) == 48 + 4


def test_sealed_bytes_are_bound() -> None:
    """Another key, another purpose, a cut or a changed byte: the seal does not open."""
    key = SealingKey.generate()
    sealed = seal(key.public_text, b"rows", b"purpose")
    for opener, raw, info in (
        (SealingKey.generate(), sealed, b"purpose"),
        (key, sealed, b"other"),
        (key, sealed[:-1], b"purpose"),
        (key, b"", b"purpose"),
        (key, bytes([sealed[0] ^ 1]) + sealed[1:], b"purpose"),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"purpose"),
    ):
        with pytest.raises(SealBroken):
            opener.open(raw, info)


def test_nothing_is_sealed_to_a_weak_key() -> None:
    """A key of small order, under which anybody could read, is refused."""
    with pytest.raises(KeyInvalid):
        seal("x25519:" + base64.b64encode(bytes(32)).decode(), b"rows", b"purpose")


SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize("point", SMALL_ORDER)
def test_a_key_of_small_order_is_refused(point: str, sign_bit: int) -> None:
    """A public key under which anybody can sign, in any of its spellings, is no key."""
    raw = bytearray.fromhex(point)
    raw[31] |= sign_bit

    with pytest.raises(KeyInvalid):
        PublicKey(bytes(raw))
    with pytest.raises(KeyInvalid):
        PublicKey.from_text("ed25519:" + base64.b64encode(raw).decode())


def test_why_small_order_is_refused() -> None:
    """Under the neutral element one signature, made without a key, holds for every message."""
    neutral = bytes([1]) + bytes(31)
    forged = neutral + bytes(32)
    library = Ed25519PublicKey.from_public_bytes(neutral)

    for message in (b"a grant", b"an agreement"):
        library.verify(forged, message)
