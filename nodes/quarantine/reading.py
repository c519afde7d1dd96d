"""The rejected rows of one reading of a source, written in bounded batches while it is read.

Reading the same source again under the same contract replaces its open rows, so a crash leaves neither
doubles nor gaps; rows that people have worked on stay as they are and are not added again.
"""

import json
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete
from sqlmodel import col, select

from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.validation import Rejected, Row
from nodes.node import Node
from nodes.quarantine.model import RowState
from nodes.quarantine.rows import reasons_text
from nodes.sharing_tables import QuarantineRow

BATCH_ROWS = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """Which reading of which source a rejected row belongs to."""

    dataset: str
    source: str
    contract: str


class Quarantine:
    """Takes the rejected rows of one reading; ``flush`` writes what waits."""

    def __init__(self, node: Node, reading: Reading) -> None:
        """Begin anew: the open rows that an earlier reading of the same source left are removed."""
        self._node = node
        self._reading = reading
        self._waiting: list[QuarantineRow] = []
        is_open = col(QuarantineRow.state) == RowState.OPEN.value
        with node.database.transaction() as session:
            session.connection().execute(delete(QuarantineRow).where(*_of(reading), is_open))
            worked_on = select(QuarantineRow.row_number, QuarantineRow.record).where(*_of(reading))
            self._known = set(session.exec(worked_on).all())

    def add(self, rejected: Rejected, row: Row | None) -> None:
        """Keep one row with its reasons; ``row`` is None where the source had no row that could be read."""
        first = rejected.violations[0].value if rejected.violations else None
        text = raw_text(row) if row is not None else raw_text(first)
        record = sha256_hex(text.encode())
        if (rejected.row_number, record) in self._known:
            return
        self._waiting.append(
            QuarantineRow(
                dataset=self._reading.dataset,
                source=self._reading.source,
                contract=self._reading.contract,
                row_number=rejected.row_number,
                record=record,
                reasons=reasons_text(rejected.violations),
                raw=text,
                at=epoch_ms(self._node.clock.now()),
            )
        )
        if len(self._waiting) >= BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._waiting:
            with self._node.database.transaction() as session:
                session.add_all(self._waiting)
            self._waiting = []


def raw_text(row: object) -> str:
    """Write a rejected row; the standard library also writes what JSON lacks (NaN, lone surrogates)."""
    return json.dumps(row, sort_keys=True, default=repr)


def _of(reading: Reading) -> tuple[ColumnElement[bool], ...]:
    return (
        col(QuarantineRow.dataset) == reading.dataset,
        col(QuarantineRow.source) == reading.source,
        col(QuarantineRow.contract) == reading.contract,
    )
