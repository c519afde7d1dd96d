"""Cut a disputed range out of received data, and write out again what an excerpt proves.

Rows of a Parquet file travel as the row groups that hold them, with the footer: whoever verifies the excerpt
can read those rows without the rest of the file.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from audit.keys.trust_file import TrustFile
from audit.proofs.excerpt import ExcerptVerdict, OutsideData, verify_excerpt, write_excerpt
from audit.proofs.parquet_footer import MAGIC, Footer, NoParquet, RowGroup, read_footer
from audit.proofs.verify import verify_transfer
from contracts.errors import Conflict, Usage

SUFFIX = ".hwpart"


class NothingToWrite(Usage):
    """The excerpt holds several pieces and no whole rows, so there is no one file to write."""

    code = "nothing-to-write"
    title_zh = "摘录由多段字节组成且不含完整的行,无法写成一个文件"
    next_zh = "不带 --to 重新验证;或请对方按行或按一段字节重新摘录。"
    next_en = "Verify it without --to, or ask for an excerpt by rows or of one range of bytes."


class FileThere(Conflict):
    """There is a file of this name already."""

    code = "file-exists"
    title_zh = "文件已存在"
    next_zh = "换一个文件名;已有文件绝不覆盖。"
    next_en = "Choose another name; a file is never overwritten."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to cut: bytes counted from 0, or rows counted from 1; both ends are included."""

    first: int
    last: int
    rows: bool


def parse_wanted(in_bytes: str | None, in_rows: str | None) -> Wanted:
    """Read ``--bytes A-B`` or ``--rows A-B``, exactly one of them; raise Usage."""
    text = in_bytes or in_rows
    if text is None or (in_bytes and in_rows):
        raise Usage("name either --bytes A-B or --rows A-B")
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise Usage("a range is two numbers, the smaller first, as 0-65535")
    return Wanted(int(first), int(last), rows=in_bytes is None)


def cut(
    data: Path, proof: Path, wanted: Wanted, to: Path, *, trust: TrustFile, now: datetime
) -> dict[str, Any]:
    """Write an excerpt of ``data`` and say what it holds; nothing that exists is overwritten.

    Raises what ``verify_transfer`` raises, OutsideData, NoParquet, ExcerptNotProven and FileThere.
    """
    raw = proof.read_bytes()
    verdict = verify_transfer(raw, None, trust, now=now)
    with data.open("rb") as source:
        groups, ranges = _ranges(source, wanted, verdict.size_bytes)
        draft = _draft(to)
        try:
            with draft.open("wb") as out:
                runs = write_excerpt(out, source, raw, verdict, ranges)
            _put(draft, to)
        finally:
            draft.unlink(missing_ok=True)
    return {
        "excerpt": str(to),
        "of": data.name,
        "chunks": sum(run.count for run in runs),
        "size_bytes": to.stat().st_size,
        "rows": [[group.first_row, group.last_row] for group in groups] or None,
    }


def judge(
    part: Path, to: Path | None, *, trust: TrustFile, now: datetime
) -> tuple[ExcerptVerdict, Mapping[str, Any]]:
    """Verify an excerpt; say what it holds, and write that to ``to`` when it is named.

    Whole rows are written as Parquet, or as CSV where the name ends so; anything else as its bytes.
    Raises what ``verify_excerpt`` raises, NothingToWrite and FileThere.
    """
    with part.open("rb") as source, tempfile.TemporaryFile() as copy:
        verdict = verify_excerpt(source, trust, now=now, keep=partial(_keep, copy))
        copy.truncate(verdict.transfer.size_bytes)
        groups = _whole_groups(copy, verdict)
        if to is not None:
            _write(copy, verdict, groups, to)
    rows = [[group.first_row, group.last_row] for group in groups]
    ranges = [[start, end - 1] for start, end in verdict.ranges]
    return verdict, {"bytes": ranges, "rows_held": rows or None, "written": None if to is None else str(to)}


def _ranges(
    source: BinaryIO, wanted: Wanted, size_bytes: int
) -> tuple[list[RowGroup], list[tuple[int, int]]]:
    if not wanted.rows:
        return [], [(wanted.first, wanted.last + 1)]
    if source.seek(0, 2) != size_bytes:
        raise OutsideData("the file has another size than the data of this proof", size_bytes=size_bytes)
    footer = read_footer(partial(_read_at, source), size_bytes)
    if not 1 <= wanted.first <= wanted.last <= footer.rows:
        raise OutsideData(f"the file has {footer.rows} rows", rows=footer.rows)
    groups = [
        group for group in footer.groups if group.first_row <= wanted.last and wanted.first <= group.last_row
    ]
    pieces = [(group.start, group.end) for group in groups]
    return groups, [(0, len(MAGIC)), *pieces, (footer.start, size_bytes)]


def _whole_groups(copy: BinaryIO, verdict: ExcerptVerdict) -> list[RowGroup]:
    """Name the row groups that lie inside the excerpt; there are none where it lacks a Parquet footer."""
    size = verdict.transfer.size_bytes

    def holds(start: int, end: int) -> bool:
        return any(left <= start and end <= right for left, right in verdict.ranges)

    footer = _footer(copy, size)
    if footer is None or not holds(footer.start, size):
        return []
    return [group for group in footer.groups if holds(group.start, group.end)]


def _footer(copy: BinaryIO, size: int) -> Footer | None:
    try:
        return read_footer(partial(_read_at, copy), size)
    except NoParquet:
        return None  # an excerpt of bytes need not be of a table


def _write(copy: BinaryIO, verdict: ExcerptVerdict, groups: list[RowGroup], to: Path) -> None:
    if not groups and len(verdict.ranges) > 1:
        raise NothingToWrite
    draft = _draft(to)
    try:
        if groups:
            _write_rows(copy, groups, draft, as_csv=to.suffix == ".csv")
        else:
            ((start, end),) = verdict.ranges
            copy.seek(start)
            with draft.open("wb") as out:
                while piece := copy.read(min(1024 * 1024, end - copy.tell())):
                    out.write(piece)
        _put(draft, to)
    finally:
        draft.unlink(missing_ok=True)


def _write_rows(copy: BinaryIO, groups: list[RowGroup], draft: Path, *, as_csv: bool) -> None:
    copy.seek(0)
    try:
        table = pl.scan_parquet(copy, glob=False)
        frame = pl.concat([table.slice(group.first_row - 1, group.rows) for group in groups]).collect()
    except (PolarsError, OSError, PanicException) as error:
        raise NoParquet("the rows of the excerpt cannot be read") from error
    if as_csv:
        frame.write_csv(draft)
    else:
        frame.write_parquet(draft)


def _keep(copy: BinaryIO, at: int, piece: bytes) -> None:
    copy.seek(at)
    copy.write(piece)


def _read_at(source: BinaryIO, start: int, end: int) -> bytes:
    source.seek(start)
    return source.read(end - start)


def _put(draft: Path, to: Path) -> None:
    """Give a finished file its name, unless the name is taken."""
    try:
        to.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise FileThere(f"{to.name} exists already") from error
    draft.replace(to)


def _draft(to: Path) -> Path:
    """Begin a file that its owner alone may read: what it holds was shared with this participant only."""
    draft = to.with_name(f".{to.name}.new")
    draft.touch(mode=0o600)
    return draft
