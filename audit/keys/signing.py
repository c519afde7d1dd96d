"""Keys: Ed25519 to sign, X25519 to receive sealed bytes; how they are written, named and kept.

A private key lives in a PKCS #8 PEM file that only its owner may read (0600), with an optional passphrase;
a file that others may read is refused. A public key is written ``ed25519:<base64>`` and named by
``ed25519:`` and 16 hex digits of its SHA-256. Sealing is HPKE in base mode (RFC 9180), DHKEM(X25519,
HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from audit.durable import sync_folder
from contracts.errors import Conflict, Invalid, NotFound, Refused, Unauthenticated
from contracts.spelling import NotBase64, from_base64, to_base64

RAW_KEY_SIZE = 32
MAX_KEY_FILE_BYTES = 16 * 1024  # an encrypted Ed25519 PEM has about 300 bytes; a larger suite's still fits

_FIELD = 2**255 - 19
# The y of the eight points of order 1, 2, 4 or 8 (edwards25519, RFC 8032 s5.1). For such a key anybody can
# make a signature that holds for many messages, so it binds nobody to anything.
_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8})

_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PrivateKey: TypeAlias = Ed25519PrivateKey | X25519PrivateKey


class KeyInvalid(Invalid):
    """The key is not well formed."""

    code = "key-invalid"
    title_zh = "密钥格式不正确"


class KeyUnreadable(Invalid):
    """The key file cannot be opened: wrong passphrase, or not a key."""

    code = "key-unreadable"
    title_zh = "无法读取密钥文件"
    next_zh = "核对口令与文件;密钥文件应为 PKCS#8 PEM。"
    next_en = "Check the passphrase and the file; a key file is PKCS #8 PEM."


class KeyFileMissing(NotFound):
    """There is no key file at this place."""

    code = "key-file-missing"
    title_zh = "找不到密钥文件"
    next_zh = "核对路径;新的主目录先运行 init。"
    next_en = "Check the path; a new home begins with init."


class KeyFileExposed(Refused):
    """Others may read the key file."""

    code = "key-file-exposed"
    title_zh = "密钥文件可被他人读取"
    next_zh = "执行 chmod 600,并考虑更换该密钥。"
    next_en = "Run chmod 600 on it, and consider replacing the key."


class KeyFileExists(Conflict):
    """There is a key file already; it is never overwritten."""

    code = "key-file-exists"
    title_zh = "密钥文件已存在"
    next_zh = "换一个路径,或先移走旧密钥。"
    next_en = "Choose another path, or move the old key away first."


class SignatureInvalid(Unauthenticated):
    """The signature does not hold."""

    code = "signature-invalid"
    title_zh = "签名无效"
    next_zh = "不要采信该内容;核对签名方的公钥指纹。"
    next_en = "Do not rely on the content; compare the signer's key fingerprint."


class SealBroken(Unauthenticated):
    """The sealed bytes do not open."""

    code = "seal-broken"
    title_zh = "密封内容无法解封"
    next_zh = "内容被改动,或并非密封给本方;请重新获取。"
    next_en = "The bytes were changed or sealed to another key; fetch them again."


class Signer(Protocol):
    """Holds one Ed25519 private key, wherever it is kept, and signs with it."""

    @property
    def public_raw(self) -> bytes:
        """The public key, 32 bytes."""
        ...

    @property
    def key_id(self) -> str:
        """The key's name in envelopes and requests."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != RAW_KEY_SIZE:
            raise KeyInvalid(f"an Ed25519 public key has {RAW_KEY_SIZE} bytes, not {len(self.raw)}")
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)  # the top bit is the sign of x
        if y >= _FIELD or y in _SMALL_ORDER:
            raise KeyInvalid("the key is not canonical, or a point of small order that proves nothing")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read ``ed25519:<base64>``; raise KeyInvalid."""
        return cls(_read_text(text, "ed25519"))

    @property
    def text(self) -> str:
        """The key as ``ed25519:<base64>``."""
        return _text("ed25519", self.raw)

    @property
    def key_id(self) -> str:
        """The key's name: ``ed25519:`` and 16 hex digits of its SHA-256."""
        return "ed25519:" + hashlib.sha256(self.raw).hexdigest()[:16]

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise SignatureInvalid unless ``signature`` is this key's over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature as error:
            raise SignatureInvalid(f"the signature is not by {self.key_id}", key=self.key_id) from error


class SigningKey:
    """An Ed25519 private key in memory; a ``Signer``."""

    __slots__ = ("_private", "_public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = PublicKey(private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key that lives in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Derive the key of a 32-byte seed (RFC 8032); for published vectors."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    @property
    def public_raw(self) -> bytes:
        """The public key, 32 bytes."""
        return self._public.raw

    @property
    def key_id(self) -> str:
        """The key's name in envelopes and requests."""
        return self._public.key_id

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature."""
        return self._private.sign(message)


class SealingKey:
    """An X25519 private key that opens what was sealed to it."""

    __slots__ = ("_private",)

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key that lives in memory only."""
        return cls(X25519PrivateKey.generate())

    @property
    def public_text(self) -> str:
        """The public half as ``x25519:<base64>``."""
        return _text("x25519", self._private.public_key().public_bytes_raw())

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Open bytes sealed under the same ``info``; raise SealBroken."""
        try:
            return _HPKE.decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("the sealed bytes were changed, or sealed to another key or purpose") from error


def seal(public_text: str, plaintext: bytes, info: bytes) -> bytes:
    """Seal bytes to ``x25519:<base64>``: the encapsulated key, then the ciphertext, 48 bytes more in all.

    ``info`` names the purpose and must be the same to open. The seal hides and protects the bytes; it does
    not say who sealed them.
    """
    public = X25519PublicKey.from_public_bytes(_read_text(public_text, "x25519"))
    try:
        return _HPKE.encrypt(plaintext, public, info)
    except ValueError as error:
        raise KeyInvalid("nothing can be sealed to this key") from error


def fingerprint(public_text: str) -> str:
    """Show the first 16 bytes of a public key's SHA-256 in groups of four, to be read aloud."""
    suite = public_text.partition(":")[0]
    if suite not in {"ed25519", "x25519"}:
        raise KeyInvalid(f"{suite[:20]!r} is no known suite")
    digits = hashlib.sha256(_read_text(public_text, suite)).hexdigest()[:32]
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))


def create_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """Make a signing key and keep it at ``path``, durable, 0600; raise KeyFileExists."""
    private = Ed25519PrivateKey.generate()
    _write(path, private, passphrase)
    return SigningKey(private)


def load_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """Read a signing key; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
    private = _read(path, passphrase)
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnreadable(f"{path.name} is not an Ed25519 key")
    return SigningKey(private)


def create_sealing_key(path: Path, passphrase: str | None = None) -> SealingKey:
    """Make a sealing key and keep it at ``path``, durable, 0600; raise KeyFileExists."""
    private = X25519PrivateKey.generate()
    _write(path, private, passphrase)
    return SealingKey(private)


def load_sealing_key(path: Path, passphrase: str | None = None) -> SealingKey:
    """Read a sealing key; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
    private = _read(path, passphrase)
    if not isinstance(private, X25519PrivateKey):
        raise KeyUnreadable(f"{path.name} is not an X25519 key")
    return SealingKey(private)


def _text(suite: str, raw: bytes) -> str:
    return f"{suite}:{to_base64(raw)}"


def _read_text(text: str, suite: str) -> bytes:
    try:
        raw = from_base64(text.removeprefix(f"{suite}:"))
    except NotBase64 as error:
        raise KeyInvalid(f"the text is not a {suite} public key") from error
    if len(raw) != RAW_KEY_SIZE or _text(suite, raw) != text:
        raise KeyInvalid(f"the text is not a {suite} public key")
    return raw


def _write(path: Path, private: _PrivateKey, passphrase: str | None) -> None:
    protection = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else None
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        protection or serialization.NoEncryption(),
    )
    write_key_file(path, pem)


def write_key_file(path: Path, pem: bytes) -> None:
    """Keep a private key's PEM at ``path``, durable, 0600; raise KeyFileExists."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise KeyFileExists(f"{path.name} exists already") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)  # a key that is used and then lost with the power cannot be had back


def read_key_file(path: Path) -> bytes:
    """Read a private key's PEM; raise KeyFileExposed, KeyFileMissing or KeyUnreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise KeyFileMissing(f"there is no {path.name}") from error
    except OSError as error:
        raise KeyUnreadable(f"{path.name} cannot be opened: {error.strerror}") from error
    try:
        return _read_private_file(descriptor, path.name)
    finally:
        os.close(descriptor)


def _read(path: Path, passphrase: str | None) -> object:
    pem = read_key_file(path)
    try:
        return serialization.load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(f"{path.name} does not open with this passphrase") from error


def _read_private_file(descriptor: int, name: str) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_KEY_FILE_BYTES:
        raise KeyUnreadable(f"{name} is not a key file")
    if status.st_mode & 0o077:
        raise KeyFileExposed(f"{name} has mode {stat.S_IMODE(status.st_mode):04o}, not 0600")
    return os.read(descriptor, MAX_KEY_FILE_BYTES)
