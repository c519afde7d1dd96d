"""Rejected rows, kept with every reason and never sent anywhere; a person looks at them and mends the source.

Rows are written in bounded batches while a source is read. Reading the same source again under the same
contract replaces its rows, so a crash leaves neither doubles nor gaps.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import NotFound
from contracts.validation import Rejected, Row
from nodes.node import Node
from nodes.sharing_tables import QuarantineRow

BATCH_ROWS = 500
MAX_PAGE = 1000


class NoSuchRow(NotFound):
    """There is no such row in quarantine."""

    code = "no-such-row"
    title_zh = "隔离区中没有这一行"
    next_zh = "用 headwaters quarantine list 查看编号。"
    next_en = "headwaters quarantine list shows the ids."


@dataclass(frozen=True, slots=True)
class Intake:
    """Which reading of which source a rejected row belongs to."""

    dataset: str
    source: str
    contract: str


class Quarantine:
    """Takes the rejected rows of one reading; ``flush`` writes what waits."""

    def __init__(self, node: Node, intake: Intake) -> None:
        """Begin anew: what an earlier reading of the same source left is removed."""
        self._node = node
        self._intake = intake
        self._waiting: list[QuarantineRow] = []
        with node.database.transaction() as session:
            session.connection().execute(delete(QuarantineRow).where(*_of(intake)))

    def add(self, rejected: Rejected, row: Row | None) -> None:
        """Keep one row with its reasons; ``row`` is None where the source had no row that could be read."""
        raw = None if row is None else _raw(row)
        first = rejected.violations[0].value if rejected.violations else None
        text = raw if raw is not None else _raw(first)
        self._waiting.append(
            QuarantineRow(
                dataset=self._intake.dataset,
                source=self._intake.source,
                contract=self._intake.contract,
                row_number=rejected.row_number,
                record=sha256_hex(text.encode()),
                reasons=_reasons(rejected),
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


def list_rows(node: Node, dataset: str | None, limit: int, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """Give the number of quarantined rows and one page of them, first reason only, oldest first."""
    wanted = [] if dataset is None else [col(QuarantineRow.dataset) == dataset]
    with node.database.read() as session:
        total = session.exec(select(func.count()).select_from(QuarantineRow).where(*wanted)).one()
        query = select(QuarantineRow).where(*wanted).order_by(col(QuarantineRow.id))
        rows = session.exec(query.offset(offset).limit(min(limit, MAX_PAGE))).all()
    return total, [_summary(row) for row in rows]


def show_row(node: Node, row_id: int) -> dict[str, Any]:  # Any: the record holds whatever the source held
    """Give one quarantined row with every reason and the record itself; raise NoSuchRow."""
    with node.database.read() as session:
        row = session.get(QuarantineRow, row_id)
    if row is None:
        raise NoSuchRow(f"there is no row {row_id}")
    return {
        "id": row.id,
        "dataset": row.dataset,
        "row": row.row_number,
        "source": row.source,
        "contract": row.contract,
        "record_digest": row.record,
        "reasons": orjson.loads(row.reasons),
        "record": _shown(json.loads(row.raw)),
        "at": rfc3339(from_epoch_ms(row.at)),
    }


def count_by_dataset(session: Session) -> dict[str, int]:
    """Count the quarantined rows of each dataset."""
    query = select(QuarantineRow.dataset, func.count()).group_by(QuarantineRow.dataset)
    return dict(session.exec(query).all())


def _of(intake: Intake) -> Iterable[Any]:  # Any: SQLAlchemy's column expressions
    return (
        col(QuarantineRow.dataset) == intake.dataset,
        col(QuarantineRow.source) == intake.source,
        col(QuarantineRow.contract) == intake.contract,
    )


def _raw(row: object) -> str:
    # The standard library writes what JSON does not have (NaN, lone surrogates); a bad row must not be lost.
    return json.dumps(row, sort_keys=True, default=repr)


def _reasons(rejected: Rejected) -> str:
    return orjson.dumps(
        [
            {
                "pointer": violation.pointer,
                "schema_pointer": violation.schema_pointer,
                "rule": violation.rule,
                "value": violation.value,
                "message": {"zh": violation.message.zh, "en": violation.message.en},
            }
            for violation in rejected.violations
        ]
    ).decode()


def _summary(row: QuarantineRow) -> dict[str, Any]:
    reasons = orjson.loads(row.reasons)
    first = reasons[0] if reasons else {}
    return {
        "id": row.id,
        "dataset": row.dataset,
        "row": row.row_number,
        "pointer": first.get("pointer", ""),
        "rule": first.get("rule", ""),
        "value": first.get("value"),
        "message": first.get("message"),
        "reasons": len(reasons),
        "record_digest": row.record,
    }


def _shown(value: Any) -> Any:  # Any: a JSON value
    """Write what JSON does not have (NaN, infinities) as text, so that an answer can carry it."""
    match value:
        case dict():
            return {key: _shown(item) for key, item in value.items()}
        case list():
            return [_shown(item) for item in value]
        case float() if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
            return str(value)
        case str():
            return value.encode(errors="replace").decode()
        case _:
            return value
