"""Publish the mended rows of a dataset as its next release, each exactly once.

The rows of one release are written down as a batch before anything is signed: its name is the digest of the
file that is published. Whatever breaks off, the next call first finds out what became of that batch.
"""

import secrets
import shutil
from collections.abc import Callable

from sqlalchemy import update
from sqlmodel import col, select

from contracts.canonical import sha256_hex
from contracts.clock import epoch_ms
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.publishing.datasets import PUBLISHED
from nodes.publishing.publish import Published, publish, send_pending
from nodes.quarantine.mending import current_contract, mended_rows, reopen_unfit
from nodes.quarantine.model import NothingResubmitted, RowState
from nodes.sharing_tables import QuarantineRow, ReleaseRow

MAX_ROWS = 100_000

Progress = Callable[[int], None]
"""Hears how many rows have been read."""


def release_mended(node: Node, dataset: str, progress: Progress = lambda _: None) -> Published:
    """Publish up to 100,000 mended rows; they are accepted once the exchange has logged the release.

    Raises NothingResubmitted, Busy, or what ``publish`` raises; then the rows wait as before.
    """
    contract = current_contract(node, dataset)
    with exclusively(node.home.artifacts / f".{dataset}.mended.lock"):
        settle_batches(node, dataset)
        reopen_unfit(node, dataset, contract)
        ids, lines = _mended(node, dataset)
        if not ids:
            raise NothingResubmitted(f"{dataset} has no mended row that waits")
        batch = sha256_hex(lines)
        _mark(node, ids, batch)
        folder = node.home.artifacts / f".draft-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            file = folder / f"{dataset}-mended-{ids[0]}-{ids[-1]}.ndjson"
            file.write_bytes(lines)
            published = publish(node, file, dataset, progress, resubmitted=len(ids))
        finally:
            shutil.rmtree(folder)
        settle_batches(node, dataset)
    return published


def settle_batches(node: Node, dataset: str) -> None:
    """Find out what became of batches: accepted with their release, or waiting again where there is none.

    A batch that was signed and not logged yet is sent again first; raises what sending raises.
    """
    with node.database.read() as session:
        query = select(QuarantineRow.batch).where(
            col(QuarantineRow.dataset) == dataset,
            col(QuarantineRow.state) == RowState.RESUBMITTED.value,
            col(QuarantineRow.batch).is_not(None),
        )
        batches = set(session.exec(query).all())
    if not batches:
        return
    send_pending(node, dataset)
    for batch in batches:
        _settle(node, dataset, batch)


def _settle(node: Node, dataset: str, batch: str | None) -> None:
    now = epoch_ms(node.clock.now())
    with node.database.transaction() as session:
        query = select(ReleaseRow.number).where(
            ReleaseRow.dataset == dataset, ReleaseRow.source == batch, ReleaseRow.state == PUBLISHED
        )
        number = session.exec(query).first()
        settled = (
            {"batch": None}
            if number is None
            else {"state": RowState.ACCEPTED.value, "release": number, "changed_at": now}
        )
        session.connection().execute(
            update(QuarantineRow)
            .where(
                col(QuarantineRow.dataset) == dataset,
                col(QuarantineRow.batch) == batch,
                col(QuarantineRow.state) == RowState.RESUBMITTED.value,
            )
            .values(**settled)
        )


def _mended(node: Node, dataset: str) -> tuple[list[int], bytes]:
    with node.database.read() as session:
        rows = session.exec(mended_rows(dataset).limit(MAX_ROWS)).all()
    ids = [row.id for row in rows if row.id is not None]
    return ids, b"".join((row.mended or "").encode() + b"\n" for row in rows)


def _mark(node: Node, ids: list[int], batch: str) -> None:
    with node.database.transaction() as session:
        for start in range(0, len(ids), 500):
            session.connection().execute(
                update(QuarantineRow)
                .where(col(QuarantineRow.id).in_(ids[start : start + 500]))
                .values(batch=batch)
            )
