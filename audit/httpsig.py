"""Signed requests: HTTP Message Signatures (RFC 9421) over method, target URI and Content-Digest (RFC 9530).

Every request carries exactly one signature, by a key that the receiver knows under its id, with a nonce and a
life of at most 60 seconds. The key decides the algorithm, never the message. What is accepted comes back as
``SignedParts``; that the nonce is new is ``audit.nonces``' matter, in the caller's transaction.
"""

import re
import secrets
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)

from audit.keys.signing import PublicKey, Signer
from contracts.clock import Clock
from contracts.errors import HeadwatersError, Unauthenticated

HTTP_TAG = "headwaters-v1"
MAX_LIFE_SECONDS = 60  # design, section 5: bounds how long a nonce must be kept
MAX_SKEW_SECONDS = 5  # how far the caller's clock may run ahead
MAX_HEADER_CHARS = 2048  # our own signature headers have about 400

COVERED = ("@method", "@target-uri", "content-digest")

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_LABEL = "sig"


class RequestSignatureInvalid(Unauthenticated):
    """The request's signature does not hold."""

    code = "request-signature-invalid"
    title_zh = "请求签名无效"
    next_zh = "用登记的密钥对方法、目标地址与正文摘要重新签名。"
    next_en = "Sign method, target URI and content digest again with the registered key."


class RequestOutOfTime(Unauthenticated):
    """The request's signature is expired, lives too long, or comes from the future."""

    code = "request-out-of-time"
    title_zh = "请求签名不在有效时间内"
    next_zh = "校准本机时钟后重新签名;有效期不超过 60 秒。"
    next_en = "Set this machine's clock and sign again; a signature lives at most 60 seconds."


@dataclass(frozen=True, slots=True)
class SignedParts:
    """What an accepted signature says of itself; moments in UTC."""

    keyid: str
    tag: str
    nonce: str
    created_at: datetime
    expires_at: datetime


def sign_request(
    method: str,
    target_uri: str,
    body: bytes,
    *,
    key: Signer,
    keyid: str,
    clock: Clock,
    tag: str = HTTP_TAG,
    nonce: str | None = None,
) -> dict[str, str]:
    """Give the headers to add: Content-Digest, Signature-Input, Signature.

    ``target_uri`` is absolute, as the receiver will spell it. Raises RequestSignatureInvalid for a method
    or URI that cannot be signed.
    """
    created = clock.now()
    headers: dict[str, str] = {}
    message = _Message(method, target_uri, headers)
    try:
        signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
        prepared = signer.prepare(
            message,
            key_id=keyid,
            created=created,
            expires=created + timedelta(seconds=MAX_LIFE_SECONDS),
            nonce=nonce or secrets.token_urlsafe(18),
            label=_LABEL,
            tag=tag,
            include_alg=False,
            covered_component_ids=COVERED,
            body=body,
        )
        signer.apply(message, prepared, key.sign(prepared.signature_base))
    except HTTPMessageSignaturesException as error:
        raise RequestSignatureInvalid(f"the request cannot be signed: {error}") from error
    return headers


def verify_request(
    method: str,
    target_uri: str,
    headers: Headers,
    body: bytes,
    *,
    resolve: Callable[[str], PublicKey],
    clock: Clock,
    tag: str = HTTP_TAG,
) -> SignedParts:
    """Accept one signed request.

    ``resolve`` gives the trusted key of a key id or raises its own error, which passes through. Raises
    RequestSignatureInvalid and RequestOutOfTime. The nonce has the right form; the caller admits it once.
    """
    lines = _Lines(tuple(headers.items() if isinstance(headers, Mapping) else headers))
    for name, value in lines.items():
        if name.lower().startswith("signature") and len(value) > MAX_HEADER_CHARS:
            raise RequestSignatureInvalid("a signature header is too long")
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(resolve))
    message = _Message(method, target_uri, lines)
    try:
        # No tag and no label is chosen here: the library then refuses a second signature.
        (result,) = verifier.verify(message, max_age=None, require_components=COVERED, body=body)
    except HTTPMessageSignaturesException as error:
        if isinstance(error.__cause__, HeadwatersError):
            raise error.__cause__ from None
        raise RequestSignatureInvalid(f"the signature does not hold: {error}") from error
    covered = {name for name in result.covered_components if name != '"@signature-params"'}
    if covered != {f'"{name}"' for name in COVERED}:
        raise RequestSignatureInvalid(f"the signature covers other parts than {', '.join(COVERED)}")
    return _parts(result.parameters, tag, clock.now())


class RequestSigner(httpx.Auth):
    """Signs each request of an ``httpx`` client, sync or async, over its final URL and body."""

    requires_request_body = True

    def __init__(self, key: Signer, keyid: str, clock: Clock, tag: str = HTTP_TAG) -> None:
        self._key = key
        self._keyid = keyid
        self._clock = clock
        self._tag = tag

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the signature headers; they name one target, so whoever it is redirected to refuses them."""
        request.headers.update(
            sign_request(
                request.method,
                str(request.url),
                request.content,
                key=self._key,
                keyid=self._keyid,
                clock=self._clock,
                tag=self._tag,
            )
        )
        yield request


@dataclass(frozen=True, slots=True)
class _Message:
    """What the library reads of a request: method, absolute URL, header lines."""

    method: str
    url: str
    headers: "dict[str, str] | _Lines"


@dataclass(frozen=True, slots=True)
class _Lines:
    """Received header lines, in their order, a repeated name as often as it came."""

    lines: tuple[tuple[str, str], ...]

    def items(self) -> Iterable[tuple[str, str]]:
        return self.lines


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, resolve: Callable[[str], PublicKey]) -> None:
        self._resolve = resolve

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self._resolve(key_id).raw)


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: object, max_age: timedelta | None = None) -> None:
        """Leave the time to ``_parts``: the library would read the machine's clock."""


def _parts(parameters: Mapping[str, int | str], tag: str, now: datetime) -> SignedParts:
    created, expires = parameters.get("created"), parameters.get("expires")
    nonce = parameters.get("nonce")
    if not isinstance(created, int) or not isinstance(expires, int):
        raise RequestSignatureInvalid("created or expires is missing")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise RequestSignatureInvalid("the nonce is missing, or not 16 to 64 of A-Z, a-z, 0-9, - and _")
    if parameters.get("tag") != tag:
        raise RequestSignatureInvalid(f"the signature does not carry the tag {tag}")
    if not 0 < expires - created <= MAX_LIFE_SECONDS:
        raise RequestOutOfTime(f"the signature lives more than {MAX_LIFE_SECONDS} seconds, or none")
    if created > now.timestamp() + MAX_SKEW_SECONDS:
        raise RequestOutOfTime("the signature was made in the future")
    if expires < now.timestamp():
        raise RequestOutOfTime("the signature has expired")
    keyid = str(parameters["keyid"])
    created_at, expires_at = (datetime.fromtimestamp(seconds, UTC) for seconds in (created, expires))
    return SignedParts(keyid, tag, nonce, created_at, expires_at)
