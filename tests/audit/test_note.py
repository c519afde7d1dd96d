"""Signed notes: one spelling, known keys that must hold, unknown keys that count for nothing."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.cosignature import Cosigner
from audit.formats.merkle import EMPTY_ROOT
from audit.formats.note import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteInvalid,
    NoteSigner,
    VerifierKey,
    VerifierKeyInvalid,
    format_note,
    parse_note,
)
from audit.keys.signing import SigningKey

# The example of Go's golang.org/x/mod/sumdb/note documentation.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
).encode()

ONE = NoteSigner("one.example/log", SigningKey.from_seed(b"\x01" * 32))
TWO = NoteSigner("two.example/log", SigningKey.from_seed(b"\x02" * 32))
WITNESS = Cosigner("three.example/w", SigningKey.from_seed(b"\x03" * 32))
TEXT = f"one.example/log\n0\n{base64.b64encode(EMPTY_ROOT).decode()}\n"
AT = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_example_of_go() -> None:
    """The published note of Go's package verifies under its published key."""
    key = VerifierKey.parse(GO_VKEY)
    ((signer, _),) = parse_note(GO_NOTE).verified([key])

    assert signer == key
    assert str(key) == GO_VKEY


def test_known_keys_are_returned_in_order() -> None:
    """Of three lines, the known two are verified and the stranger is ignored."""
    raw = format_note(TEXT, [WITNESS.cosign(TEXT, AT), TWO.sign(TEXT), ONE.sign(TEXT)])
    found = parse_note(raw).verified([ONE.verifier_key, WITNESS.verifier_key])

    assert [key for key, _ in found] == [WITNESS.verifier_key, ONE.verifier_key]


def test_no_known_key_is_no_evidence() -> None:
    """A note by strangers verifies to nothing."""
    assert parse_note(format_note(TEXT, [TWO.sign(TEXT)])).verified([ONE.verifier_key]) == ()


@pytest.mark.parametrize("line", [ONE.sign(TEXT), WITNESS.cosign(TEXT, AT)])
def test_a_known_key_that_fails_condemns_the_note(line: str) -> None:
    """One failing signature of a known key makes the note invalid, whatever else holds."""
    other = TEXT.replace("\n0\n", "\n1\n")
    raw = format_note(other, [line, TWO.sign(other)])
    with pytest.raises(NoteInvalid, match="does not hold"):
        parse_note(raw).verified([ONE.verifier_key, TWO.verifier_key, WITNESS.verifier_key])


def test_a_cosignature_binds_its_time() -> None:
    """Changing the timestamp breaks the cosignature."""
    signature = parse_note(format_note(TEXT, [WITNESS.cosign(TEXT, AT)])).signatures[0]
    later = (int.from_bytes(signature.raw[:8]) + 1).to_bytes(8) + signature.raw[8:]
    changed = Note(TEXT, (type(signature)(signature.name, signature.key_id, later),))
    with pytest.raises(NoteInvalid):
        changed.verified([WITNESS.verifier_key])


def test_one_key_signs_once() -> None:
    """Two lines of one known key are refused."""
    raw = format_note(TEXT, [WITNESS.cosign(TEXT, AT), WITNESS.cosign(TEXT, AT)])
    with pytest.raises(NoteInvalid, match="twice"):
        parse_note(raw).verified([WITNESS.verifier_key])


GOOD = format_note(TEXT, [ONE.sign(TEXT)])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        TEXT.encode(),
        GOOD[:-1],
        GOOD + b"\n",
        GOOD.replace(b"\n0\n", b"\n0\t\n"),
        GOOD.replace(b"\n0\n", b"\n0\r\n"),
        GOOD.replace("— ".encode(), b"- "),
        GOOD.replace("— one.example/log ".encode(), "—  one.example/log ".encode()),
        GOOD.replace("— one.example/log".encode(), "— one+example/log".encode()),
        GOOD.replace("— one.example/log".encode(), "— one\u00a0example".encode()),
        GOOD.replace("— one.example/log".encode(), "— ".encode()),
        GOOD.replace(b"=\n", b"\n") if GOOD.endswith(b"=\n") else GOOD[:-2] + b"*\n",
        GOOD + "— x AAAA\n".encode(),
        GOOD + b"\xff\n",
        TEXT.encode() + b"\n" + ONE.sign(TEXT).encode() * (MAX_SIGNATURES + 1),
        b"a" * MAX_NOTE_BYTES + GOOD,
    ],
)
def test_malformed_notes_are_refused(raw: bytes) -> None:
    """A note has one spelling."""
    with pytest.raises(NoteInvalid):
        parse_note(raw)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_never_verifies(at: int, change: int) -> None:
    """Whatever byte is changed, the note does not parse, does not hold, or has no known signer."""
    raw = GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :]
    try:
        found = parse_note(raw).verified([ONE.verifier_key])
    except NoteInvalid:
        return

    assert found == ()


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    """No bytes crash the parser, and what it accepts it writes the same."""
    for candidate in (raw, GOOD + raw, TEXT.encode() + b"\n" + raw):
        try:
            note = parse_note(candidate)
        except NoteInvalid:
            continue
        assert note.encode() == candidate


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        GO_VKEY.replace("c74f20a3", "c74f20a4"),
        GO_VKEY.replace("c74f20a3", "C74F20A3"),
        GO_VKEY.replace("+ARpc", "+AhpC"),
        GO_VKEY.replace("PeterNeumann", "Peter Neumann"),
        GO_VKEY + "=",
        GO_VKEY[:-4],
        GO_VKEY[:-3],
        GO_VKEY + "\n",
        "x" * 600 + GO_VKEY,
    ],
)
def test_malformed_verifier_keys_are_refused(vkey: str) -> None:
    """A verifier key has one spelling, and its id belongs to it."""
    with pytest.raises(VerifierKeyInvalid):
        VerifierKey.parse(vkey)


def test_roles_do_not_mix() -> None:
    """The same private key has another id as a cosigner than as a log."""
    key = SigningKey.from_seed(b"\x01" * 32)

    assert NoteSigner("x", key).verifier_key.key_id != Cosigner("x", key).verifier_key.key_id


def test_nothing_unsigned_is_written() -> None:
    """A note without a signature, or whose text does not end with LF, is not made."""
    with pytest.raises(NoteInvalid):
        format_note(TEXT, [])
    with pytest.raises(NoteInvalid):
        ONE.sign("no line feed")
