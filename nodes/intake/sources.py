"""The sources of a node: a person adds them, looks at them, gives them a new token, and removes them."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func
from sqlmodel import col, select

from contracts.clock import epoch_ms, from_epoch_ms, rfc3339
from contracts.errors import Invalid, Unauthenticated
from nodes.exclusive import exclusively
from nodes.intake.model import (
    FolderSettings,
    LotState,
    NewSource,
    NoSuchSource,
    PieceState,
    RowsWaiting,
    Settings,
    SourceKind,
    SourceNameTaken,
    SqlSettings,
    StoredSettings,
    WrongSourceKind,
)
from nodes.intake.spool import find_source, identity, piece_path, spool_folder
from nodes.intake.tables import LotRow, PieceRow, SourceRow
from nodes.node import Node
from nodes.publishing.datasets import own_record

SHOWN = 20
_TOKEN = re.compile(r"hws_[A-Za-z0-9_-]{43}")

Fields = dict[str, Any]  # Any: the JSON that people and scripts read


class SourceUnusable(Invalid):
    """The source cannot work as it is described."""

    code = "source-unusable"
    title_zh = "来源的设置无法使用"
    next_zh = "按提示改正设置后重新添加。"
    next_en = "Correct what the detail names and add the source again."


class TokenRefused(Unauthenticated):
    """The source is unknown here, or the token is not its own."""

    code = "token-refused"
    title_zh = "来源名称或令牌不正确"
    next_zh = "向节点操作员索取令牌;遗失时由其用 headwaters source token 另发。"
    next_en = "Ask the node's operator, who makes a new token with headwaters source token."


@dataclass(frozen=True, slots=True)
class Added:
    """A new source; a push source's token is shown this once and kept nowhere."""

    name: str
    token: str | None


def add_source(node: Node, new: NewSource) -> Added:
    """Keep a source of a dataset that this node declared.

    Raises DatasetNotDeclared, SourceNameTaken, or SourceUnusable for a folder or a database that cannot be
    what it is said to be.
    """
    own_record(node, new.dataset)
    _check_settings(node, new.settings)
    token = _new_token() if new.settings.kind is SourceKind.PUSH else None
    now = epoch_ms(node.clock.now())
    with node.database.transaction() as session:
        query = select(SourceRow).where(SourceRow.name == new.name, col(SourceRow.removed_at).is_(None))
        if session.exec(query).first() is not None:
            raise SourceNameTaken(f"{new.name} is there already")
        row = SourceRow(
            name=new.name,
            dataset=new.dataset,
            kind=new.settings.kind,
            settings=StoredSettings(settings=new.settings).canonical().decode(),
            every_seconds=new.every_seconds,
            next_at=now,
            token=None if token is None else _digest(token),
            at=now,
        )
        session.add(row)
        session.flush()
        # The folder comes before the row counts: whoever finds the source can land in it.
        spool_folder(node, identity(row)).mkdir(mode=0o700, parents=True, exist_ok=True)
    return Added(new.name, token)


def settings_of(row: SourceRow) -> Settings:
    """Read a source's settings."""
    return StoredSettings.parse(row.settings.encode()).settings


def own_sources(node: Node) -> Sequence[SourceRow]:
    """List the sources, by name."""
    with node.database.read() as session:
        query = select(SourceRow).where(col(SourceRow.removed_at).is_(None)).order_by(col(SourceRow.name))
        return session.exec(query).all()


def list_sources(node: Node) -> list[Fields]:
    """Say of each source how it stands."""
    return [_line(node, row) for row in own_sources(node)]


def show_source(node: Node, name: str) -> Fields:
    """Show one source: its settings, what waits, what was refused, its newest lots. Raise NoSuchSource."""
    row = find_source(node, name)
    with node.database.read() as session:
        refused = session.exec(
            select(PieceRow)
            .where(PieceRow.source == row.id, PieceRow.state == PieceState.REFUSED)
            .order_by(col(PieceRow.id).desc())
            .limit(SHOWN)
        ).all()
        lots = session.exec(
            select(LotRow).where(LotRow.source == row.id).order_by(col(LotRow.id).desc()).limit(SHOWN)
        ).all()
    return {
        **_line(node, row),
        "settings": settings_of(row).model_dump(mode="json"),
        "cursor": None if row.cursor is None else orjson.loads(row.cursor)["value"],
        "refused": [
            {"piece": one.id, "name": one.name or one.key, "sha256": one.sha256, "reason": one.reason}
            for one in refused
        ],
        "lots": [
            {
                "lot": one.id,
                "state": one.state,
                "release": one.release,
                "pieces": one.pieces,
                "rows": one.rows_read,
                "quarantined": one.rows_quarantined,
                "reason": one.reason,
                "at": rfc3339(from_epoch_ms(one.at)),
            }
            for one in lots
        ],
    }


def renew_token(node: Node, name: str) -> Added:
    """Give a push source another token; the old one counts no more. Raise NoSuchSource, WrongSourceKind."""
    found = find_source(node, name)
    if found.kind != SourceKind.PUSH:
        raise WrongSourceKind(f"{name} takes no pushed rows")
    token = _new_token()
    with node.database.transaction() as session:
        row = session.get(SourceRow, found.id)
        if row is None or row.removed_at is not None:
            raise NoSuchSource(f"{name} was removed")
        row.token = _digest(token)
        session.add(row)
    return Added(name, token)


def remove_source(node: Node, name: str, *, discard: bool = False) -> Fields:
    """Take a source away; raise RowsWaiting while rows wait or were refused, unless they may go.

    An open lot is never discarded: its release may be out already.
    """
    row = find_source(node, name)
    with exclusively(run_lock(node, row)):
        with node.database.transaction() as session:
            query = select(PieceRow).where(
                PieceRow.source == row.id,
                col(PieceRow.state).in_([PieceState.WAITING, PieceState.REFUSED]),
                col(PieceRow.file).is_not(None),
            )
            waiting = session.exec(query).all()
            open_lot = session.exec(
                select(LotRow).where(LotRow.source == row.id, LotRow.state == LotState.OPEN)
            ).first()
            if open_lot is not None or (waiting and not discard):
                raise RowsWaiting(f"{len(waiting)} pieces of {name} wait", pieces=len(waiting))
            for piece in waiting:
                # Forgotten with its key: what was discarded here may land again under another source.
                session.delete(piece)
            kept = session.get(SourceRow, row.id)
            if kept is None or kept.removed_at is not None:
                raise NoSuchSource(f"{name} was removed")
            kept.removed_at, kept.token = epoch_ms(node.clock.now()), None
            session.add(kept)
        for piece in waiting:
            piece_path(node, piece).unlink(missing_ok=True)
    return {"source": name, "discarded": len(waiting)}


def authenticate(node: Node, name: str, token: str) -> SourceRow:
    """Find the push source that a token opens; raise TokenRefused, which does not say what was wrong."""
    try:
        row = find_source(node, name)
        kept = row.token or ""
    except NoSuchSource:
        row, kept = None, ""
    if not hmac.compare_digest(_digest(token), kept or _digest(secrets.token_hex())) or row is None:
        raise TokenRefused("this token opens no source of this name")
    return row


def run_lock(node: Node, row: SourceRow) -> Path:
    """Give the lock under which one source is read and lot."""
    return node.home.path / "run" / f"source-{identity(row)}.lock"


def _line(node: Node, row: SourceRow) -> Fields:
    with node.database.read() as session:
        query = select(PieceRow.state, func.count(), func.sum(PieceRow.size_bytes)).where(
            PieceRow.source == row.id
        )
        counts = {state: (count, size) for state, count, size in session.exec(query.group_by(PieceRow.state))}
    waiting = [counts.get(state, (0, 0)) for state in (PieceState.WAITING, PieceState.LOT)]
    return {
        "source": row.name,
        "dataset": row.dataset,
        "kind": row.kind,
        "every_seconds": row.every_seconds,
        "waiting": sum(count for count, _ in waiting),
        "waiting_bytes": sum(size for _, size in waiting),
        "released": counts.get(PieceState.RELEASED, (0, 0))[0],
        "refused_pieces": counts.get(PieceState.REFUSED, (0, 0))[0],
        "run_at": None if row.run_at is None else rfc3339(from_epoch_ms(row.run_at)),
        "note": row.note,
        "trouble": row.trouble,
    }


def _check_settings(node: Node, settings: Settings) -> None:
    if isinstance(settings, FolderSettings):
        folder = Path(settings.path)
        if not folder.is_absolute() or not folder.is_dir() or folder.is_symlink():
            raise SourceUnusable(f"{settings.path} is no folder; give its absolute path")
        if folder.resolve().is_relative_to(node.home.path.resolve()):
            raise SourceUnusable("the folder lies in the home of the node")
    if isinstance(settings, SqlSettings) and (settings.url_file is None) == (settings.url_env is None):
        raise SourceUnusable("the database's address stands in one place: url_file or url_env")
    if isinstance(settings, SqlSettings) and settings.url_file and not Path(settings.url_file).is_absolute():
        raise SourceUnusable("give the absolute path of url_file")


def _new_token() -> str:
    return "hws_" + secrets.token_urlsafe(32)


def _digest(token: str) -> str:
    if _TOKEN.fullmatch(token) is None:
        token = ""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()
