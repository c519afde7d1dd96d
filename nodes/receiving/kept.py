"""What this node has received and still holds: for which purpose, until when, and what is due to be deleted.

A grant's expiry binds the consumer: so many days after the delivery the data is gone. ``purge`` deletes the
file in the inbox and the copy that a pull made of it; the proof stays, because it holds no data. A copy that
was changed since is not touched and is named, as only a person can say what it has become.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import col, func, select

from audit.durable import sync_folder
from contracts.clock import epoch_ms, from_epoch_ms
from nodes.exclusive import exclusively
from nodes.node import Node
from nodes.publishing.artifacts import hash_file
from nodes.sharing_tables import ReceivedRow


@dataclass(frozen=True, slots=True)
class Holding:
    """One received release: ``delete_after`` is None where the grant set no end."""

    grant: str
    dataset: str
    release: int
    purpose: str | None
    sha256: str
    path: Path
    copy_path: Path | None
    rows: int
    received_at: datetime
    delete_after: datetime | None
    purged_at: datetime | None
    due: bool

    @property
    def is_held(self) -> bool:
        """Say whether it has not been deleted yet."""
        return self.purged_at is None

    def stands_at(self, path: Path) -> bool:
        """Say whether a file is where this release was put."""
        return path in {self.path, self.copy_path}


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge deleted, and the copies that it left because they were changed."""

    grants: tuple[str, ...]
    files: tuple[Path, ...]
    left: tuple[Path, ...]


def holdings(node: Node, dataset: str | None = None) -> list[Holding]:
    """List what was received, oldest first, also what has been deleted since."""
    wanted = [] if dataset is None else [col(ReceivedRow.dataset) == dataset]
    with node.database.read() as session:
        query = select(ReceivedRow).where(*wanted).order_by(col(ReceivedRow.at), col(ReceivedRow.grant_id))
        rows = session.exec(query).all()
    now = epoch_ms(node.clock.now())
    return [_holding(row, now) for row in rows]


def count_due(node: Node) -> int:
    """Count the releases that should have been deleted by now."""
    now = epoch_ms(node.clock.now())
    with node.database.read() as session:
        query = select(func.count()).where(col(ReceivedRow.purged_at).is_(None))
        return int(session.exec(query.where(col(ReceivedRow.delete_after) <= now)).one())


def purge(node: Node, *, dry_run: bool = False) -> Purged:
    """Delete every file whose time is up, or only say which; what was deleted before is not named again.

    Raises Busy while releases of such a dataset are being pulled.
    """
    done = Purged((), (), ())
    for item in [item for item in holdings(node) if item.due]:
        folder = node.home.inbox / item.dataset
        folder.mkdir(mode=0o700, exist_ok=True)
        with exclusively(folder / ".lock"):
            gone, left = _files_of(node, item)
            if not dry_run:
                _delete(node, item, gone)
        done = Purged((*done.grants, item.grant), (*done.files, *gone), (*done.left, *left))
    return done


def _files_of(node: Node, item: Holding) -> tuple[list[Path], list[Path]]:
    """Divide the files of a holding into those to delete and those that are no longer what was received."""
    others = [other for other in holdings(node, item.dataset) if other.grant != item.grant and other.is_held]
    gone, left = [], []
    for path in (item.path, item.copy_path):
        if path is None or not path.is_file():
            continue
        digest = hash_file(path).sha256
        # The same release, received again under another grant, stands in the same place.
        sharing = [other for other in others if other.sha256 == digest and other.stands_at(path)]
        if any(not other.due for other in sharing):
            continue
        if digest == item.sha256:
            gone.append(path)
        elif not sharing:
            left.append(path)
    return gone, left


def _delete(node: Node, item: Holding, files: list[Path]) -> None:
    """Delete first and write down afterwards: a crash between the two only makes the next purge repeat."""
    for path in files:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    with node.database.transaction() as session:
        row = session.get_one(ReceivedRow, item.grant)
        row.purged_at = epoch_ms(node.clock.now())
        session.add(row)


def _holding(row: ReceivedRow, now: int) -> Holding:
    return Holding(
        grant=row.grant_id,
        dataset=row.dataset,
        release=row.number,
        purpose=row.purpose,
        sha256=row.sha256,
        path=Path(row.path),
        copy_path=None if row.copy_path is None else Path(row.copy_path),
        rows=row.rows,
        received_at=from_epoch_ms(row.at),
        delete_after=None if row.delete_after is None else from_epoch_ms(row.delete_after),
        purged_at=None if row.purged_at is None else from_epoch_ms(row.purged_at),
        due=row.purged_at is None and row.delete_after is not None and row.delete_after <= now,
    )
