"""The witness: what it cosigns, what it refuses, with which answer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint, CheckpointInvalid
from audit.formats.cosignature import (
    AddCheckpointInvalid,
    Cosignature,
    CosignatureInvalid,
    Cosigner,
    Finding,
    Verdict,
    WitnessState,
    format_add_checkpoint,
    judge,
    parse_add_checkpoint,
)
from audit.formats.merkle import EMPTY_ROOT, consistency_path
from audit.formats.note import NoteSignature, NoteSigner, format_note, parse_note
from audit.keys.signing import SigningKey
from tests.audit.trees import MemoryTree, numbered

ORIGIN = "audit.example/log"
LOG = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x01" * 32))
MALLORY = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x09" * 32))
WITNESS = Cosigner("w.example/1", SigningKey.from_seed(b"\x02" * 32))
AT = datetime(2026, 11, 22, 1, 2, 3, 999_000, tzinfo=UTC)
TREE = numbered(300)
FORK = MemoryTree([b"other %d" % index for index in range(300)])


def body(
    old: int, size: int, *, tree: MemoryTree = TREE, signer: NoteSigner = LOG, root: bytes = b""
) -> bytes:
    """Write the request that an honest log of ``tree`` would send; ``root`` lies."""
    text = str(Checkpoint(signer.name, size, root or tree.root(size)))
    proof = consistency_path(old, size, tree) if old <= size else []
    return format_add_checkpoint(old, proof, format_note(text, [signer.sign(text)]))


def decide(last: int | None, raw: bytes) -> Verdict:
    """Judge as a witness that last cosigned ``last`` entries of TREE."""
    state = None if last is None else WitnessState(last, TREE.root(last))
    return judge(state, parse_add_checkpoint(raw), LOG.verifier_key)


@pytest.mark.parametrize(
    ("last", "old", "size"), [(None, 0, 300), (7, 7, 300), (300, 300, 300), (None, 0, 0)]
)
def test_growth_is_cosigned(last: int | None, old: int, size: int) -> None:
    """A consistent tree, larger or the same, is cosigned, and its state is to be stored first."""
    expected = Verdict(200, Finding.COSIGN, WitnessState(size, TREE.root(size)))

    assert decide(last, body(old, size)) == expected


@pytest.mark.parametrize(
    ("last", "raw", "status", "finding"),
    [
        (None, body(7, 5), 400, Finding.OLD_ABOVE_NEW),
        (None, body(0, 300, signer=MALLORY), 403, Finding.NOT_SIGNED_BY_LOG),
        (
            None,
            body(0, 300, signer=NoteSigner("other.example/log", SigningKey.generate())),
            404,
            Finding.UNKNOWN_ORIGIN,
        ),
        (8, body(7, 300), 409, Finding.OLD_IS_NOT_LAST),
        (None, body(7, 300), 409, Finding.OLD_IS_NOT_LAST),
        (None, body(0, 0, root=b"\x07" * 32), 422, Finding.EMPTY_ROOT_WRONG),
        (300, body(300, 300, tree=FORK), 422, Finding.FORK),
        (7, body(7, 300, tree=FORK), 422, Finding.INCONSISTENT),
        (7, body(7, 300).replace(b"\n", b"\n" + b"A" * 43 + b"=\n", 1), 422, Finding.INCONSISTENT),
        (None, body(0, 300).replace(b"\n", b"\n" + b"A" * 43 + b"=\n", 1), 422, Finding.INCONSISTENT),
        (300, body(300, 300).replace(b"\n", b"\n" + b"A" * 43 + b"=\n", 1), 422, Finding.INCONSISTENT),
    ],
)
def test_the_table_of_refusals(last: int | None, raw: bytes, status: int, finding: Finding) -> None:
    """Each row of tlog-witness's table has its status, and stores nothing."""
    verdict = decide(last, raw)

    assert (verdict.status, verdict.finding, verdict.state) == (status, finding, None)


def test_a_conflict_names_the_last_size() -> None:
    """A 409 carries the size to start from, as text/x.tlog.size."""
    assert decide(8, body(7, 300)).body == b"8\n"
    assert decide(None, body(7, 300)).body == b"0\n"


def test_an_unknown_origin_has_no_key() -> None:
    """Without a key for the origin the answer is 404."""
    assert judge(None, parse_add_checkpoint(body(0, 300)), None).status == 404


def test_a_known_key_that_fails_is_not_signed() -> None:
    """A log signature over another text is answered with 403."""
    raw = body(0, 300).replace(b"\n300\n", b"\n299\n")

    assert decide(None, raw).status == 403


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_the_state_never_goes_back(last: int, old: int, size: int) -> None:
    """Whatever is asked of it, a witness only ever cosigns a tree that extends its last."""
    verdict = decide(last, body(old, size))

    assert (verdict.status == 200) == (old == last <= size)
    assert verdict.state is None or verdict.state.size >= last


GOOD = body(7, 300)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        GOOD.replace(b"old 7", b"old 07"),
        GOOD.replace(b"old 7", b"old -7"),
        GOOD.replace(b"old 7", b"Old 7"),
        GOOD.replace(b"old 7", b"old 7 "),
        GOOD.replace(b"old 7", b"old %d" % 2**63),
        GOOD.replace(b"\n", b"\n" + b"A" * 44 + b"\n", 1),
        GOOD.replace(b"\n", b"\n" + b"A" * 42 + b"B=\n", 1),
        GOOD.replace(b"\n", b"\n" + (b"A" * 43 + b"=\n") * 60, 1),
        GOOD.replace(b"\n\n", b"\n", 1),
        GOOD[:-1],
        GOOD.replace(b"\n300\n", b"\n0300\n"),
        GOOD + b"x" * 200_000,
    ],
)
def test_malformed_requests(raw: bytes) -> None:
    """A request has one spelling, at most 63 hashes, and a limited size."""
    with pytest.raises(AddCheckpointInvalid):
        parse_add_checkpoint(raw)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_change_parses_or_is_refused(at: int, value: int) -> None:
    """No bytes crash the parser or the judge, and a changed request is cosigned only when nothing changed."""
    raw = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    try:
        verdict = decide(7, raw)
    except AddCheckpointInvalid:
        return

    assert (verdict.status == 200) == (raw == GOOD)


def test_a_request_reads_back() -> None:
    """A request's parts are those that were written."""
    request = parse_add_checkpoint(GOOD)

    assert request.old_size == 7
    assert list(request.proof) == consistency_path(7, 300, TREE)
    assert request.checkpoint == Checkpoint(ORIGIN, 300, TREE.root(300))


def test_a_cosignature_tells_name_and_time() -> None:
    """A cosignature carries whole seconds, rounded down."""
    text = str(Checkpoint(ORIGIN, 0, EMPTY_ROOT))
    note = parse_note(format_note(text, [WITNESS.cosign(text, AT)]))
    cosignature = Cosignature.read(note.signatures[0])

    assert cosignature.name == "w.example/1"
    assert cosignature.at == AT.replace(microsecond=0)


def test_only_checkpoints_are_cosigned() -> None:
    """A witness's pen does not sign other text."""
    with pytest.raises(CheckpointInvalid):
        WITNESS.cosign("anything\n", AT)


@pytest.mark.parametrize("raw", [b"", b"x" * 71, b"x" * 73, b"\xff" * 72])
def test_malformed_cosignatures(raw: bytes) -> None:
    """A cosignature has 72 bytes and a time within 63 bits."""
    with pytest.raises(CosignatureInvalid):
        Cosignature.read(NoteSignature("w", b"abcd", raw))


def test_a_time_beyond_the_calendar() -> None:
    """A time that no calendar holds is refused when it is asked for."""
    cosignature = Cosignature.read(NoteSignature("w", b"abcd", (2**62).to_bytes(8) + b"x" * 64))
    with pytest.raises(CosignatureInvalid):
        _ = cosignature.at
