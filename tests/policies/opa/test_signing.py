"""Signatures over bundles: what we sign we verify, and nothing else."""

import base64
import hmac
import json
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from policies.bundle import shipped_bundle
from policies.opa.archive import MANIFEST, SIGNATURES, BadArchive, pack, unpack
from policies.opa.private_files import PolicyFileExposed, PolicyFileUnreadable
from policies.opa.signing import (
    BundleUnsigned,
    PolicyKey,
    create_key,
    load_key,
    load_public_key,
    open_archive,
    public_pem,
    signed_archive,
)


@pytest.fixture
def key(tmp_path: Path) -> PolicyKey:
    """A fresh key that is also in a file."""
    return create_key(tmp_path / "policy.key")


def resigned(files: dict[str, bytes], *tokens: str) -> bytes:
    """Pack files with other signatures."""
    return pack({**files, SIGNATURES: json.dumps({"signatures": list(tokens)}).encode()})


def token_of(raw: bytes) -> str:
    """Take the signature out of an archive."""
    [token] = json.loads(unpack(raw)[SIGNATURES])["signatures"]
    return str(token)


def hashed(payload: str, secret: bytes) -> str:
    """Make a token that is only hashed (HS256), with what everybody may know as the secret."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    mac = hmac.digest(secret, f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_signed_bundle_opens_with_its_key(key: PolicyKey) -> None:
    """With the public key, or without asking for a signature, the same bundle comes out."""
    raw = signed_archive(shipped_bundle(), key)

    assert open_archive(raw, key.public_key()) == shipped_bundle()
    assert open_archive(raw) == shipped_bundle()


def test_the_signature_names_key_and_files(key: PolicyKey) -> None:
    """The JWT is ES256 with our key id, and lists every file and no other."""
    raw = signed_archive(shipped_bundle(), key)
    token = token_of(raw)

    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "headwaters", "typ": "JWT"}
    claims = jwt.decode(token, key.public_key(), algorithms=["ES256"])
    assert [item["name"] for item in claims["files"]] == sorted([*shipped_bundle().sources, MANIFEST])


def test_another_key_does_not_open_it(key: PolicyKey) -> None:
    """The signature of one key is nothing to another."""
    other = ec.generate_private_key(ec.SECP256R1()).public_key()

    with pytest.raises(BundleUnsigned):
        open_archive(signed_archive(shipped_bundle(), key), other)


@pytest.mark.parametrize("change", ["changed", "added", "dropped"])
def test_a_file_that_is_not_the_signed_one_is_noticed(key: PolicyKey, change: str) -> None:
    """One byte more, one file more or one file less, and the signature does not hold."""
    files = unpack(signed_archive(shipped_bundle(), key))
    if change == "changed":
        files["headwaters/main.rego"] += b" "
    elif change == "added":
        files["headwaters/more.rego"] = b""
    else:
        del files["headwaters/apply.rego"]

    with pytest.raises(BundleUnsigned):
        open_archive(pack(files), key.public_key())


def test_a_signature_that_is_none_is_refused(key: PolicyKey) -> None:
    """Missing, empty, two, unsigned (``none``), HMAC with the public key, or no JSON: refused."""
    raw = signed_archive(shipped_bundle(), key)
    files, token = unpack(raw), token_of(raw)
    del files[SIGNATURES]
    claims = jwt.decode(token, key.public_key(), algorithms=["ES256"])
    unsigned = jwt.encode(claims, "", algorithm="none")
    header, payload, _ = token.split(".")
    spoilt = [
        pack(files),
        resigned(files),
        resigned(files, token, token),
        resigned(files, unsigned),
        resigned(files, f"{header}.{payload}."),
        resigned(files, f"{unsigned.split('.')[0]}.{payload}."),
        resigned(files, token[:-4] + "AAAA"),
        resigned(files, hashed(payload, public_pem(key))),
        resigned(files, jwt.encode({"files": "all"}, key, algorithm="ES256")),
        resigned(files, jwt.encode({"other": []}, key, algorithm="ES256")),
        resigned(files, jwt.encode({**claims, "exp": 1}, key, algorithm="ES256")),
        *(pack({**files, SIGNATURES: other}) for other in (b"", b"null", b"{}", b'{"signatures": [7]}')),
        pack({**files, SIGNATURES: b"[" * 100_000}),
    ]

    for attempt in spoilt:
        with pytest.raises(BundleUnsigned):
            open_archive(attempt, key.public_key())


def test_a_manifest_that_is_not_json_is_refused(key: PolicyKey) -> None:
    """The signature is over the manifest's structure, so a manifest without one cannot be signed."""
    files = {**unpack(signed_archive(shipped_bundle(), key)), MANIFEST: b"{"}

    with pytest.raises((BundleUnsigned, BadArchive)):
        open_archive(pack(files), key.public_key())


def test_the_public_key_is_written_and_read(key: PolicyKey) -> None:
    """The PEM that OPA takes is the public half of the key, and can be read again."""
    assert load_public_key(public_pem(key)).public_numbers() == key.public_key().public_numbers()


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path, key: PolicyKey) -> None:
    """The file has the mode 0600; a second key does not take its place, and an exposed one is refused."""
    path = tmp_path / "policy.key"

    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path).private_numbers() == key.private_numbers()
    with pytest.raises(PolicyFileUnreadable):
        create_key(path)
    path.chmod(0o640)
    with pytest.raises(PolicyFileExposed):
        load_key(path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Only a P-256 key in PEM signs: no other curve, no Ed25519, no text, no folder, no endless file."""
    secret = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    other_curve = ec.generate_private_key(ec.SECP384R1())
    ed = ed25519.Ed25519PrivateKey.generate()
    protected = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        pem, pkcs8, serialization.BestAvailableEncryption(b"passphrase")
    )
    texts = [
        other_curve.private_bytes(pem, pkcs8, secret),
        ed.private_bytes(pem, pkcs8, secret),
        protected,
        b"",
        b"-----BEGIN PRIVATE KEY-----\n",
        b"x" * 70_000,
    ]
    path = tmp_path / "other.key"
    for text in texts:
        path.touch(0o600)
        path.write_bytes(text)
        with pytest.raises(PolicyFileUnreadable):
            load_key(path)
    with pytest.raises(PolicyFileUnreadable):
        load_key(tmp_path / "missing")
    for public in (public_pem(other_curve), b"", b"-----BEGIN PUBLIC KEY-----\n"):
        with pytest.raises(PolicyFileUnreadable):
            load_public_key(public)
