"""A fork file accuses a log that signed two histories, and can accuse no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.formats.checkpoint import Checkpoint
from audit.formats.cosignature import Cosigner
from audit.formats.merkle import MAX_PATH_HASHES, ProofInvalid, consistency_roots
from audit.formats.note import NoteSigner, format_note
from audit.keys.signing import SigningKey
from audit.proofs.equivocation import (
    MAX_FORK_BYTES,
    ForkProof,
    ForkUnproven,
    UnknownLog,
    fork_path,
    prove_fork,
    verify_fork,
)
from tests.audit.test_quorum import NOW
from tests.audit.trees import MemoryTree

ORIGIN = "audit.example/log"
LOG = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x01" * 32))
OTHER = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x02" * 32))
WITNESS = Cosigner("w1.example", SigningKey.from_seed(b"\x03" * 32))
KEY = LOG.verifier_key
TREE = MemoryTree([b"entry %d" % index for index in range(300)])
FORKED = MemoryTree([b"entry %d" % index if index != 2 else b"other" for index in range(300)])


def note(tree: MemoryTree, size: int, *, log: NoteSigner = LOG, origin: str = ORIGIN) -> bytes:
    text = str(Checkpoint(origin, size, tree.root(size)))
    return format_note(text, [log.sign(text), WITNESS.cosign(text, NOW)])


@given(st.integers(3, 300), st.integers(3, 300))
def test_two_histories_are_proven_at_any_two_sizes(size: int, other: int) -> None:
    """Whatever the two sizes, the file proves the fork and names its place."""
    old, new = min(size, other), max(size, other)
    path = fork_path(old, new, FORKED)

    raw = prove_fork(note(FORKED, new), note(TREE, old), KEY, path).encode()

    fork = verify_fork(raw, [OTHER.verifier_key, KEY])
    assert (fork.origin, fork.key, fork.size, fork.other_size) == (ORIGIN, KEY, old, new)
    assert {fork.root, fork.other_root} == {TREE.root(old), FORKED.root(old)}
    assert fork.digest == ForkProof.parse(raw).digest
    assert b"w1.example" not in raw


@given(st.integers(1, 300), st.integers(1, 300))
def test_one_history_proves_nothing(size: int, other: int) -> None:
    """An honest log cannot be accused with its own checkpoints and its own paths."""
    old, new = min(size, other), max(size, other)

    with pytest.raises(ForkUnproven):
        prove_fork(note(TREE, old), note(TREE, new), KEY, fork_path(old, new, TREE))


@given(st.integers(1, 299), st.data())
def test_an_honest_log_is_not_accused_with_a_made_up_path(old: int, data: st.DataObject) -> None:
    """Whatever hashes stand in the path, they do not lead to the larger root unless they are its own."""
    new = data.draw(st.integers(old + 1, 300))
    path = fork_path(old, new, TREE)
    at = data.draw(st.integers(0, len(path) - 1))
    path[at] = data.draw(st.binary(min_size=32, max_size=32).filter(lambda value: value != path[at]))

    with pytest.raises(ForkUnproven):
        prove_fork(note(TREE, old), note(TREE, new), KEY, path)


RAW = prove_fork(note(TREE, 7), note(FORKED, 300), KEY, fork_path(7, 300, FORKED)).encode()
EQUAL = prove_fork(note(TREE, 300), note(FORKED, 300), KEY).encode()
POWER = prove_fork(note(TREE, 256), note(FORKED, 300), KEY, fork_path(256, 300, FORKED)).encode()


@pytest.mark.parametrize("raw", [RAW, EQUAL, POWER], ids=["path", "equal", "power of two"])
def test_every_byte_counts(raw: bytes) -> None:
    """No byte of a fork file can be changed: each flip is refused."""
    for at in range(len(raw)):
        for bit in (0x01, 0x20, 0x80):
            flipped = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            with pytest.raises((ForkUnproven, UnknownLog)):
                verify_fork(flipped, [KEY])


HEAD, TEXT_A, LINES_A, TEXT_B, LINES_B = RAW.split(b"\n\n")
NOTE_A, NOTE_B = TEXT_A + b"\n\n" + LINES_A + b"\n", TEXT_B + b"\n\n" + LINES_B


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n" * 4,
        RAW.replace(b"@v1", b"@v2"),
        RAW + b"\n",
        RAW[:-1],
        HEAD + b"\n\n" + NOTE_B + b"\n" + NOTE_A,
        HEAD + b"\n\n" + NOTE_A + b"\n" + NOTE_A,
        HEAD + b"\n\n" + note(TREE, 7) + b"\n" + NOTE_B,
        HEAD.split(b"\n")[0] + b"\n\n" + NOTE_A + b"\n" + NOTE_B,
        HEAD + b"\n" + b"A" * 43 + b"=" + b"\n\n" + NOTE_A + b"\n" + NOTE_B,
        HEAD + b"\n" + (b"A" * 43 + b"=\n") * MAX_PATH_HASHES + b"\n" + NOTE_A + b"\n" + NOTE_B,
        HEAD + b"\n" + b"A" * 40 + b"\n\n" + NOTE_A + b"\n" + NOTE_B,
        HEAD + b"\r\n\n" + NOTE_A + b"\n" + NOTE_B,
        EQUAL.replace(EQUAL.split(b"\n\n")[0], HEAD, 1),
        b"\n\n".join(
            [EQUAL.split(b"\n\n")[0], *EQUAL.split(b"\n\n")[3:], b"\n\n".join(EQUAL.split(b"\n\n")[1:3])]
        ),
        RAW + b"x" * MAX_FORK_BYTES,
    ],
)
def test_there_is_one_spelling(raw: bytes) -> None:
    """A file that is not exactly one fork file is refused."""
    with pytest.raises(ForkUnproven):
        verify_fork(raw, [KEY])


def test_a_size_of_zero_accuses_nobody() -> None:
    """An empty log is the beginning of every history."""
    with pytest.raises(ForkUnproven):
        prove_fork(note(TREE, 0), note(FORKED, 300), KEY, fork_path(0, 300, FORKED))


def test_only_a_trusted_log_key_counts() -> None:
    """Another key of the same origin proves nothing, and a log that is not trusted is undecided."""
    with pytest.raises(ForkUnproven):
        verify_fork(RAW, [OTHER.verifier_key])
    with pytest.raises(UnknownLog):
        verify_fork(RAW, [NoteSigner("other.example", SigningKey.from_seed(b"\x01" * 32)).verifier_key])


def test_both_checkpoints_are_by_one_log_and_one_key() -> None:
    """Two keys, or two origins, are no double-dealing of one log."""
    forged = HEAD + b"\n\n" + NOTE_A + b"\n"
    text = TEXT_B.decode() + "\n"
    with pytest.raises(ForkUnproven):
        verify_fork(forged + format_note(text, [OTHER.sign(text)]), [KEY, OTHER.verifier_key])
    moved = NoteSigner("other.example", SigningKey.from_seed(b"\x01" * 32))
    text = text.replace(ORIGIN, "other.example")
    with pytest.raises(ForkUnproven):
        verify_fork(forged + format_note(text, [moved.sign(text)]), [KEY, moved.verifier_key])
    with pytest.raises(ForkUnproven):
        prove_fork(note(TREE, 7), note(FORKED, 7, log=OTHER), KEY)


def test_a_path_leads_to_both_roots() -> None:
    """The path gives the smaller and the larger root; a path of another shape is refused."""
    for old in (1, 2, 3, 7, 8, 255, 256, 299):
        path = fork_path(old, 300, TREE)

        assert consistency_roots(old, 300, path) == (TREE.root(old), TREE.root(300))
        for bad in (path[:-1], [*path, path[0]], []):
            with pytest.raises(ProofInvalid):
                consistency_roots(old, 300, bad)
