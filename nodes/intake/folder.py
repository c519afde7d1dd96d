"""A watched folder: finished files are copied into the spool, each content once.

A file is finished when nobody has changed it for a while, or when its marker lies beside it. It is copied,
never read in place, and counts only if it did not change meanwhile. Whoever may write into the folder is a
stranger: no link below it is followed, be it put there at the very moment, neither to read nor to move, and
no more of a file is copied than it had. A file that goes on growing after it was taken is refused with that
reason, as its first rows are out already.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session, col, or_, select

from contracts.clock import epoch_ms
from contracts.errors import HeadwatersError, Invalid, Unavailable
from nodes.intake.lots import UNFIT, Terms, open_piece, refusal, terms_of
from nodes.intake.model import FolderSettings, PieceState
from nodes.intake.spool import Draft, add_piece, check_room, identity, spool_folder, write_draft
from nodes.intake.tables import PieceRow, SeenFileRow, SourceRow
from nodes.node import Node
from nodes.sources.faults import FileTooLarge
from nodes.sources.scan import MAX_CONTENT_BYTES

TAKEN, REFUSED = "taken", "refused"
MAX_NAME_CHARS = 1000
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", "~")
_READ_BYTES = 1 << 20
_NO_DIGEST = "not read"


class FolderGone(Unavailable):
    """The watched folder cannot be read."""

    code = "folder-gone"
    title_zh = "监视的文件夹无法读取"
    next_zh = "检查文件夹是否仍在、是否已挂载、节点用户是否有读权限。"
    next_en = "Check that the folder is there, mounted, and readable for the node's user."


class FileGrew(Invalid):
    """The file grew after its first rows had been taken."""

    code = "file-grew"
    title_zh = "文件在被读取后又继续增长"
    next_zh = "写完后再改名放入该文件夹,或为来源设置完成标记;新增的行请另存为新文件。"
    next_en = (
        "Move files into the folder when they are whole, or use a marker; put the new rows in a new file."
    )


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a folder did; ``unsettled`` are files that are not finished yet."""

    landed: int
    refused: int
    repeated: int
    unsettled: int


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    folder: Path
    name: str
    status: os.stat_result

    @property
    def stamp(self) -> str:
        return _stamp(self.status)

    @property
    def within(self) -> Path:
        return self.path.relative_to(self.folder)


class _Swapped(Exception):  # never leaves this module
    """What lies at the place of a file is no longer the file that was seen there, or cannot be opened."""


def look(node: Node, source: SourceRow, settings: FolderSettings) -> Looked:
    """Take every finished file of a folder that was not taken before.

    Raises FolderGone, SpoolFull, or DatasetNotDeclared.
    """
    terms = terms_of(node, source.dataset)
    landed = refused = repeated = unsettled = 0
    for file in _files(Path(settings.path)):
        if settings.marker is not None and file.name.endswith(settings.marker):
            continue
        if not _finished(node, file, settings):
            unsettled += 1
            continue
        known = _known(node, source, file)
        if known is None:
            state = _take(node, source, file, terms)
            landed += state is PieceState.WAITING
            refused += state is PieceState.REFUSED
            unsettled += state is None
        else:
            repeated += 1
            state = known
        if settings.after == "move" and state is not None:
            _move(file, settings, state)
    return Looked(landed, refused, repeated, unsettled)


def _files(folder: Path) -> Iterator[_File]:
    def fail(error: OSError) -> None:
        raise FolderGone(f"{folder} cannot be read: {error.strerror}") from error

    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise FolderGone(f"{folder} is no folder any more")
    except OSError as error:
        fail(error)
    for parent, folders, names, descriptor in os.fwalk(folder, onerror=fail):
        top = Path(parent) == folder
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and not (top and one in {TAKEN, REFUSED})
        )
        for name in sorted(names):
            path = Path(parent, name)
            within = _spelled(str(path.relative_to(folder)))
            if name.startswith(".") or name.lower().endswith(_UNFINISHED) or len(within) > MAX_NAME_CHARS:
                continue
            try:
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue  # moved away since the folder was listed
            if stat.S_ISREG(status.st_mode):
                yield _File(path, folder, within, status)


def _finished(node: Node, file: _File, settings: FolderSettings) -> bool:
    if settings.marker is not None:
        return file.path.with_name(file.path.name + settings.marker).is_file()
    age_seconds = node.clock.now().timestamp() - file.status.st_mtime
    # A time far in the future is a foreign clock's, and says as much as one long past.
    return abs(age_seconds) >= settings.settle_seconds


def _known(node: Node, source: SourceRow, file: _File) -> PieceState | None:
    """Say what became of a file that looks as it did when it was last read; None for a new or changed one."""
    with node.database.read() as session:
        seen = session.get(SeenFileRow, (identity(source), file.name))
        if seen is None or seen.stamp != file.stamp:
            return None
        piece = _taken(session, source, seen.sha256)
    return None if piece is None else PieceState(piece.state)


def _taken(session: Session, source: SourceRow, sha256: str) -> PieceRow | None:
    """Find the piece with the content of a file, also one that another source of the dataset took."""
    query = select(PieceRow).where(
        PieceRow.dataset == source.dataset,
        PieceRow.key == sha256,
        or_(col(PieceRow.state) != PieceState.REFUSED, col(PieceRow.source) == source.id),
    )
    return session.exec(query.order_by(col(PieceRow.id).desc())).first()


def _take(node: Node, source: SourceRow, file: _File, terms: Terms) -> PieceState | None:
    """Copy a file and keep or refuse it; None where it changed under the copying."""
    with node.database.read() as session:
        check_room(session, identity(source), file.status.st_size)
    if file.status.st_size > MAX_CONTENT_BYTES:
        error = FileTooLarge(f"{file.name} has more than {MAX_CONTENT_BYTES} bytes")
        return _keep(node, source, file, f"large:{file.stamp}", error=error)
    try:
        draft = write_draft(spool_folder(node, identity(source)), _pieces(file))
    except _Swapped:
        return None
    if _changed(file):
        draft.path.unlink()
        return None
    try:
        fault = _fault(node, source, file, draft, terms)
        return _keep(node, source, file, draft.sha256, draft=draft, error=fault)
    except BaseException:  # whatever it was, no file without a row stays
        draft.path.unlink(missing_ok=True)
        raise


def _fault(node: Node, source: SourceRow, file: _File, draft: Draft, terms: Terms) -> HeadwatersError | None:
    if _grew(node, source, file, draft):
        return FileGrew(f"{file.name} begins with the bytes that were taken before")
    try:
        open_piece(node, source, draft.path, terms)
    except UNFIT as error:
        return error
    return None


def _keep(
    node: Node,
    source: SourceRow,
    file: _File,
    sha256: str,
    *,
    draft: Draft | None = None,
    error: HeadwatersError | None = None,
) -> PieceState:
    """Note a file as taken or refused together with how it looked; a content that is known stays as it is."""
    with node.database.transaction() as session:
        before = _taken(session, source, sha256)
        if before is None and draft is not None and error is None:
            add_piece(node, session, source, draft, key=sha256, name=file.name)
        elif before is None:
            session.add(
                PieceRow(
                    source=identity(source),
                    dataset=source.dataset,
                    key=sha256,
                    sha256=_NO_DIGEST if draft is None else draft.sha256,
                    size_bytes=file.status.st_size,
                    name=file.name,
                    state=PieceState.REFUSED,
                    reason=None
                    if error is None
                    else refusal(error, spooled=None if draft is None else draft.path.name, name=file.name),
                    at=epoch_ms(node.clock.now()),
                )
            )
        session.merge(
            SeenFileRow(
                source=identity(source),
                name=file.name,
                stamp=file.stamp,
                sha256=sha256,
                size_bytes=file.status.st_size,
            )
        )
    if draft is not None and (before is not None or error is not None):
        draft.path.unlink()
    if before is not None:
        return PieceState(before.state)
    return PieceState.WAITING if error is None else PieceState.REFUSED


def _grew(node: Node, source: SourceRow, file: _File, draft: Draft) -> bool:
    """Say whether a file of this name was taken before, and is now the same with more behind it."""
    with node.database.read() as session:
        seen = session.get(SeenFileRow, (identity(source), file.name))
        taken = None if seen is None else _taken(session, source, seen.sha256)
    if seen is None or taken is None or taken.state == PieceState.REFUSED:
        return False
    if draft.size_bytes <= seen.size_bytes:
        return False
    digest, left = hashlib.sha256(), seen.size_bytes
    with draft.path.open("rb") as copy:
        while left and (part := copy.read(min(left, _READ_BYTES))):
            digest.update(part)
            left -= len(part)
    return "sha256:" + digest.hexdigest() == seen.sha256


def _pieces(file: _File) -> Iterator[bytes]:
    """Read the file that was seen, as much as it had then; raise _Swapped or FolderGone."""
    try:
        with _parent_of(file) as parent:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            descriptor = os.open(file.path.name, flags, dir_fd=parent)
    except OSError as error:
        raise _Swapped from error
    with os.fdopen(descriptor, "rb") as content:
        status, left = os.fstat(descriptor), file.status.st_size
        if _stamp(status) != file.stamp or not stat.S_ISREG(status.st_mode):
            raise _Swapped
        try:
            while left and (part := content.read(min(left, _READ_BYTES))):
                left -= len(part)
                yield part
        except OSError as error:
            raise FolderGone(f"{file.name} cannot be read: {error.strerror}") from error


def _changed(file: _File) -> bool:
    try:
        return _stamp(file.path.lstat()) != file.stamp
    except OSError:
        return True


def _move(file: _File, settings: FolderSettings, state: PieceState) -> None:
    """Put a file away; one that was replaced at this very moment is put back and read at the next look."""
    put_away = REFUSED if state is PieceState.REFUSED else TAKEN
    name = file.path.name
    try:
        with (
            _parent_of(file) as parent,
            _opened(file.folder, (put_away, *file.within.parent.parts)) as target,
        ):
            new_name = f"{name}.{file.status.st_mtime_ns}" if _is_there(name, target) else name
            os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=target)
            if _stamp(os.stat(new_name, dir_fd=target, follow_symlinks=False)) != file.stamp:
                os.rename(new_name, name, src_dir_fd=target, dst_dir_fd=parent)
                return
            if settings.marker is not None:
                with suppress(FileNotFoundError):
                    os.unlink(name + settings.marker, dir_fd=parent)
    except OSError as error:
        raise FolderGone(f"{file.name} cannot be moved: {error.strerror}") from error


@contextmanager
def _parent_of(file: _File) -> Iterator[int]:
    """Open the folder in which a file was seen."""
    with _opened(file.folder, file.within.parent.parts, make=False) as parent:
        yield parent


@contextmanager
def _opened(folder: Path, parts: tuple[str, ...], *, make: bool = True) -> Iterator[int]:
    """Open a folder below the watched one by a way without links; raise OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            below = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"


def _spelled(name: str) -> str:
    """Write a name as text that a database and a terminal take: names of files are any bytes."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
