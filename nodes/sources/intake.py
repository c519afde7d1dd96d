"""Take a source in: judge every row, write the accepted ones as an artifact, hand the rejected ones over."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from contracts.messages import Counts
from contracts.validation import Rejected, RowValidator
from nodes.sources.artifact import Written, write_artifact
from nodes.sources.batch import Batch
from nodes.sources.source import Source

Quarantine = Callable[[Sequence[Rejected]], None]


@dataclass(frozen=True, slots=True)
class Intake:
    """How many rows came, stayed and went to quarantine, and what was written."""

    counts: Counts
    written: Written


def take_in(source: Source, artifact: Path, quarantine: Quarantine) -> Intake:
    """Judge a source and write ``artifact``; ``quarantine`` gets each batch's rejected rows in row order."""
    validator = RowValidator(source.contract)
    tally = {"accepted": 0, "rejected": 0}

    def accepted() -> Iterator[pl.DataFrame]:
        for batch in source.batches():
            frame, rejected = judge(batch, validator)
            tally["accepted"] += len(frame)
            tally["rejected"] += len(rejected)
            if rejected:
                quarantine(rejected)
            yield frame

    written = write_artifact(artifact, source.contract, accepted())
    counts = Counts(
        read=tally["accepted"] + tally["rejected"], published=tally["accepted"], quarantined=tally["rejected"]
    )
    return Intake(counts, written)


def judge(batch: Batch, validator: RowValidator) -> tuple[pl.DataFrame, list[Rejected]]:
    """Judge every row of a batch; give the accepted rows, and the rejected ones in row order."""
    verdicts = [validator.judge(number, row) for number, row in batch.rows()]
    rejected = [*batch.broken, *(verdict for verdict in verdicts if verdict is not None)]
    rejected.sort(key=lambda verdict: verdict.row_number)
    return batch.keep([verdict is None for verdict in verdicts]), rejected
