"""The file ``trust.json``: a trust root, the provinces' signatures over it, and what one node pinned since.

Like a TUF root, ``{"signed": …, "signatures": […]}``: each signature is over DSSE's pre-authentication
encoding of the canonical bytes of ``signed``. ``own`` is the whole root as the node that wrote the file sees
it now; where a verifier uses a key that stands only there, the verdict says so. ``digest`` is over the rest
of the file and shows damage; it is no signature.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from audit.formats.dsse import pae
from audit.formats.quorum import WitnessPolicy
from audit.keys.signing import PublicKey, SigningKey
from audit.keys.trust import TrustRoot, TrustRootInvalid
from contracts.canonical import NotCanonical, canonical_bytes, sha256_hex
from contracts.errors import HeadwatersError, Undecidable
from contracts.messages import Digest, KeyText, ParticipantId, Wire
from contracts.spelling import from_base64, to_base64

MAX_TRUST_BYTES = 4 * 1024 * 1024
_LONG_KEY = 400  # characters; a vkey of Ed25519 or SM2 has fewer
MAX_ROOT_SIGNATURES = 128  # a root that replaces every root key is signed by the old and the new ones


class TrustRootMissing(Undecidable):
    """There is no trust root to judge by."""

    code = "trust-root-missing"
    title_zh = "缺少信任根"
    next_zh = "用 --trust 指定信任根文件。"
    next_en = "Name a trust root with --trust."


class TrustRootUnsigned(Undecidable):
    """Too few provinces have signed the trust root."""

    code = "trust-root-unsigned"
    title_zh = "签署信任根的省份不足"
    next_zh = "请更多省份用根密钥签署(headwaters trust sign)后重试。"
    next_en = "Let more provinces sign with their root keys (headwaters trust sign), then try again."


class RootSignature(Wire):
    """One province's signature, by its root key."""

    participant: ParticipantId
    key: KeyText
    sig: Annotated[str, Field(max_length=100)]


class SignedRoot(Wire):
    """A trust root and the signatures collected so far, in the order of participant and key."""

    signatures: Annotated[list[RootSignature], Field(max_length=MAX_ROOT_SIGNATURES)]
    signed: TrustRoot

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read canonical bytes; raise TrustRootInvalid when the root or a signature is not as it must be."""
        if len(raw) > MAX_TRUST_BYTES:
            raise TrustRootInvalid(f"a trust root has at most {MAX_TRUST_BYTES} bytes")
        try:
            found = cls.parse(raw)
            if found.canonical() != raw:
                raise NotCanonical("the bytes are not the canonical spelling")
            return found.checked()
        except TrustRootInvalid:
            raise
        except HeadwatersError as error:
            raise TrustRootInvalid(str(error)) from error

    def checked(self) -> Self:
        """Give this; raise TrustRootInvalid unless the root is whole and every signature is its key's."""
        self.signed.checked()
        names = [(one.participant, one.key) for one in self.signatures]
        if names != sorted(set(names)):
            raise TrustRootInvalid("the signatures are not in their order, or one stands there twice")
        message = pae(TrustRoot.payload_type, self.signed.canonical())
        for one in self.signatures:
            try:
                PublicKey.from_text(one.key).verify(from_base64(one.sig), message)
            except HeadwatersError as error:
                raise TrustRootInvalid(f"the signature of {one.participant} does not hold") from error
        return self

    @property
    def digest(self) -> str:
        """Name the root by the digest of what was signed."""
        return self.signed.content_digest()

    def signers(self, keys: Mapping[str, PublicKey] | None = None) -> tuple[str, ...]:
        """Give the participants whose root key signed; ``keys`` are the root's own unless others are named.

        A signature by any other key counts for nothing. Call it on what ``checked`` has passed.
        """
        known = self.signed.root_keys() if keys is None else keys
        named = {(name, key.text) for name, key in known.items()}
        return tuple(one.participant for one in self.signatures if (one.participant, one.key) in named)

    def require_signed(self, previous: TrustRoot | None) -> tuple[str, ...]:
        """Give the provinces that signed; raise TrustRootUnsigned or TrustRootInvalid.

        As many of the root's own keys as it asks for, and where another root went before, as many of that
        one's as it asked for, as in TUF.
        """
        root = self.signed
        if root.number == 0:
            raise TrustRootInvalid("a root that provinces sign has a number from 1 on")
        if previous is not None:
            follows = (root.number, root.previous) == (previous.number + 1, previous.content_digest())
            if not follows:
                raise TrustRootInvalid(f"root {root.number} does not follow root {previous.number}")
            _require(previous.threshold, self.signers(previous.root_keys()), f"root {previous.number}")
        return self.require_threshold()

    def require_threshold(self) -> tuple[str, ...]:
        """Give the provinces that signed with the root's own keys; raise TrustRootUnsigned for too few."""
        signers = self.signers()
        _require(self.signed.threshold, signers, f"root {self.signed.number}")
        return signers

    def with_signature(self, participant: str, key: SigningKey) -> Self:
        """Give the same root with one more signature; the same key signs once."""
        raw = key.sign(pae(TrustRoot.payload_type, self.signed.canonical()))
        sig = to_base64(raw)
        return self.with_signatures([RootSignature(participant=participant, key=key.public.text, sig=sig)])

    def with_signatures(self, more: Iterable[RootSignature]) -> Self:
        """Give the same root with the signatures of both; they are not verified here."""
        both = {(one.participant, one.key): one for one in (*self.signatures, *more)}
        return type(self)(signatures=[both[name] for name in sorted(both)], signed=self.signed)


class RootList(Wire):
    """The roots that an exchange holds: those that were logged, oldest first, and the open proposals."""

    logged: list[SignedRoot]
    open: list[SignedRoot]


class TrustFile(Wire):
    """``trust.json`` as it lies on disk; whole and verified once ``read`` has given it."""

    digest: Digest
    own: TrustRoot | None
    signatures: Annotated[list[RootSignature], Field(max_length=MAX_ROOT_SIGNATURES)]
    signed: TrustRoot | None

    @classmethod
    def of(cls, signed: SignedRoot | None, own: TrustRoot | None) -> Self:
        """Put a file together; at least one of the two roots is there."""
        signatures = signed.signatures if signed is not None else []
        root = signed.signed if signed is not None else None
        draft = cls(digest=_NO_DIGEST, own=own, signatures=signatures, signed=root)
        return draft.model_copy(update={"digest": draft.expected_digest()})

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read the file's bytes; raise TrustRootInvalid when a part is malformed or contradicts another."""
        if len(raw) > MAX_TRUST_BYTES:
            raise TrustRootInvalid(f"a trust root has at most {MAX_TRUST_BYTES} bytes")
        try:
            file = cls.parse(raw)
            _check(file, raw)
        except TrustRootInvalid:
            raise
        except HeadwatersError as error:
            raise TrustRootInvalid(str(error)) from error
        return file

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file at ``path``; raise TrustRootMissing or TrustRootInvalid."""
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise TrustRootMissing(f"{path.name} cannot be read") from error
        return cls.read(raw)

    @property
    def root(self) -> TrustRoot:
        """The root to judge by: the node's own view where there is one, else what the provinces signed."""
        found = self.own or self.signed
        if found is None:
            raise TrustRootInvalid("the file holds no root")
        return found

    @property
    def signed_root(self) -> SignedRoot | None:
        """The root that provinces signed, None where none has."""
        return None if self.signed is None else SignedRoot(signatures=self.signatures, signed=self.signed)

    @property
    def signers(self) -> tuple[str, ...]:
        """The provinces whose root keys signed; empty where nobody has."""
        found = self.signed_root
        return () if found is None else found.signers()

    def unsigned(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Give those of ``keys`` that stand in the node's own view only, and that no province has signed.

        A key of a second line is named without its bytes, of which there may be thousands.
        """
        known = frozenset() if self.signed is None else self.signed.key_texts()
        return tuple(_short(key) for key in keys if key not in known)

    def witness_policy(self) -> WitnessPolicy:
        """Give the log and the witnesses of today, and how many of them it takes."""
        return self.root.witness_policy()

    def expected_digest(self) -> str:
        """Give the digest over everything in the file but ``digest``."""
        value = self.model_dump(mode="json", exclude={"digest"})
        return sha256_hex(canonical_bytes(value))


_NO_DIGEST = "sha256:" + 64 * "0"


def _check(file: TrustFile, raw: bytes) -> None:
    if file.canonical() != raw or file.digest != file.expected_digest():
        raise TrustRootInvalid("the file was changed, or is not the one spelling of its content")
    file.root.checked()
    signed = file.signed_root
    if signed is None:
        if file.signatures:
            raise TrustRootInvalid("there are signatures and nothing that they sign")
        return
    signed.checked().require_threshold()
    if file.own is not None:
        file.own.require_extends(signed.signed)


def _require(threshold: int, signers: tuple[str, ...], whose: str) -> None:
    if len(signers) < threshold:
        raise TrustRootUnsigned(
            f"{len(signers)} of the keys of {whose} have signed, {threshold} must", have=len(signers)
        )


def _short(key: str) -> str:
    return key if len(key) <= _LONG_KEY else "+".join(key.split("+", 2)[:2])
