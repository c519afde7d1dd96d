"""Examine a file by a contract before anything is published; nothing is kept."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from contracts.errors import Invalid
from contracts.quality.engine import examine
from contracts.quality.finding import Finding, Head, SeriesLine
from contracts.quality.report import Report
from contracts.schema import Contract
from contracts.validation import RowValidator
from nodes.quality.artifact_rows import ArtifactRows
from nodes.sources.artifact import write_artifact
from nodes.sources.batch import judge
from nodes.sources.source import Source, open_source


class NothingToExamine(Invalid):
    """No row of the file keeps the contract, so there is nothing to examine."""

    code = "nothing-to-examine"
    title_zh = "没有任何一行符合契约,无从评价质量"
    next_zh = "用 headwaters contract check 查看每行的拒绝理由。"
    next_en = "headwaters contract check says why each row was rejected."


@dataclass(frozen=True, slots=True)
class Tried:
    """A report whose row numbers are those of the file; rejected rows are in no finding."""

    report: Report
    rejected: int
    _accepted_before: "array[int]"

    @property
    def head(self) -> Head:
        """Give the figures of the whole file."""
        return self.report.head

    def series(self) -> Iterator[SeriesLine]:
        """Give the completeness of each series."""
        return self.report.series()

    def findings(self) -> Iterator[Finding]:
        """Give every finding."""
        for finding in self.report.findings():
            yield finding.model_copy(update={"rows": [self._number(row) for row in finding.rows]})

    def _number(self, row: int) -> int:
        """Say where an accepted row, counted among the accepted, stands in the file."""
        return row + bisect_left(self._accepted_before, row)


def try_file(
    contract: Contract,
    path: Path,
    use: Callable[[Tried], None],
    *,
    at: datetime | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Judge every row of a file, examine those that keep the contract, and hand over what was found.

    ``at`` is when the rows would be released. The rows lie in a temporary file until ``use`` returns.
    """
    source = open_source(path, contract)
    # Of each rejected row, how many accepted ones stand before it; ascending.
    accepted_before = array("q")
    with TemporaryDirectory(prefix="headwaters-") as folder:
        draft = Path(folder) / "accepted.parquet"
        written = write_artifact(draft, contract, _accepted(source, contract, accepted_before, progress))
        if not written.rows:
            raise NothingToExamine(f"{len(accepted_before)} rows are rejected")
        report = examine(contract, ArtifactRows(draft), at)
        use(Tried(report, len(accepted_before), accepted_before))


def _accepted(
    source: Source, contract: Contract, accepted_before: "array[int]", progress: Callable[[int], None]
) -> Iterator[pl.DataFrame]:
    validator = RowValidator(contract)
    rows = 0
    for batch in source.batches():
        good, rejected = judge(batch, validator)
        for verdict, _ in rejected:
            accepted_before.append(verdict.row_number - 1 - len(accepted_before))
        rows += len(good) + len(rejected)
        progress(rows)
        yield good
