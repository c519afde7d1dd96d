"""The spool: what a source sent, durable in files of the home before anybody is told that it arrived.

A piece is a file first and a row of the database after; the row is what counts. A file without a row is what
a crash left, and goes when the node starts. The file of a piece goes after its release is logged.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func
from sqlmodel import Session, col, select

from audit.durable import sync_folder
from contracts.clock import epoch_ms
from contracts.errors import Invalid, Unavailable
from nodes.intake.model import (
    MAX_KEY_CHARS,
    KeyTaken,
    NoSuchSource,
    PieceState,
    SourceKind,
    SpoolFull,
    WrongSourceKind,
)
from nodes.intake.tables import PieceRow, SourceRow
from nodes.node import Node

MAX_SPOOL_BYTES = 8 * 1024**3
MAX_SPOOL_PIECES = 100_000  # of one row each they would use up the file system before the bytes do
_KEPT = (PieceState.WAITING, PieceState.LOT)
_HANDED = (SourceKind.PUSH, SourceKind.STATION)


class BadRows(Invalid):
    """The rows are no lines of UTF-8 text."""

    code = "bad-rows"
    title_zh = "提交的内容不是逐行的 UTF-8 文本"
    next_zh = "每行一条 JSON 记录,UTF-8 编码,至少一行。"
    next_en = "Send one JSON record a line, in UTF-8, and at least one."


class SpoolUnwritable(Unavailable):
    """The node cannot keep the rows on its disk."""

    code = "spool-unwritable"
    title_zh = "节点无法将数据写入磁盘"
    next_zh = "检查磁盘空间与主目录 intake/ 的权限;未确认的批次请重发。"
    next_en = "Check disk space and the rights on intake/; send what was not acknowledged again."


@dataclass(frozen=True, slots=True)
class Landed:
    """Rows that are in the spool; ``repeated`` when they were there before."""

    key: str
    sha256: str
    rows: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A file of the spool that no row names yet."""

    path: Path
    sha256: str
    size_bytes: int


def spool_folder(node: Node, source: int) -> Path:
    """Give the folder of a source's pieces."""
    return node.home.path / "intake" / str(source)


def piece_path(node: Node, piece: PieceRow) -> Path:
    """Give the file of a piece that has one."""
    if piece.file is None:
        raise FileNotFoundError(f"piece {piece.id} has no file")
    return spool_folder(node, piece.source) / piece.file


def land(node: Node, name: str, rows: bytes, *, key: str | None = None) -> Landed:
    """Take NDJSON lines into the spool of a ``push`` or ``station`` source; durable when this returns.

    ``key`` names the batch, by default its own digest: the same batch again changes nothing.

    Raises:
        NoSuchSource, WrongSourceKind: rows are not handed to this source.
        BadRows: the bytes are no lines of text.
        KeyTaken: other bytes landed under the key.
        SpoolFull: too much waits already.
    """
    source = find_source(node, name)
    if source.kind not in _HANDED:
        raise WrongSourceKind(f"rows of {name} come from a {source.kind}")
    count = _count_lines(rows)
    sha256 = "sha256:" + hashlib.sha256(rows).hexdigest()
    key = _key(key or sha256)
    with node.database.read() as session:
        before = _earlier(session, identity(source), key, sha256)
        check_room(session, identity(source), len(rows) if before is None else 0)
    if before is not None:
        return Landed(key, before.sha256, before.rows or 0, repeated=True)
    draft = write_draft(spool_folder(node, identity(source)), [rows])
    with node.database.transaction() as session:
        before = _earlier(session, identity(source), key, sha256)
        if before is None:
            add_piece(node, session, source, draft, key=key, rows=count)
    if before is not None:  # somebody sent the same batch at the same moment
        draft.path.unlink()
    return Landed(key, sha256, count, repeated=before is not None)


def write_draft(folder: Path, content: Iterable[bytes]) -> Draft:
    """Write a file of the spool, durable with its name; raise SpoolUnwritable, and leave no half of it."""
    try:
        return _write_draft(folder, content)
    except OSError as error:
        raise SpoolUnwritable(f"the spool cannot be written: {error.strerror}") from error


def _write_draft(folder: Path, content: Iterable[bytes]) -> Draft:
    path = folder / secrets.token_hex(16)
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for part in content:
                digest.update(part)
                size += len(part)
                file.write(part)
            file.flush()
            os.fsync(descriptor)
    except BaseException:  # whatever it was, no half file stays
        path.unlink()
        raise
    sync_folder(folder)
    return Draft(path, "sha256:" + digest.hexdigest(), size)


def add_piece(
    node: Node, session: Session, source: SourceRow, draft: Draft, *, key: str, rows: int | None = None,
    name: str | None = None,
) -> PieceRow:  # fmt: skip
    """Make a piece of a draft, inside the transaction that also says how far the source was read.

    Raises NoSuchSource for a source that was removed in the meantime: nobody would ever release its rows.
    """
    present = session.get(SourceRow, identity(source))
    if present is None or present.removed_at is not None:
        raise NoSuchSource(f"{source.name} was removed")
    piece = PieceRow(
        source=identity(source),
        dataset=source.dataset,
        key=_key(key),
        sha256=draft.sha256,
        size_bytes=draft.size_bytes,
        rows=rows,
        name=name,
        file=draft.path.name,
        state=PieceState.WAITING,
        at=epoch_ms(node.clock.now()),
    )
    session.add(piece)
    return piece


def find_source(node: Node, name: str) -> SourceRow:
    """Find a source by its name; raise NoSuchSource."""
    with node.database.read() as session:
        query = select(SourceRow).where(SourceRow.name == name, col(SourceRow.removed_at).is_(None))
        row = session.exec(query).first()
    if row is None:
        raise NoSuchSource(f"there is no source {name[:63]!r}")
    return row


def identity(source: SourceRow) -> int:
    """Give the number of a source that is in the database."""
    if source.id is None:
        raise NoSuchSource(f"{source.name} was never kept")
    return source.id


def check_room(session: Session, source: int, size_bytes: int) -> None:
    """Raise SpoolFull when so many bytes more are too many."""
    query = select(func.coalesce(func.sum(PieceRow.size_bytes), 0), func.count()).where(
        PieceRow.source == source, col(PieceRow.state).in_(_KEPT)
    )
    size, pieces = session.exec(query).one()
    if int(size) + size_bytes > MAX_SPOOL_BYTES or (size_bytes and pieces >= MAX_SPOOL_PIECES):
        raise SpoolFull(f"{size} bytes in {pieces} pieces wait for a release", waiting_bytes=int(size))


def sweep(node: Node) -> int:
    """Remove the files that no piece needs; only for the process that alone serves the home, at its start."""
    removed = 0
    for folder in _folders(node.home.path / "intake"):
        with node.database.read() as session:
            query = select(PieceRow.file).where(
                PieceRow.source == int(folder.name), col(PieceRow.state) != PieceState.RELEASED
            )
            needed = set(session.exec(query).all())
        for path in folder.iterdir():
            if path.name not in needed:
                path.unlink()
                removed += 1
    return removed


def _folders(spool: Path) -> Iterator[Path]:
    if spool.is_dir():
        yield from sorted(folder for folder in spool.iterdir() if folder.name.isdecimal())


def _earlier(session: Session, source: int, key: str, sha256: str) -> PieceRow | None:
    piece = session.exec(select(PieceRow).where(PieceRow.source == source, PieceRow.key == key)).first()
    if piece is not None and piece.sha256 != sha256:
        raise KeyTaken(f"batch {key[:80]!r} holds other rows")
    return piece


def _key(text: str) -> str:
    if not 0 < len(text) <= MAX_KEY_CHARS or not text.isprintable():
        raise BadRows(f"a batch id has 1 to {MAX_KEY_CHARS} printable characters")
    return text


def _count_lines(rows: bytes) -> int:
    if b"\0" in rows:
        raise BadRows("the rows hold a NUL byte")
    try:
        rows.decode()
    except UnicodeDecodeError as error:
        raise BadRows(f"byte {error.start} is not UTF-8") from error
    count = sum(1 for line in rows.split(b"\n") if line.strip())
    if count == 0:
        raise BadRows("there is no row")
    return count
