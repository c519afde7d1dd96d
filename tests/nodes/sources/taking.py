"""A whole source, judged and written as publishing does it, without a node around it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from contracts.messages import Counts
from contracts.validation import Rejected, RowValidator
from nodes.sources.artifact import Written, write_artifact
from nodes.sources.batch import judge
from nodes.sources.source import Source


@dataclass
class Intake:
    """How many rows came, stayed and were rejected, and what was written."""

    counts: Counts
    written: Written
    rejected: list[Rejected]


@dataclass
class _Tally:
    published: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def accepted(self, source: Source) -> Iterator[pl.DataFrame]:
        """Give the good rows batch by batch and keep the verdicts on the others."""
        validator = RowValidator(source.contract)
        for batch in source.batches():
            frame, rejected = judge(batch, validator)
            self.published += len(frame)
            self.rejected += [verdict for verdict, _ in rejected]
            yield frame


def take_in(source: Source, artifact: Path) -> Intake:
    """Judge a source and write ``artifact``."""
    tally = _Tally()
    written = write_artifact(artifact, source.contract, tally.accepted(source))
    bad = len(tally.rejected)
    counts = Counts(read=tally.published + bad, published=tally.published, quarantined=bad)
    return Intake(counts, written, tally.rejected)
