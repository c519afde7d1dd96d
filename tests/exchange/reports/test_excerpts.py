"""Disputed rows or bytes are cut out of received data, and come out of the excerpt as they went in."""

import io
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from audit.commitment import CHUNK_BYTES
from audit.proofs.excerpt import ExcerptNotProven, OutsideData, write_excerpt
from audit.proofs.parquet_footer import NoParquet
from audit.proofs.verify import verify_transfer
from contracts.errors import Usage
from exchange.reports.excerpts import FileThere, NothingToWrite, Wanted, cut, judge, parse_wanted
from tests.audit.logs import NOW
from tests.audit.transfer_evidence import Statements, content, evidence, statements, trust

ROWS, GROUP_ROWS = 100_000, 5_000
TABLE = pl.DataFrame({"id": range(ROWS), "value": [number * 7919 % 100_003 * 0.37 for number in range(ROWS)]})


def parquet() -> bytes:
    """Write the table in several row groups, some chunks long."""
    out = io.BytesIO()
    TABLE.write_parquet(out, compression="zstd", row_group_size=GROUP_ROWS)
    return out.getvalue()


DATA = parquet()


def told() -> Statements:
    """Give the statements of a transfer of the table."""
    view, plain = content(DATA), statements()
    changes = {
        "view_sha256": view.sha256,
        "view_chunk_root": view.chunk_root,
        "view_size_bytes": view.size_bytes,
        "view_rows": ROWS,
    }
    given, taken = (one.model_copy(update=changes) for one in (plain.given, plain.taken))
    return replace(plain, given=given, taken=taken)


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Give the received data and its proof."""
    folder = tmp_path_factory.mktemp("received")
    data, proof = folder / "air.parquet", folder / "air.hwproof"
    data.write_bytes(DATA)
    proof.write_bytes(evidence(folder, told()).proof())
    return data, proof


@pytest.mark.parametrize(("first", "last"), [(1, 1), (5_000, 5_001), (99_999, 100_000)])
def test_rows_come_out_as_they_went_in(
    received: tuple[Path, Path], tmp_path: Path, first: int, last: int
) -> None:
    """The row groups that hold the rows are proven and written; the rest of the file stays away."""
    made = cut(*received, Wanted(first, last, rows=True), tmp_path / "p", trust=trust(), now=NOW)
    _, held = judge(tmp_path / "p", tmp_path / "rows.csv", trust=trust(), now=NOW)
    shown = pl.read_csv(tmp_path / "rows.csv")
    rows = TABLE.filter(pl.col("id").is_between(first - 1, last - 1))

    assert any(group[0] <= first <= group[1] for group in held["rows_held"])
    assert made["rows"] == [group for group in held["rows_held"] if group in made["rows"]]
    assert rows.equals(shown.filter(pl.col("id").is_between(first - 1, last - 1)))
    assert (tmp_path / "p").stat().st_size < len(DATA)


def test_rows_are_written_as_parquet_by_default(received: tuple[Path, Path], tmp_path: Path) -> None:
    """The rows that are held are a Parquet file of their own, readable by their owner only."""
    cut(*received, Wanted(6_000, 6_000, rows=True), tmp_path / "p", trust=trust(), now=NOW)
    judge(tmp_path / "p", tmp_path / "rows", trust=trust(), now=NOW)

    assert 6_000 - 1 in pl.read_parquet(tmp_path / "rows")["id"]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("p", "rows")} == {0o600}


def test_bytes_come_out_as_they_went_in(received: tuple[Path, Path], tmp_path: Path) -> None:
    """A range of bytes is proven by its chunks, and written as those chunks."""
    place = CHUNK_BYTES + 100
    cut(*received, Wanted(place, place, rows=False), tmp_path / "p", trust=trust(), now=NOW)
    _, held = judge(tmp_path / "p", tmp_path / "bytes", trust=trust(), now=NOW)

    assert held["bytes"] == [[CHUNK_BYTES, 2 * CHUNK_BYTES - 1]]
    assert held["rows_held"] is None
    assert (tmp_path / "bytes").read_bytes() == DATA[CHUNK_BYTES : 2 * CHUNK_BYTES]


def test_nothing_is_overwritten_and_nothing_half_made_stays(
    received: tuple[Path, Path], tmp_path: Path
) -> None:
    """A name that is taken is refused, and a failed cut leaves no file."""
    taken = tmp_path / "taken"
    taken.write_bytes(b"mine")
    other = tmp_path / "other"
    other.write_bytes(DATA[:-1] + b"?")
    with pytest.raises(FileThere):
        cut(*received, Wanted(0, 0, rows=False), taken, trust=trust(), now=NOW)
    with pytest.raises(ExcerptNotProven):
        cut(other, received[1], Wanted(0, 0, rows=False), tmp_path / "p", trust=trust(), now=NOW)

    assert taken.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "taken"]


def test_a_changed_excerpt_writes_nothing(received: tuple[Path, Path], tmp_path: Path) -> None:
    """What is not proven is not written."""
    cut(*received, Wanted(0, 0, rows=False), tmp_path / "p", trust=trust(), now=NOW)
    raw = bytearray((tmp_path / "p").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "p").write_bytes(raw)
    with pytest.raises(ExcerptNotProven):
        judge(tmp_path / "p", tmp_path / "out", trust=trust(), now=NOW)

    assert not (tmp_path / "out").exists()


def test_pieces_without_whole_rows_are_no_file(received: tuple[Path, Path], tmp_path: Path) -> None:
    """Rows that end where the footer does not follow cannot be written as one file."""
    proof = received[1].read_bytes()
    verdict = verify_transfer(proof, None, trust(), now=NOW)
    with (tmp_path / "p").open("wb") as out, received[0].open("rb") as data:
        write_excerpt(out, data, proof, verdict, [(0, 1), (2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1)])

    with pytest.raises(NothingToWrite):
        judge(tmp_path / "p", tmp_path / "out", trust=trust(), now=NOW)


@pytest.mark.parametrize("rows", [(0, 1), (1, ROWS + 1)])
def test_rows_that_are_not_there_are_refused(
    received: tuple[Path, Path], tmp_path: Path, rows: tuple[int, int]
) -> None:
    """Rows count from 1, and the file says how many there are."""
    with pytest.raises(OutsideData):
        cut(*received, Wanted(*rows, rows=True), tmp_path / "p", trust=trust(), now=NOW)


def test_rows_of_something_else_are_refused(tmp_path: Path) -> None:
    """Rows are cut from Parquet; a text file has bytes."""
    data, proof = tmp_path / "a.csv", tmp_path / "a.hwproof"
    proof.write_bytes(evidence(tmp_path).proof())
    data.write_bytes(b"station,pm25\nA,35\n" * 10_000)

    with pytest.raises(NoParquet):
        cut(data, proof, Wanted(1, 1, rows=True), tmp_path / "p", trust=trust(), now=NOW)
    with pytest.raises(OutsideData):
        cut(data, proof, Wanted(180_000, 180_000, rows=False), tmp_path / "p", trust=trust(), now=NOW)


@pytest.mark.parametrize("texts", [(None, None), ("0-1", "1-2"), ("1", None), ("2-1", None), ("a-b", None)])
def test_a_range_is_two_numbers(texts: tuple[str | None, str | None]) -> None:
    """Exactly one range, with both ends, the smaller first."""
    with pytest.raises(Usage):
        parse_wanted(*texts)


def test_a_range_says_what_it_counts() -> None:
    """Bytes and rows are told apart by the option."""
    assert parse_wanted("0-65535", None) == Wanted(0, 65535, rows=False)
    assert parse_wanted(None, "7-7") == Wanted(7, 7, rows=True)
