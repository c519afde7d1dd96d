"""Bundles with OPA's signature: a JWT (ES256, RFC 7518 s3.4) over the hash of every file in the archive.

OPA checks it with the public key when it loads the bundle, and so does ``open_archive``. The signature says
where an archive comes from; which bundle decides is said by its digest alone, which two people approved.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.canonical import NotCanonical, canonical_bytes
from contracts.errors import Unauthenticated, Usage
from policies.bundle import Bundle, read_bundle
from policies.opa.archive import MANIFEST, MAX_BYTES, SIGNATURES, BadArchive, pack, unpack
from policies.opa.private_files import PolicyFileUnreadable, read_private, write_private

PolicyKey: TypeAlias = ec.EllipticCurvePrivateKey
PolicyPublicKey: TypeAlias = ec.EllipticCurvePublicKey

KEY_ID = "headwaters"
ALGORITHM = "ES256"
_HASH = "SHA-256"


class BundleUnsigned(Unauthenticated):
    """The bundle's signature is missing or does not hold."""

    code = "bundle-unsigned"
    title_zh = "策略包没有有效签名"
    next_zh = "不要使用该策略包;向来源方索取已签名的文件并核对公钥。"
    next_en = "Do not use this bundle; ask for the signed file where it came from and compare the public key."


class SignerUnnamed(Usage):
    """The bundle is signed, and nobody said by whom."""

    code = "bundle-signer-unnamed"
    title_zh = "策略包带有签名,但未指明签名者公钥"
    next_zh = "用 --public 指定作者另行交付的公钥(PEM)后重试。"
    next_en = "Name the author's public key (PEM), handed over on another way, with --public."


def create_key(path: Path) -> PolicyKey:
    """Make a P-256 key and write it, readable by its owner alone; an existing file is never overwritten."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, pem)
    return key


def load_key(path: Path) -> PolicyKey:
    """Read a P-256 key from a PEM file; raise PolicyFileExposed or PolicyFileUnreadable."""
    try:
        key = serialization.load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PolicyFileUnreadable(f"{path} holds no private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PolicyFileUnreadable(f"{path} holds no P-256 key")
    return key


def public_pem(key: PolicyKey) -> bytes:
    """Write the public key as the PEM that OPA takes (``--verification-key``)."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def load_public_key(raw: bytes) -> PolicyPublicKey:
    """Read a P-256 public key from PEM; raise PolicyFileUnreadable."""
    try:
        key = serialization.load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PolicyFileUnreadable("this is no public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PolicyFileUnreadable("this is no P-256 public key")
    return key


def plain_archive(bundle: Bundle) -> bytes:
    """Write a bundle as an archive without a signature; the same bundle gives the same bytes."""
    return pack(bundle.files())


def signed_archive(bundle: Bundle, key: PolicyKey) -> bytes:
    """Write a bundle as an archive that OPA verifies; the signature differs each time."""
    files = bundle.files()
    token = jwt.encode({"files": _listed(files)}, key, algorithm=ALGORITHM, headers={"kid": KEY_ID})
    return pack({**files, SIGNATURES: json.dumps({"signatures": [token]}).encode() + b"\n"})


def open_archive(raw: bytes, public: PolicyPublicKey | None = None) -> Bundle:
    """Read an archive; with a public key its signature must hold, without one it is not looked at.

    Raises BadArchive, BundleTampered or BundleUnsigned.
    """
    return _opened(unpack(raw), public)


def read_contributed(path: Path, public: Path | None) -> Bundle:
    """Read a bundle that somebody else wrote: a folder, or an archive whose signature holds if it has one.

    ``public`` is the author's public key in PEM. Raises SignerUnnamed for a signed archive without it,
    BundleUnsigned where a key is named and no signature holds, and what ``open_archive`` raises.
    """
    if path.is_dir():
        if public is not None:
            raise BundleUnsigned("a folder has no signature; a signed bundle is an archive")
        return read_bundle(path)
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    key = None if public is None else load_public_key(public.read_bytes())
    files = unpack(raw)
    if key is None and SIGNATURES in files:
        raise SignerUnnamed(f"{path.name} is signed")
    return _opened(files, key)


def _opened(files: dict[str, bytes], public: PolicyPublicKey | None) -> Bundle:
    signatures = files.pop(SIGNATURES, None)
    if public is not None:
        _verify(files, signatures, public)
    return Bundle.from_files(files)


def _verify(files: Mapping[str, bytes], signatures: bytes | None, public: PolicyPublicKey) -> None:
    if signatures is None:
        raise BundleUnsigned("the archive has no signature")
    try:
        [token] = json.loads(signatures)["signatures"]
        claims = jwt.decode(token, public, algorithms=[ALGORITHM])
        signed = claims["files"]
        listed = _listed(files)
    except (ValueError, TypeError, KeyError, RecursionError, jwt.PyJWTError) as error:
        raise BundleUnsigned(f"the signature does not hold: {type(error).__name__}") from error
    if signed != listed:
        raise BundleUnsigned("the signature is over other files")


def _listed(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    """List the files as OPA hashes them: the manifest by its structure, sources by their bytes."""
    return [
        {"name": path, "hash": _hash(path, raw), "algorithm": _HASH} for path, raw in sorted(files.items())
    ]


def _hash(path: str, raw: bytes) -> str:
    if path == MANIFEST:
        try:
            raw = canonical_bytes(json.loads(raw))
        except (ValueError, NotCanonical, RecursionError) as error:
            raise BadArchive("the manifest is not JSON") from error
    return hashlib.sha256(raw).hexdigest()
