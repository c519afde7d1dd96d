"""What lies beside the log in the exchange's database, held against the entries that speak of it.

Directories, transfers with their receipts, and the values behind commitments are rows that an operator can
rewrite; each has an entry that names it by digest. What was erased says nothing and contradicts nothing.
"""

from collections.abc import Callable, Mapping

from sqlmodel import Session, col, select

from audit.commitment import commit
from audit.database import Database
from audit.formats.dsse import parse_envelope
from audit.formats.tile import TILE_WIDTH
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.grant_entry import grant_fields
from audit.walk.fsck import Damage
from audit.walk.log_source import DatabaseSource, every_entry
from contracts.canonical import Json, sha256_hex
from contracts.errors import HeadwatersError
from contracts.messages import Grant
from exchange.evidence import EvidenceRow
from exchange.members.tables import DirectoryRow
from exchange.transfers.tables import TransferRow

_PAGE = 1000
_COMMITMENTS = ("ev", "dsc", "pur", "dig")


def first_contradiction(database: Database, number: int) -> Damage | None:
    """Read a shard's entries once more and name the first one that a row contradicts; None when none does.

    They have been walked before (``audit.walk.fsck``), so it is the row that was changed.
    """
    with database.read() as session:
        return _first_contradiction(session, DatabaseSource(session.connection(), number))


def _first_contradiction(session: Session, source: DatabaseSource) -> Damage | None:
    checks: list[Callable[[int, Entry], str | None]] = [
        _Directories(session).contradicted,
        _Values(session).contradicted,
        _Transfers(session, source.shard.base).contradicted,
    ]
    for index, leaf, *_ in every_entry(source):
        entry = parse_entry(leaf)
        for check in checks:
            what = check(index, entry)
            if what is not None:
                return Damage(index, what)
    return None


class _Directories:
    def __init__(self, session: Session) -> None:
        self._session = session

    def contradicted(self, _index: int, entry: Entry) -> str | None:
        if entry.kind is not EntryKind.DIRECTORY:
            return None
        row = self._session.get(DirectoryRow, entry.fields["n"])
        if row is not None and _payload_digest(row.envelope) == row.digest == entry.fields["dig"]:
            return None
        return f"directory {entry.fields['n']} is not the one that was logged"


class _Values:
    """The values behind commitments: few are ever wrong, so those are found first."""

    def __init__(self, session: Session) -> None:
        rows = session.exec(select(EvidenceRow).execution_options(yield_per=_PAGE))
        self._altered = {row.commitment for row in rows if _is_altered(row)}

    def contradicted(self, _index: int, entry: Entry) -> str | None:
        if not self._altered or self._altered.isdisjoint(entry.fields.get(name) for name in _COMMITMENTS):
            return None
        return "what is kept beside the log does not open this entry's commitment"


class _Transfers:
    """The rows of transfers, a bundle's worth at a time."""

    def __init__(self, session: Session, base: int) -> None:
        self._session = session
        self._base = base
        self._from = -1
        self._granted: Mapping[int, TransferRow] = {}
        self._closed: Mapping[int, TransferRow] = {}

    def contradicted(self, index: int, entry: Entry) -> str | None:
        # An ``expire`` may have been followed by a late ``done``; the row then holds that one only.
        if entry.kind not in {EntryKind.GRANT, EntryKind.DONE}:
            return None
        self._load(index)
        rows = self._granted if entry.kind is EntryKind.GRANT else self._closed
        row = rows.get(self._base + index)
        if row is not None and _is_transfer_of(row, entry):
            return None
        return f"the row of {entry.fields['gid']} is not what was logged"

    def _load(self, index: int) -> None:
        start = self._base + index - index % TILE_WIDTH
        if start == self._from:
            return
        self._from = start
        granted, closed = col(TransferRow.entry), col(TransferRow.closed_entry)
        end = start + TILE_WIDTH
        query = select(TransferRow)
        found = self._session.exec(query.where(granted >= start, granted < end))
        self._granted = {row.entry: row for row in found}
        found = self._session.exec(query.where(closed >= start, closed < end))
        self._closed = {row.closed_entry: row for row in found if row.closed_entry is not None}


def _is_transfer_of(row: TransferRow, entry: Entry) -> bool:
    fields = entry.fields
    if row.grant_id != fields["gid"]:
        return False
    if entry.kind is EntryKind.GRANT:
        return row.leaf == entry.encode() and _is_granted(row.envelope, fields)
    receipts = {"pr": row.provider_receipt, "cr": row.consumer_receipt}
    return row.closed_leaf == entry.encode() and all(
        not receipt or _payload_digest(receipt) == fields[name] for name, receipt in receipts.items()
    )


def _is_granted(envelope: str, fields: Mapping[str, Json]) -> bool:
    if not envelope:
        return True  # erased
    try:
        payload = parse_envelope(envelope.encode()).payload
        said = grant_fields(Grant.parse(payload), payload)
    except HeadwatersError:
        return False
    return said == {name: value for name, value in fields.items() if name != "prev"}


def _is_altered(row: EvidenceRow) -> bool:
    if row.salt is None or row.value is None:
        return False  # erased
    return commit(row.salt, row.value) != row.commitment


def _payload_digest(envelope: str) -> str | None:
    try:
        return sha256_hex(parse_envelope(envelope.encode()).payload)
    except HeadwatersError:
        return None
