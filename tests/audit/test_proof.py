"""Proof files have one spelling, and prove one place."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.merkle import ProofInvalid, inclusion_path
from audit.formats.note import NoteSigner, format_note
from audit.formats.proof import ProofFileInvalid, TlogProof
from audit.keys.signing import SigningKey
from tests.audit.trees import numbered

TREE = numbered(300)
LOG = NoteSigner("audit.example/log", SigningKey.from_seed(b"\x01" * 32))
CHECKPOINT = Checkpoint("audit.example/log", 300, TREE.root(300))
NOTE = format_note(str(CHECKPOINT), [LOG.sign(str(CHECKPOINT))])
PROOF = TlogProof(7, tuple(inclusion_path(7, 300, TREE)), NOTE, b"unauthenticated")
RAW = PROOF.encode()


@given(st.integers(0, 299), st.none() | st.binary(min_size=1, max_size=100))
def test_round_trip(index: int, extra: bytes | None) -> None:
    """A proof reads back as it was written, and proves its leaf and no other."""
    proof = TlogProof(index, tuple(inclusion_path(index, 300, TREE)), NOTE, extra)
    proof.verify(TREE(0, index), CHECKPOINT)

    assert TlogProof.parse(proof.encode()) == proof
    with pytest.raises(ProofInvalid):
        proof.verify(TREE(0, (index + 1) % 300), CHECKPOINT)


def test_a_log_of_one_needs_no_path() -> None:
    """The only leaf of a log has an empty path, and its file still parses."""
    proof = TlogProof(0, (), NOTE)

    assert TlogProof.parse(proof.encode()) == proof


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        RAW.replace(b"@v1", b"@v2"),
        RAW.replace(b"index 7", b"index 07"),
        RAW.replace(b"index 7", b"index -7"),
        RAW.replace(b"index 7", b"index %d" % 2**63),
        RAW.replace(b"index 7\n", b""),
        RAW.replace(b"extra ", b"extra  "),
        RAW.replace(b"extra ", b"other "),
        RAW.replace(b"extra " + base64.b64encode(b"unauthenticated"), b"extra "),
        RAW.replace(b"index 7\n", b"index 7\r\n"),
        RAW.replace(b"index 7\n", b"index 7\n" + b"A" * 40 + b"\n"),
        RAW.replace(b"index 7\n", b"index 7\n" + b"A" * 42 + b"B=\n"),
        RAW.replace(b"index 7\n", b"index 7\n" + (b"A" * 43 + b"=\n") * 60),
        RAW.partition(b"\n\n")[0],
        RAW.partition(b"\n\n")[0] + b"\n\n",
        RAW + b"x" * 400_000,
    ],
)
def test_malformed_files(raw: bytes) -> None:
    """Any other spelling is refused."""
    with pytest.raises(ProofFileInvalid):
        TlogProof.parse(raw)


@given(st.binary(max_size=120), st.integers(0, len(RAW)))
def test_any_bytes_parse_or_are_refused(raw: bytes, at: int) -> None:
    """No bytes crash the parser, and what it accepts it writes the same."""
    for candidate in (raw, RAW[:at] + raw + RAW[at:]):
        try:
            proof = TlogProof.parse(candidate)
        except ProofFileInvalid:
            continue
        assert proof.encode() == candidate


def test_limits() -> None:
    """A path has hashes of 32 bytes, and extra is not empty."""
    for path, extra in (((b"short",), None), ((b"\x00" * 32,) * 64, None), ((), b"")):
        with pytest.raises(ProofFileInvalid):
            TlogProof(0, path, NOTE, extra)
