"""Second suites: ML-DSA-44 and SM2 sign checkpoints, and code that we did not write judges them."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import gmalg  # type: ignore[import-untyped]  # the library has no types
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from dilithium_py.ml_dsa import ML_DSA_44  # type: ignore[import-untyped]  # the library has no types
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import (
    KeyType,
    NoteInvalid,
    SecondLine,
    VerifierKey,
    VerifierKeyInvalid,
    format_note,
    parse_note,
    subtree_message,
)
from audit.keys.signing import KeyFileExposed, KeyInvalid, KeyUnreadable, SignatureInvalid
from audit.keys.suites import (
    MlDsaKey,
    MlDsaPublicKey,
    Sm2Key,
    Sm2PublicKey,
    Suite,
    SuiteKey,
    SuiteMissing,
    create_suite_key,
    load_suite_key,
    sm3,
)
from tests.audit.logs import NOW, SIGNER
from tests.parts import missing

ORIGIN = SIGNER.name
TEXT = str(Checkpoint(ORIGIN, 300, bytes(range(32))))
MESSAGES = st.binary(max_size=300)
IDENTITY = b"1234567812345678"


@pytest.fixture(scope="module", params=list(Suite))
def suite(request: pytest.FixtureRequest) -> Suite:
    """Give each suite in turn."""
    chosen: Suite = request.param
    return chosen


@pytest.fixture(scope="module")
def key(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> SuiteKey:
    """Give a key of the suite, made as the exchange makes it."""
    return create_suite_key(tmp_path_factory.mktemp("keys") / "log.key", suite)


def judged_by_another(key: SuiteKey, message: bytes, signature: bytes) -> bool:
    """Ask an implementation that we did not write and do not sign with."""
    if isinstance(key.public, MlDsaPublicKey):
        return bool(ML_DSA_44.verify(key.public.raw, message, signature))
    other = gmalg.SM2(pk=b"\x04" + key.public.raw, uid=IDENTITY)
    return bool(other.verify(message, signature[:32], signature[32:]))


@settings(max_examples=20)  # the others are plain Python, and slow
@given(message=MESSAGES)
def test_another_implementation_accepts_our_signatures(key: SuiteKey, message: bytes) -> None:
    """dilithium-py accepts our ML-DSA-44, gmalg our SM2, over any message; both reject another message."""
    signature = key.sign(message)
    key.public.verify(signature, message)

    assert judged_by_another(key, message, signature)
    assert not judged_by_another(key, message + b"x", signature)


def test_we_accept_another_implementation_s_signatures() -> None:
    """What gmalg and dilithium-py sign, we verify."""
    scalar, point = gmalg.SM2().generate_keypair()
    ours = Sm2PublicKey(point[-64:])
    r, s = gmalg.SM2(sk=scalar, pk=point, uid=IDENTITY).sign(b"message")
    public, private = ML_DSA_44.keygen()

    ours.verify(r.rjust(32, b"\0") + s.rjust(32, b"\0"), b"message")
    MlDsaPublicKey(public).verify(ML_DSA_44.sign(private, b"message"), b"message")
    with pytest.raises(SignatureInvalid):
        ours.verify(r.rjust(32, b"\0") + s.rjust(32, b"\0"), b"another")


def test_openssl_accepts_our_sm2(tmp_path: Path) -> None:
    """OpenSSL reads our key file and verifies our signature; it is a third opinion."""
    if shutil.which("openssl") is None:
        missing("openssl", "the Debian package openssl")
    key = create_suite_key(tmp_path / "sm2.key", Suite.SM2_SM3)
    signature = key.sign(TEXT.encode())
    parts = (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    (tmp_path / "signature").write_bytes(encode_dss_signature(*parts))
    (tmp_path / "text").write_bytes(TEXT.encode())
    public = ["openssl", "pkey", "-in", "sm2.key", "-pubout", "-out", "public.pem"]
    check = ["openssl", "dgst", "-sm3", "-verify", "public.pem", "-signature", "signature"]
    subprocess.run(public, cwd=tmp_path, check=True, capture_output=True)
    said = subprocess.run(
        [*check, "-sigopt", f"distid:{IDENTITY.decode()}", "text"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert said.stdout.strip() == "Verified OK"


def test_sm3_is_the_standard_s() -> None:
    """The example of GB/T 32905, appendix A.1."""
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"

    assert sm3(b"abc").hex() == expected


def test_the_key_file_reads_back(tmp_path: Path, suite: Suite) -> None:
    """A key is the same after it was stored, and its file is its owner's alone."""
    path = tmp_path / "log.key"
    made = create_suite_key(path, suite)

    assert load_suite_key(path, suite).public == made.public
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, suite: Suite) -> None:
    """An exposed private key is not used."""
    path = tmp_path / "log.key"
    create_suite_key(path, suite)
    path.chmod(0o644)

    with pytest.raises(KeyFileExposed):
        load_suite_key(path, suite)


def test_the_suite_is_fixed_by_the_key(tmp_path: Path) -> None:
    """A file with a key of one suite is not read as the other's, nor is rubbish."""
    create_suite_key(tmp_path / "mldsa.key", Suite.MLDSA44)
    create_suite_key(tmp_path / "sm2.key", Suite.SM2_SM3)
    (tmp_path / "rubbish.key").write_text("no key")
    (tmp_path / "rubbish.key").chmod(0o600)

    for name, suite in (
        ("mldsa.key", Suite.SM2_SM3),
        ("sm2.key", Suite.MLDSA44),
        ("rubbish.key", Suite.SM2_SM3),
        ("rubbish.key", Suite.MLDSA44),
    ):
        with pytest.raises(KeyUnreadable):
            load_suite_key(tmp_path / name, suite)


def test_a_second_line_holds_beside_the_log_s_own(key: SuiteKey) -> None:
    """Who knows the key verifies the line; who does not passes over it and the log's own line still holds."""
    line = SecondLine(f"{ORIGIN}/second", key)
    note = parse_note(format_note(TEXT, [SIGNER.sign(TEXT), line.sign(TEXT, NOW)]))
    known = [SIGNER.verifier_key, VerifierKey.parse(str(line.verifier_key))]

    assert [found for found, _ in note.verified(known)] == known
    assert [found for found, _ in note.verified(known[:1])] == known[:1]


def test_a_second_line_that_fails_condemns_the_note(key: SuiteKey) -> None:
    """A known key whose signature fails makes the note invalid, whatever the suite: every byte counts."""
    line = SecondLine(f"{ORIGIN}/second", key)
    good = line.sign(TEXT, NOW)
    signed = parse_note(format_note(TEXT, [good])).signatures[0]
    for at in (4, len(signed.raw) // 2, len(signed.raw) - 1):
        bad = bytearray(signed.raw)
        bad[at] ^= 1
        forged = type(signed)(signed.name, signed.key_id, bytes(bad)).line
        with pytest.raises(NoteInvalid):
            parse_note(format_note(TEXT, [SIGNER.sign(TEXT), forged])).verified([line.verifier_key])
    other = str(Checkpoint(ORIGIN, 301, bytes(range(32))))
    with pytest.raises(NoteInvalid):
        parse_note(format_note(other, [good])).verified([line.verifier_key])


def test_the_ml_dsa_message_is_the_specification_s() -> None:
    """tlog-cosignature: label, name, time, origin, 0, size and root, each number big-endian."""
    expected = (
        b"subtree/v1\n\x00"
        + bytes([len(b"w/m")])
        + b"w/m"
        + (5).to_bytes(8)
        + bytes([len(ORIGIN)])
        + ORIGIN.encode()
        + bytes(8)
        + (300).to_bytes(8)
        + bytes(range(32))
    )

    assert subtree_message("w/m", TEXT, 5) == expected
    with pytest.raises(SignatureInvalid):
        subtree_message("w/m", "no checkpoint\n", 5)


def test_the_key_id_covers_name_type_and_key(key: SuiteKey) -> None:
    """The id is the first four bytes of SHA-256 over name, LF, the type with its identifier, and the key."""
    verifier = SecondLine("a.example/second", key).verifier_key
    kind = b"\x06" if verifier.type is KeyType.MLDSA44 else b"\xffheadwaters.sm2-sm3.v1"

    assert verifier.key_id == hashlib.sha256(b"a.example/second\n" + kind + key.public.raw).digest()[:4]
    assert VerifierKey.parse(str(verifier)) == verifier


def test_another_private_type_is_not_taken_for_ours() -> None:
    """A vkey of type 0xff with another identifier, or a wrong length, is of no suite known here."""
    other = VerifierKey("a.example/x", KeyType.SM2, Sm2PublicKey(bytes(64)))
    text = str(other)
    for bad in (text[:-8], text.replace("+/2hl", "+/2hm", 1), text + "AAAA"):
        assert bad != text
        with pytest.raises(VerifierKeyInvalid):
            VerifierKey.parse(bad)


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_a_malformed_sm2_signature_is_refused(signature: bytes) -> None:
    """Wrong lengths, zeros and numbers beyond the order raise, and crash nothing."""
    point = gmalg.SM2().generate_keypair()[1]
    with pytest.raises(SignatureInvalid):
        Sm2PublicKey(point[-64:]).verify(signature, b"message")


def test_a_point_off_the_curve_verifies_nothing() -> None:
    """A public key that is no point of the curve cannot vouch."""
    with pytest.raises(SignatureInvalid):
        Sm2PublicKey(bytes([1]) * 64).verify(bytes([1]) * 64, b"message")


def test_keys_of_another_length_are_refused() -> None:
    """A public key has exactly its suite's length."""
    for kind, size in ((MlDsaPublicKey, 1311), (Sm2PublicKey, 65)):
        with pytest.raises(KeyInvalid):
            kind(bytes(size))


def test_without_the_extra_the_refusal_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SM2 is an installable extra; without it the refusal names it and nothing is written."""
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    with pytest.raises(SuiteMissing):
        create_suite_key(tmp_path / "sm2.key", Suite.SM2_SM3)
    with pytest.raises(SuiteMissing):
        Sm2Key(bytes(32), Sm2PublicKey(bytes(64))).sign(b"message")

    assert list(tmp_path.iterdir()) == []
    assert "headwaters-exchange[sm]" in SuiteMissing.next_en


def test_a_seed_gives_the_key_of_the_standard() -> None:
    """The key of a seed is FIPS 204's, as the second implementation derives it."""
    seed = bytes(range(32))

    assert MlDsaKey.from_seed(seed).public.raw == ML_DSA_44.key_derive(seed)[0]
