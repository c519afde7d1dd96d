"""Signature suites beside Ed25519: ML-DSA-44 (FIPS 204), and SM2 with SM3 (GB/T 32918.2, GB/T 32905).

The suite is fixed by the key and never by the message. A log may put a line in each of them under the
checkpoints it publishes, beside its own Ed25519 line; a verifier that does not know the key passes over it.
SM2 needs the extra ``headwaters-exchange[sm]``; its signatures are r || s, 64 bytes, over the identity
``1234567812345678`` of GB/T 35276.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from audit.keys.signing import KeyInvalid, KeyUnreadable, SignatureInvalid, read_key_file, write_key_file
from contracts.errors import Unavailable

MLDSA44_KEY_SIZE = 1312
SM2_KEY_SIZE = 64
SM2_SIGNATURE_SIZE = 64

# PKCS #8 of an SM2 key, whose length never varies: id-ecPublicKey, sm2p256v1, the scalar, and the point.
_SM2_HEAD = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_SM2_POINT = bytes.fromhex("a14403420004")
_SM2_PEM = (b"-----BEGIN PRIVATE KEY-----\n", b"-----END PRIVATE KEY-----\n")


class SuiteMissing(Unavailable):
    """The library of this signature suite is not installed."""

    code = "suite-missing"
    title_zh = "未安装该签名算法的支持库"
    next_zh = "安装国密扩展:pip install 'headwaters-exchange[sm]',然后重试。"
    next_en = "Install the extra: pip install 'headwaters-exchange[sm]', and try again."


class Suite(StrEnum):
    """The suites of a second line."""

    MLDSA44 = "mldsa44"
    SM2_SM3 = "sm2-sm3"


@dataclass(frozen=True, slots=True)
class MlDsaPublicKey:
    """An ML-DSA-44 public key: 1,312 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != MLDSA44_KEY_SIZE:
            raise KeyInvalid(f"an ML-DSA-44 public key has {MLDSA44_KEY_SIZE} bytes")

    @property
    def text(self) -> str:
        """The key as ``mldsa44:<base64>``."""
        return _text("mldsa44", self.raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise SignatureInvalid unless ``signature`` is this key's over ``message``."""
        try:
            MLDSA44PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid("the ML-DSA-44 signature does not hold") from error


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """An SM2 public key: the coordinates x || y of a point on the curve, 64 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != SM2_KEY_SIZE:
            raise KeyInvalid(f"an SM2 public key has {SM2_KEY_SIZE} bytes")

    @property
    def text(self) -> str:
        """The key as ``sm2:<base64>``."""
        return _text("sm2", self.raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise SignatureInvalid unless ``signature`` is this key's; SuiteMissing without the library."""
        library = _gmssl()
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        try:
            holds = len(signature) == SM2_SIGNATURE_SIZE and library.sm2_verify(
                self.raw, message, encode_dss_signature(r, s)
            )
        except (library.InvalidValueError, library.GmsslInnerError) as error:
            raise SignatureInvalid("the SM2 key or signature is not well formed") from error
        if not holds:
            raise SignatureInvalid("the SM2 signature does not hold")


class SuiteKey(Protocol):
    """A private key of one suite, in memory."""

    @property
    def public(self) -> "SuitePublicKey":
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the raw signature."""
        ...


SuitePublicKey: TypeAlias = MlDsaPublicKey | Sm2PublicKey


class MlDsaKey:
    """An ML-DSA-44 private key."""

    def __init__(self, private: MLDSA44PrivateKey) -> None:
        self._private = private
        self.public = MlDsaPublicKey(private.public_key().public_bytes_raw())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Derive the key of a 32-byte seed (FIPS 204); for published vectors."""
        return cls(MLDSA44PrivateKey.from_seed_bytes(seed))

    def sign(self, message: bytes) -> bytes:
        """Give the 2,420 bytes of the signature, with an empty context."""
        return self._private.sign(message)


class Sm2Key:
    """An SM2 private key: the scalar, 32 bytes, and its point."""

    def __init__(self, private: bytes, public: Sm2PublicKey) -> None:
        self._private = private
        self.public = public

    def sign(self, message: bytes) -> bytes:
        """Give r || s, 64 bytes, over the SM3 digest of identity and message."""
        r, s = decode_dss_signature(_gmssl().sm2_sign(self._private, self.public.raw, message))
        return r.to_bytes(32) + s.to_bytes(32)


def create_suite_key(path: Path, suite: Suite) -> SuiteKey:
    """Make a key of ``suite`` and keep it at ``path``, durable, 0600; raise KeyFileExists, SuiteMissing."""
    write_key_file(path, _new_mldsa44() if suite is Suite.MLDSA44 else _new_sm2())
    return load_suite_key(path, suite)


def load_suite_key(path: Path, suite: Suite) -> SuiteKey:
    """Read a key of ``suite``; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
    pem = read_key_file(path)
    try:
        match suite:
            case Suite.MLDSA44:
                private = serialization.load_pem_private_key(pem, None)
                if isinstance(private, MLDSA44PrivateKey):
                    return MlDsaKey(private)
            case Suite.SM2_SM3:
                return _read_sm2(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(f"{path.name} holds no {suite} key") from error
    raise KeyUnreadable(f"{path.name} holds a key of another suite than {suite}")


def sm3(data: bytes) -> bytes:
    """Hash with SM3 (GB/T 32905), 32 bytes."""
    return hashlib.new("sm3", data).digest()


def _new_mldsa44() -> bytes:
    return MLDSA44PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _new_sm2() -> bytes:
    point, scalar = _gmssl().sm2_key_generate()
    return _SM2_PEM[0] + base64.encodebytes(_SM2_HEAD + scalar + _SM2_POINT + point) + _SM2_PEM[1]


def _read_sm2(pem: bytes) -> Sm2Key:
    body = pem.removeprefix(_SM2_PEM[0]).removesuffix(_SM2_PEM[1]).replace(b"\n", b"")
    der = base64.b64decode(body, validate=True)
    scalar = der[len(_SM2_HEAD) : len(_SM2_HEAD) + 32]
    point = der[-SM2_KEY_SIZE:]
    if der != _SM2_HEAD + scalar + _SM2_POINT + point:
        raise ValueError("the file is no PKCS #8 of an SM2 key")
    key = Sm2Key(scalar, Sm2PublicKey(point))
    # A point that is not the scalar's would make signatures that nobody can verify.
    key.public.verify(key.sign(b"self-test"), b"self-test")
    return key


def _gmssl() -> Any:  # the library has no types
    try:
        return import_module("gmssl_pyx")
    except ImportError as error:
        raise SuiteMissing("gmssl-pyx is not installed") from error


def _text(suite: str, raw: bytes) -> str:
    return f"{suite}:{base64.b64encode(raw).decode()}"
