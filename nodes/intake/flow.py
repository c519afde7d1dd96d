"""Run a source: read what is new into the spool, then publish until nothing waits; by hand or when due.

What keeps one source waiting is written beside it for people to see, and keeps no other source waiting.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import delete
from sqlmodel import col, select

from contracts.clock import epoch_ms
from contracts.errors import HeadwatersError
from nodes.exclusive import Busy, exclusively
from nodes.intake import folder, sql
from nodes.intake.lots import Lot, Progress, forget_refused, publish_next
from nodes.intake.model import FolderSettings, PieceState, SourceKind, SqlSettings
from nodes.intake.sources import own_sources, run_lock, settings_of
from nodes.intake.spool import find_source, identity
from nodes.intake.tables import PieceRow, SeenFileRow, SourceRow
from nodes.node import Node

log = structlog.get_logger(__name__)

KEPT_KEYS = timedelta(days=35)
RETRY_SECONDS = 60

_HANDED = (SourceKind.PUSH, SourceKind.STATION, SourceKind.SQL)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: pieces that landed and were refused, and the lots that were made."""

    landed: int
    refused: int
    note: str | None
    lots: list[Lot] = field(default_factory=list)


def run(node: Node, name: str, progress: Progress = lambda _: None, *, again: bool = False) -> Run:
    """Read a source and publish its releases; with ``again`` refused pieces are tried once more.

    Raises NoSuchSource, Busy while it runs already, or what keeps it waiting, which is noted as well.
    """
    source = find_source(node, name)
    with exclusively(run_lock(node, source)):
        return _noted(node, source, lambda: _run(node, source, progress, again=again))


def tick(node: Node) -> int:
    """Run every source that is due; give how many releases were made."""
    now = epoch_ms(node.clock.now())
    due = [row for row in own_sources(node) if row.every_seconds and row.next_at <= now]
    return sum(_due(node, source) for source in due)


def _due(node: Node, source: SourceRow) -> int:
    try:
        done = run(node, source.name)
    except Busy:
        return 0
    except HeadwatersError as error:
        if source.trouble is None or not source.trouble.startswith(error.code):
            log.warning("source_waits", source=source.name, code=error.code)
        return 0
    except Exception as error:  # noqa: BLE001  # one odd source must not end the node, nor keep others waiting
        log.error("unexpected_error", source=source.name, error=type(error).__name__)  # noqa: TRY400  # no stack
        return 0
    return sum(lot.release is not None for lot in done.lots)


def _run(node: Node, source: SourceRow, progress: Progress, *, again: bool) -> Run:
    if again:
        forget_refused(node, source)
        _forget_stamps(node, source)
    landed, refused, note = _collect(node, source)
    lots = []
    while (lot := publish_next(node, source, progress)) is not None:
        lots.append(lot)
    _forget_keys(node, source)
    return Run(landed, refused, note, lots)


def _collect(node: Node, source: SourceRow) -> tuple[int, int, str | None]:
    settings = settings_of(source)
    if isinstance(settings, FolderSettings):
        looked = folder.look(node, source, settings)
        note = f"{looked.unsettled} 个文件尚未写完 files are not finished" if looked.unsettled else None
        return looked.landed, looked.refused, note
    if isinstance(settings, SqlSettings):
        read = sql.read_on(node, source, settings)
        said = [f"{read.without_cursor} 行无 {settings.by},未读 rows have no {settings.by} and are not read"]
        said = said if read.without_cursor else []
        if read.unread_columns:
            said.append("未读的列 columns not read: " + ", ".join(read.unread_columns)[:400])
        return read.landed, 0, "; ".join(said) or None
    return 0, 0, None


def _noted(node: Node, source: SourceRow, work: Callable[[], Run]) -> Run:
    """Do the work, and write beside the source how it went and when it is due again."""
    pause = min(source.every_seconds or RETRY_SECONDS, RETRY_SECONDS)
    try:
        done = work()
    except HeadwatersError as error:
        _note(node, source, pause, trouble=f"{error.code}: {error.detail}"[:2000])
        raise
    except Exception as error:  # noted beside the source; its words may hold data, so only its class is
        _note(node, source, pause, trouble=f"internal: {type(error).__name__}")
        raise
    _note(node, source, source.every_seconds, note=done.note)
    return done


def _note(
    node: Node, source: SourceRow, seconds: int, *, trouble: str | None = None, note: str | None = None
) -> None:
    now = epoch_ms(node.clock.now())
    with node.database.transaction() as session:
        row = session.get_one(SourceRow, source.id)
        row.run_at, row.next_at, row.trouble = now, now + seconds * 1000, trouble
        row.trouble_at = now if trouble else None
        row.note = note if trouble is None else row.note
        session.add(row)


def _forget_stamps(node: Node, source: SourceRow) -> None:
    with node.database.transaction() as session:
        known = select(PieceRow.key).where(PieceRow.source == source.id)
        query = delete(SeenFileRow).where(
            col(SeenFileRow.source) == source.id, col(SeenFileRow.sha256).not_in(known)
        )
        session.connection().execute(query)


def _forget_keys(node: Node, source: SourceRow) -> None:
    """Let go of the keys of rows that were released long ago; a sender that repeats does so within days."""
    if source.kind not in _HANDED:
        return
    limit = epoch_ms(node.clock.now() - KEPT_KEYS)
    with node.database.transaction() as session:
        query = delete(PieceRow).where(
            col(PieceRow.source) == identity(source),
            col(PieceRow.state) == PieceState.RELEASED,
            col(PieceRow.at) < limit,
        )
        session.connection().execute(query)
