"""The quarantine as people read it: pages of rows, one row with everything, and how each dataset stands."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from contracts.clock import from_epoch_ms, rfc3339
from contracts.validation import Violation
from nodes.node import Node
from nodes.quarantine.model import WAITING, NoSuchRow, RowState, Standing
from nodes.sharing_tables import QuarantineRow

MAX_PAGE = 1000
Fields = dict[str, Any]  # Any: a record holds whatever its source held


def list_rows(
    node: Node, dataset: str | None, limit: int, offset: int, state: RowState | None = None
) -> tuple[int, list[Fields]]:
    """Give the number of quarantined rows and one page of them, first reason only, oldest first."""
    wanted = _wanted(dataset, state)
    with node.database.read() as session:
        total = session.exec(select(func.count()).select_from(QuarantineRow).where(*wanted)).one()
        query = select(QuarantineRow).where(*wanted).order_by(col(QuarantineRow.id))
        rows = session.exec(query.offset(offset).limit(min(limit, MAX_PAGE))).all()
    return total, [_summary(row) for row in rows]


def show_row(node: Node, row_id: int) -> Fields:
    """Give one quarantined row with every reason and the record itself; raise NoSuchRow."""
    with node.database.read() as session:
        row = find_row(session, row_id)
    return {
        "id": row.id,
        "dataset": row.dataset,
        "row": row.row_number,
        "state": row.state,
        "source": row.source,
        "contract": row.contract,
        "record_digest": row.record,
        "reasons": orjson.loads(row.reasons),
        "record": shown(json.loads(row.raw)),
        "at": rfc3339(from_epoch_ms(row.at)),
        "mended": None if row.mended is None else orjson.loads(row.mended),
        "release": row.release,
        "by": row.person,
        "why": row.why,
        "changed_at": None if row.changed_at is None else rfc3339(from_epoch_ms(row.changed_at)),
    }


def open_rows(node: Node, dataset: str, page: int = MAX_PAGE) -> Iterator[Fields]:
    """Give every open row of a dataset with its reasons, to be mended elsewhere; reads page by page."""
    last = 0
    while True:
        wanted = [*_wanted(dataset, RowState.OPEN), col(QuarantineRow.id) > last]
        with node.database.read() as session:
            query = select(QuarantineRow).where(*wanted).order_by(col(QuarantineRow.id)).limit(page)
            rows = session.exec(query).all()
        if not rows:
            return
        for row in rows:
            last = row.id or last
            yield {"id": row.id, "reasons": _sentences(row), "record": shown(json.loads(row.raw))}


def standings(session: Session, dataset: str | None = None) -> list[Standing]:
    """Say how the quarantine of each dataset stands."""
    query = select(QuarantineRow.dataset, QuarantineRow.state, func.count(), func.min(QuarantineRow.at))
    grouped = query.where(*_wanted(dataset)).group_by(QuarantineRow.dataset, QuarantineRow.state)
    counts: dict[str, dict[RowState, int]] = {}
    oldest: dict[str, int] = {}
    for name, state, rows, since in session.exec(grouped).all():
        counts.setdefault(name, {})[RowState(state)] = rows
        if state == RowState.OPEN:
            oldest[name] = since
    return [
        Standing(name, rows, from_epoch_ms(oldest[name]) if name in oldest else None)
        for name, rows in sorted(counts.items())
    ]


def count_waiting(session: Session) -> int:
    """Count the rows of all datasets that wait for a person or a release."""
    waiting = col(QuarantineRow.state).in_([state.value for state in WAITING])
    return session.exec(select(func.count()).select_from(QuarantineRow).where(waiting)).one()


def find_row(session: Session, row_id: int) -> QuarantineRow:
    """Find a row; raise NoSuchRow."""
    row = session.get(QuarantineRow, row_id)
    if row is None:
        raise NoSuchRow(f"there is no row {row_id}")
    return row


def reasons_text(violations: Iterable[Violation]) -> str:
    """Write the reasons against a row as they are kept and shown."""
    reasons = [
        {
            "pointer": violation.pointer,
            "schema_pointer": violation.schema_pointer,
            "rule": violation.rule,
            "value": violation.value,
            "message": {"zh": violation.message.zh, "en": violation.message.en},
        }
        for violation in violations
    ]
    return orjson.dumps(reasons).decode()


def shown(value: Any) -> Any:  # Any: a JSON value
    """Write what JSON does not have (NaN, infinities) as text, so that an answer can carry it."""
    match value:
        case dict():
            return {key: shown(item) for key, item in value.items()}
        case list():
            return [shown(item) for item in value]
        case float() if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124
            return str(value)
        case str():
            return value.encode(errors="replace").decode()
        case _:
            return value


def _wanted(dataset: str | None, state: RowState | None = None) -> list[ColumnElement[bool]]:
    wanted = [] if dataset is None else [col(QuarantineRow.dataset) == dataset]
    return wanted if state is None else [*wanted, col(QuarantineRow.state) == state.value]


def _summary(row: QuarantineRow) -> Fields:
    reasons = orjson.loads(row.reasons)
    first = reasons[0] if reasons else {}
    return {
        "id": row.id,
        "dataset": row.dataset,
        "row": row.row_number,
        "state": row.state,
        "pointer": first.get("pointer", ""),
        "rule": first.get("rule", ""),
        "value": first.get("value"),
        "message": first.get("message"),
        "reasons": len(reasons),
        "record_digest": row.record,
        "release": row.release,
    }


def _sentences(row: QuarantineRow) -> str:
    messages = [reason["message"] for reason in orjson.loads(row.reasons)]
    return "; ".join(f"{message['zh']} {message['en']}" for message in messages)
