"""Signed notes: a text, and lines by which named keys vouch for it (c2sp.org/signed-note v1.0.0).

A verifier ignores keys it does not know and insists on those it does: one known key whose signature fails
makes the whole note invalid. Four kinds of key are known here: Ed25519 over the text (0x01), the timestamped
cosignature in Ed25519 (0x04) and in ML-DSA-44 (0x06, both c2sp.org/tlog-cosignature), and SM2 over the text
(0xff, a private type). The kind stands in the key, never in the signature line.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Literal, Self, TypeAlias

from audit.formats.checkpoint import Checkpoint, CheckpointInvalid
from audit.formats.names import MAX_NAME_BYTES, valid_name
from audit.keys.signing import RAW_KEY_SIZE, PublicKey, SignatureInvalid, Signer
from audit.keys.suites import (
    MLDSA44_KEY_SIZE,
    SM2_KEY_SIZE,
    MlDsaPublicKey,
    Sm2PublicKey,
    SuiteKey,
    SuitePublicKey,
)
from contracts.errors import Invalid

KEY_ID_SIZE = 4
MAX_NOTE_BYTES = 128 * 1024  # 32 signature lines of the largest suite (ML-DSA-44, 3.3 KB each)
MAX_SIGNATURES = 32  # signed-note asks for at least 16

_PREFIX = "— "
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")


class NoteInvalid(Invalid):
    """The signed note does not hold."""

    code = "note-invalid"
    title_zh = "签名文本无效"
    next_zh = "不要采信该检查点;向另一来源重新获取。"
    next_en = "Do not rely on this note; fetch it again from another source."


class VerifierKeyInvalid(Invalid):
    """The verifier key is not well formed."""

    code = "verifier-key-invalid"
    title_zh = "验证密钥格式不正确"
    next_zh = "核对信任根或策略文件中的密钥行。"
    next_en = "Check the key's line in the trust root or policy file."


class KeyType(IntEnum):
    """What a note key signs; the number is the type byte of signed-note."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    MLDSA44 = 0x06
    SM2 = 0xFF


SuiteName: TypeAlias = Literal["ed25519", "mldsa44", "sm2-sm3"]

_SUITES: dict[KeyType, SuiteName] = {
    KeyType.ED25519: "ed25519",
    KeyType.COSIGNATURE: "ed25519",
    KeyType.MLDSA44: "mldsa44",
    KeyType.SM2: "sm2-sm3",
}
# A private type is told apart by what follows its type byte; nobody else's 0xff is ours.
_PREFIXES = {
    KeyType.ED25519: b"\x01",
    KeyType.COSIGNATURE: b"\x04",
    KeyType.MLDSA44: b"\x06",
    KeyType.SM2: b"\xffheadwaters.sm2-sm3.v1",
}
_SIZES = {
    KeyType.ED25519: RAW_KEY_SIZE,
    KeyType.COSIGNATURE: RAW_KEY_SIZE,
    KeyType.MLDSA44: MLDSA44_KEY_SIZE,
    KeyType.SM2: SM2_KEY_SIZE,
}
MAX_VKEY_CHARS = 2 * MAX_NAME_BYTES + 2 * MLDSA44_KEY_SIZE


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, not yet verified."""

    name: str
    key_id: bytes
    raw: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its LF."""
        return f"{_PREFIX}{self.name} {base64.b64encode(self.key_id + self.raw).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key, written ``name+hex(key id)+base64(type || public key)``."""

    name: str
    type: KeyType
    public: PublicKey | SuitePublicKey

    def __post_init__(self) -> None:
        if not valid_name(self.name):
            raise VerifierKeyInvalid("a key name is empty, too long, or holds a space or +")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey; raise VerifierKeyInvalid, also when its key id is not the key's."""
        match = _VKEY.fullmatch(text) if len(text) <= MAX_VKEY_CHARS else None
        if match is None:
            raise VerifierKeyInvalid("the text is not name+id+key")
        try:
            raw = base64.b64decode(match[3], validate=True)
        except binascii.Error as error:
            raise VerifierKeyInvalid("the key is not base64") from error
        kind = next((kind for kind, prefix in _PREFIXES.items() if raw.startswith(prefix)), None)
        if kind is None or len(raw) != len(_PREFIXES[kind]) + _SIZES[kind]:
            raise VerifierKeyInvalid("the key is of no suite known here")
        key = cls(match[1], kind, _public(kind, raw.removeprefix(_PREFIXES[kind])))
        if str(key) != text:
            raise VerifierKeyInvalid("the key id does not belong to the key")
        return key

    def __str__(self) -> str:
        key = base64.b64encode(_PREFIXES[self.type] + self.public.raw).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell this key from others of the same name; a hint, never proof."""
        named = self.name.encode() + b"\n" + _PREFIXES[self.type] + self.public.raw
        return hashlib.sha256(named).digest()[:KEY_ID_SIZE]

    @property
    def suite(self) -> SuiteName:
        """The suite in which this key signs."""
        return _SUITES[self.type]

    def verify(self, text: str, raw: bytes) -> None:
        """Raise SignatureInvalid unless ``raw`` is this key's signature over ``text``.

        Raises SuiteMissing where this machine lacks the suite's library.
        """
        match self.type:
            case KeyType.ED25519 | KeyType.SM2:
                self.public.verify(raw, text.encode())
            case KeyType.COSIGNATURE:
                seconds, signature = int.from_bytes(raw[:8]), raw[8:]
                self.public.verify(signature, cosigned_message(text, seconds))
            case KeyType.MLDSA44:
                seconds, signature = int.from_bytes(raw[:8]), raw[8:]
                self.public.verify(signature, subtree_message(self.name, text, seconds))


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the signature lines under it, none of them verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def verified(self, keys: Iterable[VerifierKey]) -> tuple[tuple[VerifierKey, NoteSignature], ...]:
        """Give the known keys that signed, each with its line, in the order of the lines.

        Raises NoteInvalid when a known key's signature fails, or when one key signed twice.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found: dict[tuple[str, bytes], tuple[VerifierKey, NoteSignature]] = {}
        for signature in self.signatures:
            identity = (signature.name, signature.key_id)
            if identity not in known:
                continue
            if identity in found:
                raise NoteInvalid(f"{signature.name} signed twice")
            try:
                known[identity].verify(self.text, signature.raw)
            except SignatureInvalid as error:
                raise NoteInvalid(f"the signature of {signature.name} does not hold") from error
            found[identity] = (known[identity], signature)
        return tuple(found.values())

    def encode(self) -> bytes:
        """Write the note."""
        return format_note(self.text, (signature.line for signature in self.signatures))


class NoteSigner:
    """Signs notes under one name (type 0x01)."""

    def __init__(self, name: str, key: Signer) -> None:
        self._key = key
        self.verifier_key = VerifierKey(name, KeyType.ED25519, PublicKey(key.public_raw))

    @property
    def name(self) -> str:
        """The name in the signature line; for a log, its origin."""
        return self.verifier_key.name

    def sign(self, text: str) -> str:
        """Give the signature line over ``text``, with its LF."""
        _check_text(text)
        raw = self._key.sign(text.encode())
        return NoteSignature(self.name, self.verifier_key.key_id, raw).line


class SecondLine:
    """Signs a log's published checkpoints in a second suite, under a name of its own."""

    def __init__(self, name: str, key: SuiteKey) -> None:
        kind = KeyType.MLDSA44 if isinstance(key.public, MlDsaPublicKey) else KeyType.SM2
        self._key = key
        self.verifier_key = VerifierKey(name, kind, key.public)

    def sign(self, text: str, at: datetime) -> str:
        """Give the signature line over a checkpoint's ``text``, as of ``at`` where the suite says when."""
        if self.verifier_key.type is KeyType.SM2:
            raw = self._key.sign(text.encode())
        else:
            seconds = int(at.timestamp())
            raw = seconds.to_bytes(8) + self._key.sign(subtree_message(self.verifier_key.name, text, seconds))
        return NoteSignature(self.verifier_key.name, self.verifier_key.key_id, raw).line


def parse_note(raw: bytes) -> Note:
    """Read a note; raise NoteInvalid for anything but its one spelling."""
    if len(raw) > MAX_NOTE_BYTES:
        raise NoteInvalid(f"the note is larger than {MAX_NOTE_BYTES} bytes")
    try:
        whole = raw.decode()
    except UnicodeDecodeError as error:
        raise NoteInvalid("the note is not UTF-8") from error
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise NoteInvalid("the note has no signature lines")
    text += "\n"
    _check_text(text)
    found = lines[:-1].split("\n")
    if len(found) > MAX_SIGNATURES:
        raise NoteInvalid(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(text, tuple(_parse_line(line) for line in found))


def format_note(text: str, lines: Iterable[str]) -> bytes:
    """Put signature lines under a text; raise NoteInvalid when there are none."""
    _check_text(text)
    below = "".join(lines)
    if not below:
        raise NoteInvalid("a note has at least one signature")
    return f"{text}\n{below}".encode()


def cosigned_message(text: str, seconds: int) -> bytes:
    """Give what a cosigner signs at ``seconds`` since 1970 (tlog-cosignature, ``cosignature/v1``)."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def subtree_message(name: str, text: str, seconds: int) -> bytes:
    """Give what an ML-DSA cosigner signs of a whole tree (tlog-cosignature, ``subtree/v1``).

    Raises SignatureInvalid where the text is no checkpoint: there is then nothing to sign.
    """
    try:
        claim = Checkpoint.parse(text)
    except CheckpointInvalid as error:
        raise SignatureInvalid("an ML-DSA-44 line stands under a checkpoint only") from error
    who, origin = name.encode(), claim.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            len(who).to_bytes(1) + who,
            seconds.to_bytes(8),
            len(origin).to_bytes(1) + origin,
            (0).to_bytes(8) + claim.size.to_bytes(8),
            claim.root,
        )
    )


def _public(kind: KeyType, raw: bytes) -> PublicKey | SuitePublicKey:
    match kind:
        case KeyType.ED25519 | KeyType.COSIGNATURE:
            return PublicKey(raw)
        case KeyType.MLDSA44:
            return MlDsaPublicKey(raw)
        case KeyType.SM2:
            return Sm2PublicKey(raw)


def _parse_line(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_PREFIX).partition(" ")
    try:
        raw = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteInvalid("a signature line is not base64") from error
    signature = NoteSignature(name, raw[:KEY_ID_SIZE], raw[KEY_ID_SIZE:])
    if not valid_name(name) or not signature.raw or signature.line != line + "\n":
        raise NoteInvalid("a signature line is not well formed")
    return signature


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(letter < " " and letter != "\n" for letter in text):
        raise NoteInvalid("the text of a note ends with LF and holds no other control character")
