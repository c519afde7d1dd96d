"""An excerpt proves its own chunks of the transferred data, and nothing that was changed passes for it."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.commitment import CHUNK_BYTES
from audit.proofs.doubts import DATA_NOT_SHOWN
from audit.proofs.excerpt import (
    MAGIC,
    REST_NOT_SHOWN,
    ExcerptInvalid,
    ExcerptNotProven,
    ExcerptVerdict,
    Header,
    OutsideData,
    Run,
    verify_excerpt,
    write_excerpt,
)
from audit.proofs.verify import verify_transfer
from contracts.errors import HeadwatersError
from tests.audit.logs import NOW
from tests.audit.transfer_evidence import DATA, evidence, trust


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the proof of one sound transfer of DATA, three chunks long."""
    return evidence(tmp_path_factory.mktemp("transfer")).proof()


def cut(proof: bytes, *ranges: tuple[int, int], data: bytes = DATA) -> bytes:
    """Cut an excerpt."""
    out = io.BytesIO()
    verdict = verify_transfer(proof, None, trust(), now=NOW)
    write_excerpt(out, io.BytesIO(data), proof, verdict, ranges)
    return out.getvalue()


def judge(part: bytes) -> tuple[ExcerptVerdict, bytes]:
    """Verify an excerpt and give what it holds, at its place, between zeros."""
    held = bytearray(len(DATA))

    def keep(at: int, piece: bytes) -> None:
        held[at : at + len(piece)] = piece

    return verify_excerpt(io.BytesIO(part), trust(), now=NOW, keep=keep), bytes(held)


def parts(part: bytes) -> tuple[Header, bytes]:
    """Take an excerpt apart: its header, and everything after it."""
    line, _, rest = part.removeprefix(MAGIC).partition(b"\n")
    return Header.parse(line), rest


def with_header(part: bytes, **changes: object) -> bytes:
    """Exchange fields of the header."""
    header, rest = parts(part)
    return MAGIC + header.model_copy(update=changes).canonical() + b"\n" + rest


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ([(0, 1)], ((0, CHUNK_BYTES),)),
        ([(CHUNK_BYTES - 1, CHUNK_BYTES + 1)], ((0, 2 * CHUNK_BYTES),)),
        ([(len(DATA) - 1, len(DATA))], ((2 * CHUNK_BYTES, len(DATA)),)),
        ([(0, 4), (len(DATA) - 9, len(DATA))], ((0, CHUNK_BYTES), (2 * CHUNK_BYTES, len(DATA)))),
        ([(0, len(DATA))], ((0, len(DATA)),)),
    ],
)
def test_the_chunks_that_cover_the_range_are_proven(
    proof: bytes, wanted: Sequence[tuple[int, int]], held: tuple[tuple[int, int], ...]
) -> None:
    """The verdict names the bytes that the excerpt holds, and they are those of the data."""
    verdict, shown = judge(cut(proof, *wanted))

    assert verdict.ranges == held
    assert all(shown[start:end] == DATA[start:end] for start, end in held)


def test_what_is_left_out_is_said(proof: bytes) -> None:
    """An excerpt does not claim the rest of the data; one of all the data leaves nothing out."""
    part, _ = judge(cut(proof, (0, 1)))
    whole, _ = judge(cut(proof, (0, len(DATA))))

    assert REST_NOT_SHOWN in part.not_proven
    assert not {REST_NOT_SHOWN, DATA_NOT_SHOWN} & set(whole.not_proven)


def test_no_byte_of_an_excerpt_can_change(proof: bytes) -> None:
    """A flip anywhere, in the header, the proof or the chunks, is refused."""
    part = cut(proof, (CHUNK_BYTES, CHUNK_BYTES + 1))
    head = len(part) - CHUNK_BYTES
    for place in (*range(0, head, 17), *range(head, len(part), 1301)):
        bent = bytearray(part)
        bent[place] ^= 1 << place % 8
        with pytest.raises(HeadwatersError):
            judge(bytes(bent))


def test_a_longer_or_shorter_file_is_refused(proof: bytes) -> None:
    """Bytes after the chunks, and chunks that end early, make it another file."""
    part = cut(proof, (0, 1))

    with pytest.raises(ExcerptInvalid):
        judge(part + b"\0")
    with pytest.raises(ExcerptNotProven):
        judge(part[:-1])


def test_a_chunk_cannot_pass_for_another(proof: bytes) -> None:
    """The place of a chunk is part of what is proven."""
    part = cut(proof, (0, 1))

    with pytest.raises(HeadwatersError):
        judge(with_header(part, runs=[Run(first=1, count=1)]))


@pytest.mark.parametrize(
    "runs",
    [
        [Run(first=1, count=1), Run(first=0, count=1)],
        [Run(first=0, count=1), Run(first=1, count=1)],
        [Run(first=0, count=2), Run(first=1, count=1)],
        [Run(first=0, count=2**50)],
        [Run(first=3, count=1)],
    ],
)
def test_runs_have_one_spelling_and_lie_inside_the_data(proof: bytes, runs: list[Run]) -> None:
    """Runs that touch, overlap or are out of order, and chunks that are not there, are refused."""
    with pytest.raises((ExcerptInvalid, ExcerptNotProven)):
        judge(with_header(cut(proof, (0, 2 * CHUNK_BYTES)), runs=runs))


def test_claimed_chunks_cost_nothing_before_they_are_shown(
    proof: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parties may sign any size; a file is refused where its bytes end, whatever its header claims."""
    huge = replace(verify_transfer(proof, None, trust(), now=NOW), size_bytes=2**53)
    monkeypatch.setattr("audit.proofs.excerpt.verify_transfer", lambda *_args, **_named: huge)

    with pytest.raises(ExcerptNotProven):
        judge(with_header(cut(proof, (0, 1)), runs=[Run(first=0, count=2**37)]))


def test_the_header_has_one_spelling(proof: bytes) -> None:
    """A space more in the header is another file."""
    part = cut(proof, (0, 1))

    with pytest.raises(ExcerptInvalid):
        judge(part.replace(b'"proof_bytes":', b'"proof_bytes": ', 1))
    with pytest.raises(ExcerptInvalid):
        judge(b"headwaters-excerpt/v2\n" + part.removeprefix(MAGIC))


def test_an_excerpt_is_cut_from_the_very_data_only(proof: bytes) -> None:
    """Whoever cuts learns at once that the file at hand is another one, or shorter than the range."""
    with pytest.raises(ExcerptNotProven):
        cut(proof, (0, 1), data=DATA[:-1] + b"?")
    for wanted in [(0, 0), (5, 4), (0, len(DATA) + 1)]:
        with pytest.raises(OutsideData):
            cut(proof, wanted)


def test_an_excerpt_of_a_large_file_is_small(proof: bytes, tmp_path: Path) -> None:
    """One chunk travels with its proof and the hashes beside it, not with the data."""
    part = cut(proof, (0, 1))

    assert len(part) < len(proof) + CHUNK_BYTES + 500
