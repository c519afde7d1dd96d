"""Publish releases from the spool: pieces are fixed in a lot, the lot is published, then its pieces are done.

The digest of a lot stands in the database before anything is signed, and is the source digest of the release.
So after a crash at any moment the same lot is published again, or found to be published, and never twice.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlmodel import col, select

from contracts.clock import epoch_ms
from contracts.errors import HeadwatersError
from contracts.messages import DatasetRecord, Manifest
from contracts.schema import Contract
from nodes.intake.joined import JoinedSource, join
from nodes.intake.model import LotState, PieceState, SourceKind
from nodes.intake.spool import identity, piece_path
from nodes.intake.tables import LotRow, PieceRow, SourceRow
from nodes.node import Node
from nodes.publishing.datasets import own_contract, own_record
from nodes.publishing.onward import OnwardSharing, check_marks, check_not_received
from nodes.publishing.publish import EmptyRelease, SourceUnfit, check_source, publish, send_pending
from nodes.sharing_tables import ReleaseRow
from nodes.signed import peek_statement
from nodes.sources.faults import FileTooLarge, SourceFault
from nodes.sources.source import Source, open_records, open_source

MAX_PIECES = 10_000
MAX_BYTES = 4 * 1024**3

Progress = Callable[[int], None]
UNFIT = (SourceFault, FileTooLarge, SourceUnfit, OnwardSharing)


@dataclass(frozen=True, slots=True)
class Lot:
    """What became of a lot; ``release`` is None where no row of it kept the contract."""

    state: LotState
    release: int | None
    rows_read: int
    rows_quarantined: int


def publish_next(node: Node, source: SourceRow, progress: Progress = lambda _: None) -> Lot | None:
    """Publish the open lot, or a new one of what waits; None when nothing does.

    Raises what ``publish`` raises for a reason that may pass; the lot then stays open and is tried again.
    """
    while True:
        lot = _open_lot(node, source) or _begin(node, source)
        if lot is None:
            return None
        done = _published_before(node, source, lot)
        if done is None:
            done = _publish(node, source, lot, progress)
        if done is not None and done.state is not LotState.REFUSED:
            _close(node, lot, done)
        if done is not None:
            return done
        # The lot was dissolved, as a piece in it can no longer be read; the others wait again.


def forget_refused(node: Node, source: SourceRow) -> int:
    """Let refused pieces be taken again: a file is looked at anew, rows in the spool wait again."""
    with node.database.transaction() as session:
        query = select(PieceRow).where(PieceRow.source == source.id, PieceRow.state == PieceState.REFUSED)
        pieces = session.exec(query).all()
        for piece in pieces:
            if piece.file is None:
                session.delete(piece)
            else:
                piece.state, piece.reason = PieceState.WAITING, None
                session.add(piece)
    return len(pieces)


def refusal(error: HeadwatersError, *, spooled: str | None = None, name: str | None = None) -> str:
    """Write down why a piece was refused, by the name that people know and not by that in the spool."""
    detail = error.detail.replace(spooled, name) if spooled and name else error.detail
    return f"{error.code}: {detail}"[:2000]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a dataset's rows are held to at this moment."""

    record: DatasetRecord
    contract: Contract


def terms_of(node: Node, dataset: str) -> Terms:
    """Give the dataset's record and contract; raise DatasetNotDeclared."""
    record = own_record(node, dataset).statement
    return Terms(record, own_contract(node, record.contract))


def open_piece(node: Node, source: SourceRow, path: Path, terms: Terms) -> Source:
    """Open a piece under the dataset's contract; raise SourceFault, SourceUnfit or OnwardSharing."""
    opener = open_source if source.kind == SourceKind.FOLDER else open_records
    opened = opener(path, terms.contract)
    check_source(opened, terms.record, terms.contract)
    for file, sha256 in opened.files():
        check_not_received(node, sha256)
        check_marks(node, file, sha256)
    return opened


def _open_lot(node: Node, source: SourceRow) -> LotRow | None:
    with node.database.read() as session:
        query = select(LotRow).where(LotRow.source == source.id, LotRow.state == LotState.OPEN)
        return session.exec(query).first()


def _begin(node: Node, source: SourceRow) -> LotRow | None:
    """Fix what waits in a new lot; pieces that cannot be read are refused one by one."""
    terms = terms_of(node, source.dataset)
    chosen: list[PieceRow] = []
    refused: dict[int | None, str] = {}
    size = 0
    for piece in _waiting(node, source):
        if chosen and size + piece.size_bytes > MAX_BYTES:
            break
        try:
            open_piece(node, source, piece_path(node, piece), terms)
        except UNFIT as error:
            refused[piece.id] = refusal(error, spooled=piece.file, name=piece.name or piece.key)
            continue
        chosen.append(piece)
        size += piece.size_bytes
    with node.database.transaction() as session:
        for piece in [session.get_one(PieceRow, number) for number in refused]:
            piece.state, piece.reason = PieceState.REFUSED, refused[piece.id]
            session.add(piece)
        if not chosen:
            return None
        lot = LotRow(
            source=identity(source),
            dataset=source.dataset,
            digest=_digest(source, chosen),
            pieces=len(chosen),
            state=LotState.OPEN,
            at=epoch_ms(node.clock.now()),
        )
        session.add(lot)
        session.flush()
        for piece in [session.get_one(PieceRow, one.id) for one in chosen]:
            piece.state, piece.lot = PieceState.LOT, lot.id
            session.add(piece)
    return lot


def _published_before(node: Node, source: SourceRow, lot: LotRow) -> Lot | None:
    """Find the release of a lot that a crash kept from being noted, under whichever contract it was made."""
    with node.database.read() as session:
        query = select(ReleaseRow.number).where(
            ReleaseRow.dataset == source.dataset, ReleaseRow.source == lot.digest
        )
        if session.exec(query).first() is None:
            return None
    send_pending(node, source.dataset)
    with node.database.read() as session:
        full = select(ReleaseRow).where(ReleaseRow.dataset == source.dataset, ReleaseRow.source == lot.digest)
        row = session.exec(full).first()
    if row is None:
        return None
    counts = peek_statement(row.envelope, Manifest).statement.counts
    return Lot(LotState.RELEASED, row.number, counts.read, counts.quarantined)


def _publish(node: Node, source: SourceRow, lot: LotRow, progress: Progress) -> Lot | None:
    joined = _joined(node, source, lot)
    if joined is None:
        return None
    try:
        done = publish(node, joined, source.dataset, progress)
    except EmptyRelease as error:
        read, bad = (int(str(error.facts[name])) for name in ("read", "quarantined"))
        return Lot(LotState.QUARANTINED, None, read, bad)
    except OnwardSharing as error:
        # Every piece was looked at alone: it is the release as a whole that somebody else made.
        _refuse_lot(node, lot, error)
        return Lot(LotState.REFUSED, None, 0, 0)
    except HeadwatersError as error:
        _note(node, lot, refusal(error))
        raise
    manifest = done.manifest.statement
    return Lot(LotState.RELEASED, manifest.number, manifest.counts.read, manifest.counts.quarantined)


def _joined(node: Node, source: SourceRow, lot: LotRow) -> JoinedSource | None:
    terms = terms_of(node, source.dataset)
    pieces = _pieces_of(node, lot)
    parts: list[Source] = []
    for piece in pieces:
        try:
            parts.append(open_piece(node, source, piece_path(node, piece), terms))
        except UNFIT as error:
            _dissolve(node, lot, piece, error)
            return None
    return join(parts, terms.contract, sha256=lot.digest, name=_name(source, pieces))


def _dissolve(node: Node, lot: LotRow, bad: PieceRow, error: HeadwatersError) -> None:
    """Refuse a piece that was fit when the lot began, as the dataset's contract changed; free the others."""
    with node.database.transaction() as session:
        for piece in session.exec(select(PieceRow).where(PieceRow.lot == lot.id)).all():
            piece.state, piece.lot = PieceState.WAITING, None
            if piece.id == bad.id:
                piece.state, piece.reason = (
                    PieceState.REFUSED,
                    refusal(error, spooled=bad.file, name=bad.name or bad.key),
                )
            session.add(piece)
        session.delete(session.get_one(LotRow, lot.id))


def _refuse_lot(node: Node, lot: LotRow, error: HeadwatersError) -> None:
    with node.database.transaction() as session:
        for piece in session.exec(select(PieceRow).where(PieceRow.lot == lot.id)).all():
            piece.state, piece.reason = PieceState.REFUSED, refusal(error)
            session.add(piece)
        row = session.get_one(LotRow, lot.id)
        row.state, row.reason, row.done_at = LotState.REFUSED, refusal(error), epoch_ms(node.clock.now())
        session.add(row)


def _close(node: Node, lot: LotRow, done: Lot) -> None:
    """Note the end of a lot, then let its files go; what a crash leaves of them goes at the next start."""
    with node.database.transaction() as session:
        row = session.get_one(LotRow, lot.id)
        row.state, row.release, row.done_at = done.state, done.release, epoch_ms(node.clock.now())
        row.rows_read, row.rows_quarantined = done.rows_read, done.rows_quarantined
        session.add(row)
        query = select(PieceRow).where(PieceRow.lot == lot.id, PieceRow.state == PieceState.LOT)
        pieces = session.exec(query).all()
        for piece in pieces:
            piece.state = PieceState.RELEASED
            session.add(piece)
    for piece in pieces:
        with suppress(FileNotFoundError):
            piece_path(node, piece).unlink()


def _note(node: Node, lot: LotRow, reason: str) -> None:
    with node.database.transaction() as session:
        row = session.get_one(LotRow, lot.id)
        row.reason = reason
        session.add(row)


def _waiting(node: Node, source: SourceRow) -> Sequence[PieceRow]:
    with node.database.read() as session:
        query = select(PieceRow).where(PieceRow.source == source.id, PieceRow.state == PieceState.WAITING)
        return session.exec(query.order_by(col(PieceRow.id)).limit(MAX_PIECES)).all()


def _pieces_of(node: Node, lot: LotRow) -> Sequence[PieceRow]:
    with node.database.read() as session:
        query = select(PieceRow).where(PieceRow.lot == lot.id, PieceRow.state == PieceState.LOT)
        return session.exec(query.order_by(col(PieceRow.id))).all()


def _digest(source: SourceRow, pieces: Sequence[PieceRow]) -> str:
    """Name the content of a lot; one file of a folder keeps its own name, as if it was published by hand."""
    if source.kind == SourceKind.FOLDER and len(pieces) == 1:
        return pieces[0].sha256
    words = [source.name, source.id, [[piece.key, piece.sha256] for piece in pieces]]
    return "sha256:" + hashlib.sha256(orjson.dumps(words)).hexdigest()


def _name(source: SourceRow, pieces: Sequence[PieceRow]) -> str:
    named = [Path(piece.name).name for piece in pieces if piece.name]
    if len(pieces) == 1 and named:
        return named[0]
    return f"{source.name} ({source.kind}), {len(pieces)} pieces"
