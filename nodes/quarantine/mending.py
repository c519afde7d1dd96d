"""Work through the quarantine: offer a mended record, take a row back, let time settle what nobody does.

A mended record is judged anew by the contract that the dataset is on record under now. What is offered twice
gets the same answer and changes nothing, so a clerk or a script may send a whole file again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import orjson
import structlog
from sqlalchemy import update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from contracts.schema import Contract
from contracts.validation import RowValidator
from nodes.exclusive import Busy
from nodes.node import Node
from nodes.publishing.datasets import own_contract, own_datasets, own_record
from nodes.quarantine.model import ChangesUnfit, MendedTwice, RowState, StillBroken, check_open
from nodes.quarantine.rows import find_row, reasons_text
from nodes.sharing_tables import QuarantineRow

log = structlog.get_logger(__name__)

Record = Mapping[str, Any]  # Any: a record holds whatever its schema admits
JudgeOf = Callable[[str], RowValidator]
"""Gives the judge of a dataset: of the contract it is on record under."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A row that now has a record which keeps the contract; ``repeated`` when it had this one before."""

    row: int
    record_digest: str
    repeated: bool


def resubmit(node: Node, row_id: int, record: Record, person: str, judge_of: JudgeOf | None = None) -> Mended:
    """Put a whole record in the place of a rejected row; who offers many gives one ``judge_of`` for them all.

    Raises NoSuchRow, RowClosed, Busy, ChangesUnfit, StillBroken with every reason, MendedTwice, or what
    ``own_record`` and ``own_contract`` raise.
    """
    with node.database.read() as session:
        dataset = find_row(session, row_id).dataset
    text = _judged((judge_of or judges(node))(dataset), record)
    digest = sha256_hex(text)
    with node.database.transaction() as session:
        row = find_row(session, row_id)
        if row.mended_digest == digest and row.state != RowState.OPEN:
            return Mended(row_id, digest, repeated=True)
        _check_mendable(row, row_id)
        _check_single(session, row, digest)
        _change(node, row, RowState.RESUBMITTED, person)
        row.mended, row.mended_digest = text.decode(), digest
        session.add(row)
    return Mended(row_id, digest, repeated=False)


def change_fields(node: Node, row_id: int, changes: Record, person: str) -> Mended:
    """Change some fields of a rejected row and offer the result; raises as ``resubmit`` does."""
    with node.database.read() as session:
        row = find_row(session, row_id)
    before = json.loads(row.mended or row.raw)
    if not isinstance(before, dict) or not changes:
        raise ChangesUnfit(f"row {row_id} was no record, or nothing is changed")
    return resubmit(node, row_id, {**before, **changes}, person)


def withdraw(node: Node, row_id: int, person: str, why: str) -> None:
    """Take a row back for good, and say why; raise NoSuchRow, RowClosed or Busy."""
    with node.database.transaction() as session:
        row = find_row(session, row_id)
        if row.state == RowState.WITHDRAWN and row.why == why:
            return
        _check_mendable(row, row_id)
        _change(node, row, RowState.WITHDRAWN, person)
        row.why, row.mended, row.mended_digest = why, None, None
        session.add(row)


def reopen_unfit(node: Node, dataset: str, contract: Contract) -> int:
    """Open again the mended rows that a newer version of the contract rejects; give their number.

    Another version may be on record by the time of the release.
    """
    validator = RowValidator(contract)
    reopened = 0
    with node.database.transaction() as session:
        for row in session.exec(mended_rows(dataset)).all():
            violations = validator.violations(orjson.loads(row.mended or ""))
            if violations:
                row.state, row.reasons = RowState.OPEN.value, reasons_text(violations)
                row.raw, row.mended, row.mended_digest = row.mended or row.raw, None, None
                session.add(row)
                reopened += 1
    return reopened


def expire_due(node: Node) -> int:
    """Settle the open rows that waited longer than their dataset's contract allows; give their number."""
    expired = 0
    now = node.clock.now()
    for record in own_datasets(node):
        service = own_contract(node, record.contract).service
        if service is None or service.quarantine_days is None:
            continue
        due = epoch_ms(now - timedelta(days=service.quarantine_days))
        with node.database.transaction() as session:
            done = session.connection().execute(
                update(QuarantineRow)
                .where(
                    col(QuarantineRow.dataset) == record.dataset,
                    col(QuarantineRow.state) == RowState.OPEN.value,
                    col(QuarantineRow.at) <= due,
                )
                .values(state=RowState.EXPIRED.value, changed_at=epoch_ms(now))
            )
        expired += done.rowcount
    if expired:
        log.info("quarantine_expired", rows=expired)
    return expired


def mended_rows(dataset: str) -> SelectOfScalar[QuarantineRow]:
    """Write the query for the mended rows of a dataset that wait for a release, oldest first."""
    return (
        select(QuarantineRow)
        .where(
            col(QuarantineRow.dataset) == dataset,
            col(QuarantineRow.state) == RowState.RESUBMITTED.value,
            col(QuarantineRow.batch).is_(None),
        )
        .order_by(col(QuarantineRow.id))
    )


def current_contract(node: Node, dataset: str) -> Contract:
    """Give the contract that a dataset of this node is on record under now."""
    return own_contract(node, own_record(node, dataset).statement.contract)


def judges(node: Node) -> JudgeOf:
    """Give what finds a dataset's judge, each compiled once."""
    return cache(lambda dataset: RowValidator(current_contract(node, dataset)))


def _judged(judge: RowValidator, record: Record) -> bytes:
    contract, violations = judge.contract, judge.violations(record)
    if violations:
        reasons = [f"{one.pointer or '/'}: {one.message.zh} {one.message.en}" for one in violations]
        raise StillBroken(
            f"{len(violations)} rules of {contract.id} {contract.version} are broken",
            reasons=reasons[:50],
        )
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


def _check_mendable(row: QuarantineRow, row_id: int) -> None:
    check_open(RowState(row.state), row_id)
    if row.batch is not None:
        raise Busy(f"row {row_id} is in a release that is under way")


def _check_single(session: Session, row: QuarantineRow, digest: str) -> None:
    query = select(QuarantineRow.id).where(
        col(QuarantineRow.dataset) == row.dataset,
        col(QuarantineRow.mended_digest) == digest,
        col(QuarantineRow.id) != row.id,
    )
    twin = session.exec(query).first()
    if twin is not None:
        raise MendedTwice(f"row {twin} has this record already", row=twin)


def _change(node: Node, row: QuarantineRow, state: RowState, person: str) -> None:
    row.state, row.person, row.changed_at = state.value, person, epoch_ms(node.clock.now())
