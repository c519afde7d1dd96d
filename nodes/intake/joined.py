"""The pieces of a lot as one source of rows, so that publishing judges and counts them like one file.

Rows are numbered on from piece to piece. Lines that a program handed over need no recognising: the dataset's
contract judges each of them, so one odd line never keeps its neighbours out.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.schema import Contract
from nodes.sources.batch import Batch, ColumnBatch, RecordBatch
from nodes.sources.source import Source, SourceInfo


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """Several sources under one contract, one after the other, under one digest and one name."""

    parts: Sequence[Source]
    info: SourceInfo
    contract: Contract

    def batches(self, batch_rows: int | None = None) -> Generator[Batch, None, None]:
        """Read every part from its start; raise a SourceFault when the rest of one cannot be read."""
        before = 0
        for part in self.parts:
            last = before
            for batch in part.batches(batch_rows):
                moved = _moved(batch, before)
                last = max([last, *moved.numbers[-1:], *(bad.row_number for bad in moved.broken[-1:])])
                yield moved
            before = last

    def files(self) -> list[tuple[Path, str]]:
        """Give the files that the parts are read from."""
        return [file for part in self.parts for file in part.files()]


def join(parts: Sequence[Source], contract: Contract, *, sha256: str, name: str) -> JoinedSource:
    """Put sources together; made-up rows in one of them make the whole made up."""
    first = parts[0].info
    places = {part.info.place for part in parts}
    info = replace(
        first,
        file_name=name[:200],
        sha256=sha256,
        place=first.place if len(places) == 1 else f"{first.place} …"[:200],
        synthetic=any(part.info.synthetic for part in parts),
    )
    return JoinedSource(parts, info, contract)


def _moved(batch: Batch, by: int) -> ColumnBatch | RecordBatch:
    if not isinstance(batch, ColumnBatch | RecordBatch):
        raise TypeError(f"{type(batch).__name__} cannot be numbered on")
    return replace(
        batch,
        numbers=[number + by for number in batch.numbers] if by else batch.numbers,
        broken=[replace(bad, row_number=bad.row_number + by) for bad in batch.broken],
    )
