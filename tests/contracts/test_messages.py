"""Wire shapes come back as they were sent, and refuse what is not agreed."""

import re
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from contracts.canonical import parse_canonical
from contracts.errors import Invalid
from contracts.identifiers import Kind, new_id
from contracts.messages import (
    BadMessage,
    ContractRef,
    Counts,
    Directory,
    Distribution,
    Grant,
    Manifest,
    PurposeBinding,
    Redact,
    Revocations,
    SourceNote,
    Statement,
    TransferRequest,
    Wire,
)

AT = datetime(2026, 11, 22, 8, 0, 0, 123_456, UTC)
DIGEST = "sha256:" + "ab" * 32


def manifest() -> Manifest:
    """Make a manifest."""
    return Manifest(
        dataset="air-dongsi",
        provider=new_id(Kind.PARTICIPANT),
        number=1,
        previous=None,
        contract=ContractRef(id="ambient-air-hourly", version="1.0.0", digest=DIGEST),
        distribution=Distribution(
            media_type="application/vnd.apache.parquet", sha256=DIGEST, chunk_root=DIGEST, size_bytes=3
        ),
        counts=Counts(read=2, published=1, quarantined=1),
        source=SourceNote(file_name="a.csv", sha256=DIGEST, place="Beijing", synthetic=False),
        at=AT,
    )


def grant() -> Grant:
    """Make a grant with both kinds of obligation."""
    return Grant(
        grant=new_id(Kind.GRANT),
        subscription=new_id(Kind.SUBSCRIPTION),
        seq=1,
        provider=new_id(Kind.PARTICIPANT),
        consumer=new_id(Kind.PARTICIPANT),
        consumer_key="ed25519:" + "A" * 43 + "=",
        dataset="air-dongsi",
        release=1,
        manifest=DIGEST,
        agreement=new_id(Kind.AGREEMENT),
        agreement_digest=DIGEST,
        record=DIGEST,
        purpose="air-quality",
        obligations=[Redact(fields=["contact_phone"]), PurposeBinding(purpose="air-quality")],
        policy=DIGEST,
        decision="c",
        salt="0" * 64,
        issued_at=AT,
        expires_at=AT + timedelta(minutes=5),
    )


def revocations() -> Revocations:
    """Make an empty revocation list."""
    return Revocations(
        number=0, issued_at=AT, expires_at=AT, participants=[], agreements=[], grants=[new_id(Kind.GRANT)]
    )


MADE: list[Wire] = [
    manifest(),
    grant(),
    revocations(),
    TransferRequest(subscription=new_id(Kind.SUBSCRIPTION), release=2),
]


@pytest.mark.parametrize("message", MADE, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_from_its_canonical_bytes(message: Wire) -> None:
    """Canonical bytes parse to an equal message with the same digest."""
    raw = message.canonical()
    again = type(message).parse(raw)

    assert again == message
    assert again.content_digest() == message.content_digest()
    assert parse_canonical(raw) == orjson.loads(raw)


@pytest.mark.parametrize("message", MADE, ids=lambda message: type(message).__name__)
def test_unknown_fields_are_refused(message: Wire) -> None:
    """A field that is not agreed refuses the whole message and is named by its place alone."""
    value = orjson.loads(message.canonical()) | {"extra": "secret-value"}

    with pytest.raises(BadMessage) as caught:
        type(message).parse(orjson.dumps(value))
    assert "/extra" in caught.value.detail
    assert "secret-value" not in caught.value.detail


def test_times_need_a_zone_and_travel_in_utc() -> None:
    """A naive time is refused; any zone travels as UTC with milliseconds."""
    value = orjson.loads(manifest().canonical())
    east = datetime(2026, 11, 22, 16, 0, 0, 123_456, timezone(timedelta(hours=8)))

    assert value["at"] == "2026-11-22T08:00:00.123Z"
    assert manifest().model_copy(update={"at": east}).canonical() != b""
    with pytest.raises(BadMessage):
        Manifest.parse(orjson.dumps(value | {"at": "2026-11-22T08:00:00.123"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 0),
        ("number", "1"),
        ("number", 1.0),
        ("provider", "p-x"),
        ("previous", "sha256:zz"),
        ("dataset", "A"),
    ],
)
def test_wrong_values_are_refused(field: str, value: object) -> None:
    """Numbers as text, wrong ids, wrong digests and wrong names are refused."""
    raw = orjson.dumps(orjson.loads(manifest().canonical()) | {field: value})

    with pytest.raises(Invalid):
        Manifest.parse(raw)


def test_payload_types_are_unique_and_versioned() -> None:
    """Each statement has a payload type of its own that ends with a version."""
    types = [kind.payload_type for kind in Statement.__subclasses__() if hasattr(kind, "payload_type")]

    assert len(types) == len(set(types)) >= 12
    assert all(re.fullmatch(r"application/vnd\.headwaters\.[a-z-]+\.v[1-9]\+json", kind) for kind in types)
    assert Directory.payload_type in types


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000])
def test_hostile_bytes_are_refused(raw: bytes) -> None:
    """Bytes that are no object of the shape are BadMessage, whatever they are."""
    with pytest.raises(BadMessage):
        Manifest.parse(raw)
