"""The signed statements of transfers as plain DSSE v1 envelopes, for tools that are not ours.

One folder a grant, one file a statement: the bytes that were signed and sent, as they are kept beside the
log. The grant's payload type says what it is; a verifier needs the key of whoever signed, from a trust root.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlmodel import Session

from audit.log import log_store
from audit.log.export import keep_file
from contracts.identifiers import Kind, parse_id
from contracts.messages import Grant
from exchange.agreements.store import find_agreement
from exchange.catalog.store import find_release
from exchange.log.home import open_home
from exchange.reports import store
from exchange.reports.gathering import EvidenceIncomplete
from exchange.transfers.tables import TransferRow
from nodes.signed import peek_statement

SUFFIX = ".dsse.json"


def export_statements(folder: Path, to: Path, number: int | None = None) -> dict[str, Any]:
    """Write the statements of every transfer, or of those granted in one shard; say how many there were.

    What was erased is counted and left out. A second run adds what is new. Raises NoLogHere,
    EvidenceIncomplete and ExportContradicts.
    """
    transfers = erased = written = 0
    with open_home(folder) as (_, database), database.read() as session:
        shard = None if number is None else log_store.shard_at(session.connection(), number)
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for row in all_transfers(session):
            if shard is not None and not shard.holds(row.entry):
                continue
            if not row.envelope:
                erased += 1
                continue
            transfers += 1
            place = to / parse_id(row.grant_id, Kind.GRANT)
            for name, text in _statements(session, row):
                written += keep_file(place / f"{name}{SUFFIX}", text.encode())
    return {"to": str(to), "transfers": transfers, "erased": erased, "files_written": written}


def all_transfers(session: Session) -> Iterator[TransferRow]:
    """Give every transfer, holding a page of them at a time."""
    last = ""
    while page := store.transfers_after(session, last):
        yield from page
        last = page[-1].grant_id
        session.expunge_all()


def _statements(session: Session, row: TransferRow) -> Iterator[tuple[str, str]]:
    said = peek_statement(row.envelope, Grant).statement
    agreement = find_agreement(session, row.agreement)
    release = find_release(session, said.dataset, said.release)
    record = store.record_with(session, said.dataset, said.record)
    if agreement is None or release is None or record is None:
        raise EvidenceIncomplete(f"the terms of {row.grant_id} are not on record")
    yield from (
        ("grant", row.envelope),
        ("agreement", agreement.envelope),
        ("manifest", release.envelope),
        ("record", record.envelope),
    )
    given = {
        "provider-receipt": row.provider_receipt,
        "consumer-receipt": row.consumer_receipt,
        "abort": row.abort,
    }
    yield from ((name, text) for name, text in given.items() if text)
