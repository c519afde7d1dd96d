"""DSSE envelopes: what is signed, by whom, and the one spelling of it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.dsse import (
    MAX_ENVELOPE_BYTES,
    Envelope,
    EnvelopeInvalid,
    EnvelopeTooLarge,
    pae,
    parse_envelope,
    sign,
)
from audit.keys.signing import SignatureInvalid, SigningKey
from contracts.canonical import NotCanonical, canonical_bytes

TYPE = "application/vnd.headwaters.grant.v1+json"
ONE, TWO, THREE = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
KEYS = {key.key_id: key.public for key in (ONE, TWO)}
ENVELOPE = sign(TYPE, b'{"a":1}', [ONE, TWO])


def test_pae_of_the_specification() -> None:
    """The example of the DSSE protocol page encodes as published."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_signed_by_those_required() -> None:
    """Both required signatures hold, and the payload comes back under its type."""
    parsed = parse_envelope(ENVELOPE.encode())

    assert parsed == ENVELOPE
    assert parsed.verified_by(KEYS, KEYS.keys()) == KEYS.keys()
    assert parsed.payload_as(TYPE) == b'{"a":1}'


def test_a_missing_signature_is_refused() -> None:
    """An envelope lacking a required signature is refused and says whose; requiring nobody is refused too."""
    envelope = sign(TYPE, b"{}", [ONE, THREE])
    with pytest.raises(SignatureInvalid) as caught:
        envelope.verified_by(KEYS, {ONE.key_id, TWO.key_id})
    with pytest.raises(SignatureInvalid):
        envelope.verified_by(KEYS, set())

    assert caught.value.facts["missing"] == [TWO.key_id]


def test_an_unknown_key_counts_for_nothing() -> None:
    """A required key that the caller does not hold cannot have signed."""
    with pytest.raises(SignatureInvalid):
        sign(TYPE, b"{}", [THREE]).verified_by(KEYS, {THREE.key_id})


def test_a_known_key_that_fails_condemns_the_envelope() -> None:
    """A failing signature of a known key is refused even when it was not required."""
    bad = Envelope(TYPE, b"{}", (*sign(TYPE, b"{}", [ONE]).signatures, (TWO.key_id, b"x" * 64)))
    with pytest.raises(SignatureInvalid):
        bad.verified_by(KEYS, {ONE.key_id})


def test_type_and_payload_are_bound() -> None:
    """The same signatures under another type or payload do not hold, and another type is not handed out."""
    for changed in (
        Envelope(TYPE.replace("grant", "receipt"), ENVELOPE.payload, ENVELOPE.signatures),
        Envelope(TYPE, b'{"a":2}', ENVELOPE.signatures),
    ):
        with pytest.raises(SignatureInvalid):
            changed.verified_by(KEYS, {ONE.key_id})
    with pytest.raises(EnvelopeInvalid):
        ENVELOPE.payload_as("application/vnd.headwaters.receipt.v1+json")


def variant(**changes: Any) -> bytes:
    """Write the good envelope with other fields."""
    return canonical_bytes({**json.loads(ENVELOPE.encode()), **changes})


LINE = {"keyid": "k", "sig": "AAAA"}


@pytest.mark.parametrize(
    "raw",
    [
        variant(extra=1),
        variant(payload=1),
        variant(payload="e30"),
        variant(payload="e31="),
        variant(payload="e30=\n"),
        variant(payload="é"),
        variant(payloadType=""),
        variant(payloadType=None),
        variant(payloadType="x" * 201),
        variant(signatures=[]),
        variant(signatures={}),
        variant(signatures="x"),
        variant(signatures=[1]),
        variant(signatures=[LINE, LINE]),
        variant(signatures=[{**LINE, "cert": "x"}]),
        variant(signatures=[{"keyid": "k"}]),
        variant(signatures=[{**LINE, "keyid": ""}]),
        variant(signatures=[{**LINE, "keyid": f"k{n}"} for n in range(17)]),
        b"[]",
        b"null",
    ],
)
def test_malformed_envelopes(raw: bytes) -> None:
    """Unknown or missing fields, other types, loose base64 and a key that signs twice are refused."""
    with pytest.raises(EnvelopeInvalid):
        parse_envelope(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b" " + ENVELOPE.encode(),
        ENVELOPE.encode() + b"\n",
        ENVELOPE.encode().replace(b'"payload":', b'"payload": '),
        ENVELOPE.encode().replace(b'{"payload":', b'{"payload":"e30=","payload":', 1),
        ENVELOPE.encode().replace(b"payloadType", b"payload\\u0054ype"),
    ],
)
def test_another_spelling_is_refused(raw: bytes) -> None:
    """An envelope has one spelling: no spaces, no second field of one name, no escapes."""
    with pytest.raises(NotCanonical):
        parse_envelope(raw)


def test_the_size_is_limited() -> None:
    """An envelope beyond the limit is refused before it is read."""
    with pytest.raises(EnvelopeTooLarge):
        parse_envelope(b"x" * (MAX_ENVELOPE_BYTES + 1))


@given(st.binary(max_size=100), st.integers(0, 400))
def test_any_bytes_parse_or_are_refused(piece: bytes, at: int) -> None:
    """No bytes crash the parser, and what it accepts it writes the same."""
    good = ENVELOPE.encode()
    for raw in (piece, good[:at] + piece + good[at + len(piece) :]):
        try:
            envelope = parse_envelope(raw)
        except (EnvelopeInvalid, NotCanonical):
            continue
        assert envelope.encode() == raw


@given(st.binary(max_size=300))
def test_round_trip(payload: bytes) -> None:
    """Any payload comes back byte for byte."""
    envelope = parse_envelope(sign(TYPE, payload, [ONE]).encode())
    envelope.verified_by(KEYS, {ONE.key_id})

    assert envelope.payload == payload
    assert json.loads(envelope.encode())["payload"] == base64.b64encode(payload).decode()
