"""Signed requests: the published vector, the life of a signature, and every way to refuse one."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver, algorithms
from hypothesis import given
from hypothesis import strategies as st

from audit.httpsig import (
    COVERED,
    HTTP_TAG,
    MAX_HEADER_CHARS,
    RequestOutOfTime,
    RequestSignatureInvalid,
    RequestSigner,
    SignedParts,
    _Lines,
    _Message,
    _Verifier,
    sign_request,
    verify_request,
)
from audit.keys.signing import PublicKey, SigningKey
from contracts.clock import FrozenClock
from contracts.errors import NotFound

AT = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
CLOCK = FrozenClock(AT)
KEY, STRANGER = SigningKey.from_seed(b"\x01" * 32), SigningKey.from_seed(b"\x02" * 32)
URL = "https://exchange.example/grants?dataset=air%20hourly"
BODY = b'{"release":3}'
NONCE = "nonce-nonce-nonce-01"

# RFC 9421 appendix B.1.4 and B.2.6.
RFC_KEY = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
RFC_LINES = {
    "Host": "example.com",
    "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "Content-Type": "application/json",
    "Content-Length": "18",
}
RFC_COVERED = ("date", "@method", "@path", "@authority", "content-type", "content-length")
RFC_INPUT = (
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"'
)
RFC_SIGNATURE = (
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
)


def resolve(keyid: str) -> PublicKey:
    """Know one key."""
    if keyid != "p-one":
        raise NotFound("no such participant")
    return KEY.public


def signed(**changes: str) -> dict[str, str]:
    """Sign the example request, and change header text afterwards."""
    headers = sign_request("POST", URL, BODY, key=KEY, keyid="p-one", clock=CLOCK, nonce=NONCE)
    return {**headers, **changes}


def verify(headers: dict[str, str] | list[tuple[str, str]], **changes: object) -> SignedParts:
    """Verify the example request at its own moment, or with one thing changed."""
    request = {"method": "POST", "target_uri": URL, "body": BODY, "clock": CLOCK, **changes}
    return verify_request(headers=headers, resolve=resolve, **request)  # type: ignore[arg-type]  # by name


def custom(key: SigningKey = KEY, covered: tuple[str, ...] = COVERED, **options: object) -> dict[str, str]:
    """Sign the example with the bare library, which lets a caller leave things out."""
    message = _Message("POST", URL, {})
    pair = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32 if key is KEY else b"\x02" * 32)
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={"p-one": pair}),
    )
    usual = {
        "key_id": "p-one",
        "created": AT,
        "expires": AT + timedelta(seconds=60),
        "nonce": NONCE,
        "tag": HTTP_TAG,
        "include_alg": False,
        "body": BODY,
    }
    signer.sign(message, covered_component_ids=covered, **{**usual, **options})  # type: ignore[arg-type]  # by name
    assert isinstance(message.headers, dict)
    return message.headers


def test_the_published_vector_is_made() -> None:
    """Our message view and the library make the Ed25519 signature of RFC 9421 B.2.6."""
    headers = dict(RFC_LINES)
    private = load_pem_private_key(RFC_KEY, None)
    assert isinstance(private, Ed25519PrivateKey)
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={"test-key-ed25519": private}),
    )
    signer.sign(
        _Message("POST", "https://example.com/foo?param=Value&Pet=dog", headers),
        key_id="test-key-ed25519",
        created=datetime.fromtimestamp(1_618_884_473, UTC),
        label="sig-b26",
        include_alg=False,
        covered_component_ids=RFC_COVERED,
    )

    assert (headers["Signature-Input"], headers["Signature"]) == (RFC_INPUT, RFC_SIGNATURE)


@pytest.mark.parametrize("verifier", [_Verifier, HTTPMessageVerifier])
def test_the_published_vector_is_verified(verifier: type[HTTPMessageVerifier]) -> None:
    """The library and our verifier, through our message view, accept the published signature."""
    private = load_pem_private_key(RFC_KEY, None)
    assert isinstance(private, Ed25519PrivateKey)
    keys = MappingKeyResolver(public_keys={"test-key-ed25519": private.public_key()}, private_keys={})
    lines = _Lines((*RFC_LINES.items(), ("Signature-Input", RFC_INPUT), ("Signature", RFC_SIGNATURE)))
    message = _Message("POST", "https://example.com/foo?param=Value&Pet=dog", lines)
    found = verifier(signature_algorithm=algorithms.ED25519, key_resolver=keys).verify(
        message, max_age=None, require_components=RFC_COVERED
    )

    assert [result.parameters["keyid"] for result in found] == ["test-key-ed25519"]


def test_what_is_signed_and_found() -> None:
    """A request carries digest, input and signature over exactly three parts, for 60 seconds."""
    headers = signed()

    assert headers["Signature-Input"] == (
        'sig=("@method" "@target-uri" "content-digest")'
        f';created=1795309323;keyid="p-one";expires=1795309383;nonce="{NONCE}";tag="headwaters-v1"'
    )
    assert verify(headers) == SignedParts("p-one", HTTP_TAG, NONCE, AT, AT + timedelta(seconds=60))
    assert verify([(name.lower(), value) for name, value in headers.items()]).keyid == "p-one"


def test_every_signature_has_its_own_nonce() -> None:
    """Two signatures of the same request differ in their nonce."""
    first, second = (
        verify(sign_request("POST", URL, BODY, key=KEY, keyid="p-one", clock=CLOCK)).nonce for _ in range(2)
    )

    assert first != second


def test_an_empty_body_has_a_digest() -> None:
    """A request without a body still covers its Content-Digest."""
    headers = sign_request("GET", URL, b"", key=KEY, keyid="p-one", clock=CLOCK)
    verify(headers, method="GET", body=b"")
    with pytest.raises(RequestSignatureInvalid):
        verify(headers, method="GET", body=b"x")


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"method": "post"},
        {"target_uri": URL + "1"},
        {"target_uri": URL.replace("https", "http")},
        {"target_uri": URL.replace("exchange.example", "other.example")},
        {"target_uri": URL.replace("%20", "+")},
        {"target_uri": "/grants"},
        {"body": BODY + b" "},
        {"body": b""},
        {"tag": "headwaters-v2"},
    ],
)
def test_another_request_is_refused(changes: dict[str, object]) -> None:
    """A signature holds for one method, one target, one body and one tag."""
    with pytest.raises(RequestSignatureInvalid):
        verify(signed(), **changes)


@pytest.mark.parametrize(("seconds", "holds"), [(-6, False), (-5, True), (0, True), (60, True), (61, False)])
def test_a_signature_lives_sixty_seconds(seconds: int, *, holds: bool) -> None:
    """A signature holds from five seconds before its making, for skew, to its expiry."""
    clock = FrozenClock(AT + timedelta(seconds=seconds))
    if holds:
        assert verify(signed(), clock=clock).nonce == NONCE
    else:
        with pytest.raises(RequestOutOfTime):
            verify(signed(), clock=clock)


@pytest.mark.parametrize("seconds", [61, 0, -1])
def test_a_life_is_bounded(seconds: int) -> None:
    """A signature that lives longer than 60 seconds, or not at all, is refused."""
    with pytest.raises(RequestOutOfTime):
        verify(custom(expires=AT + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: custom(key=STRANGER),
        lambda: custom(nonce=None),
        lambda: custom(nonce="short"),
        lambda: custom(nonce="not url safe nonce !"),
        lambda: custom(expires=None),
        lambda: custom(tag=None),
        lambda: custom(tag="other"),
        lambda: custom(covered=("@method", "content-digest")),
        lambda: custom(covered=("@target-uri", "content-digest")),
        lambda: custom(covered=("@method", "@target-uri", '"content-digest";sf')),
        lambda: custom(covered=(*COVERED, "@authority")),
        lambda: without(custom(), ";keyid=", ";"),
        lambda: without(custom(), ";created=", ";"),
        lambda: changed_input(custom(), ';nonce="', ';alg="rsa-v1_5-sha256";nonce="'),
        lambda: changed_input(custom(), ';nonce="', ';alg="ed25519";nonce="'),
        lambda: changed_input(custom(), ";created=", ';other="x";created='),
        lambda: changed_input(custom(), ";created=1795309323", ";created=1795309323.0"),
        lambda: changed_input(custom(), ";created=1795309323", ";created=1795309324"),
        lambda: signed(**{"Signature-Input": ""}),
        lambda: signed(Signature=""),
        lambda: signed(Signature="sig=:AAAA:"),
        lambda: signed(Signature="sig=AAAA"),
        lambda: signed(Signature="é"),
        lambda: signed(Signature="sig=:" + "A" * MAX_HEADER_CHARS + ":"),
        lambda: signed(**{"Content-Digest": "sha-256=:AAAA:"}),
        lambda: signed(**{"content-digest": "sha-256=:AAAA:"}),
        lambda: {name: text for name, text in signed().items() if name != "Content-Digest"},
        dict,
    ],
)
def test_other_signatures_are_refused(make: Callable[[], dict[str, str]]) -> None:
    """Another key, a part left out or added, another algorithm, loose syntax: each is refused."""
    with pytest.raises(RequestSignatureInvalid):
        verify(make())


def test_two_signatures_are_refused() -> None:
    """A request carries one signature: no second on the same line, on another, or under one label."""
    one, two = signed(), {name: value.replace("sig=", "two=", 1) for name, value in signed().items()}
    names = ("Signature-Input", "Signature")
    joined = {**one, **{name: f"{one[name]}, {two[name]}" for name in names}}
    for headers in (
        joined,
        [*one.items(), *((name, two[name]) for name in names)],
        [*one.items(), *((name, one[name]) for name in names)],
    ):
        with pytest.raises(RequestSignatureInvalid):
            verify(headers)


def test_an_unknown_key_is_the_resolver_s_matter() -> None:
    """The error of the caller's own look-up passes through; a bare KeyError becomes a refusal."""
    headers = sign_request("POST", URL, BODY, key=KEY, keyid="p-none", clock=CLOCK)
    with pytest.raises(NotFound):
        verify(headers)
    known: dict[str, PublicKey] = {}
    with pytest.raises(RequestSignatureInvalid):
        verify_request("POST", URL, headers, BODY, resolve=known.__getitem__, clock=CLOCK)


@pytest.mark.parametrize(("method", "url"), [("post", URL), ("POST", "/path"), ("POST", "https://省.cn/ ")])
def test_what_cannot_be_signed(method: str, url: str) -> None:
    """A relative target, raw Unicode and a lower-case method are refused at once."""
    with pytest.raises(RequestSignatureInvalid):
        sign_request(method, url, b"", key=KEY, keyid="p-one", clock=CLOCK)


@given(st.sampled_from(["Signature-Input", "Signature", "Content-Digest"]), st.text(max_size=60), st.data())
def test_no_header_crashes_the_verifier(name: str, piece: str, data: st.DataObject) -> None:
    """Whatever stands in a header, a request is refused, or accepted since nothing that counts changed."""
    good = signed()[name]
    at = data.draw(st.integers(0, len(good)))
    for value in (piece, good[:at] + piece + good[at:], good[:at] + piece + good[at + len(piece) :]):
        try:
            parts = verify(signed(**{name: value}))
        except (RequestSignatureInvalid, RequestOutOfTime, NotFound):
            continue
        assert (parts.keyid, parts.nonce) == ("p-one", NONCE)


def answer(request: httpx.Request) -> httpx.Response:
    """Verify as a server: from the request line, the header lines and the bytes that came."""
    url = f"{request.url.scheme}://{request.headers['host']}{request.url.raw_path.decode()}"
    lines = [(name.decode(), value.decode()) for name, value in request.headers.raw]
    parts = verify_request(request.method, url, lines, request.content, resolve=resolve, clock=CLOCK)
    if request.url.path == "/old":
        return httpx.Response(307, headers={"location": "/new"})
    return httpx.Response(200, text=parts.nonce)


CALLS: list[tuple[str, str, dict[str, object]]] = [
    ("GET", "https://exchange.example", {}),
    ("GET", "https://exchange.example:8443/a b", {"params": {"q": "空气 a+b&c"}}),
    ("POST", "http://127.0.0.1:8000/grants", {"json": {"名": 1}}),
    ("POST", "http://[::1]:8000/grants", {"content": b"\x00\xff"}),
    ("PUT", "https://exchange.example/x#fragment", {"content": iter([b"a", b"b"])}),
]


@pytest.mark.parametrize(("method", "url", "options"), CALLS)
def test_a_client_signs_what_it_sends(method: str, url: str, options: dict[str, object]) -> None:
    """Every request of an httpx client verifies as received, byte for byte."""
    signer = RequestSigner(KEY, "p-one", CLOCK)
    with httpx.Client(transport=httpx.MockTransport(answer), auth=signer) as client:
        response = client.request(method, url, **options)  # type: ignore[arg-type]  # by name

    assert response.status_code == 200


def test_a_redirect_carries_no_authority() -> None:
    """A signature made for one target is refused at the place it is redirected to."""
    signer = RequestSigner(KEY, "p-one", CLOCK)
    with (
        httpx.Client(transport=httpx.MockTransport(answer), auth=signer, follow_redirects=True) as client,
        pytest.raises(RequestSignatureInvalid),
    ):
        client.post("https://exchange.example/old", content=b"again")


def test_an_async_client_signs_too() -> None:
    """The same signer serves an async client."""

    async def call() -> int:
        signer = RequestSigner(KEY, "p-one", CLOCK)
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=signer) as client:
            return (await client.post(URL, json={"a": 1})).status_code

    assert asyncio.run(call()) == 200


def without(headers: dict[str, str], start: str, end: str) -> dict[str, str]:
    """Cut one parameter out of Signature-Input."""
    return changed_input(headers, re.escape(start) + "[^;]*" + end, end)


def changed_input(headers: dict[str, str], old: str, new: str) -> dict[str, str]:
    """Put another text into Signature-Input."""
    text = re.sub(old, new, headers["Signature-Input"], count=1)
    assert text != headers["Signature-Input"]
    return {**headers, "Signature-Input": text}
