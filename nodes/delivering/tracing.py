"""Trace a file that turned up somewhere: to whom this node gave it, under which grants, and when.

Three kinds of evidence, the strongest first: the mark in the file, which only this node can make; the digest
of its bytes, which receipts are signed over; its rows, when the mark was taken out and the file written anew.
Rows may have gone to several participants alike: then all are named, and it is said that the file does not
tell which. Where nothing speaks, the answer is that nobody can tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl
from polars.exceptions import PanicException, PolarsError
from sqlalchemy import ColumnElement
from sqlmodel import col, select

from contracts.clock import from_epoch_ms
from contracts.errors import Invalid, Undecidable
from contracts.messages import Grant, Receipt
from contracts.view import WATERMARK_MARK
from nodes.delivering.duties.watermarks import find_token
from nodes.delivering.views import view_path
from nodes.node import Node
from nodes.publishing.artifacts import artifact_path, hash_file
from nodes.sharing_tables import DeliveryRow
from nodes.signed import peek_statement
from nodes.sources.parquet_rows import read_marks

Evidence = Literal["mark", "digest", "rows"]
Sameness = Literal["bytes", "rows", "changed"]
PAGE = 500


class NoSuchFile(Invalid):
    """There is no such file on this machine."""

    code = "no-such-file"
    title_zh = "本机没有该文件"
    next_zh = "给出节点所在机器上的文件路径。"
    next_en = "Name a file on the machine that the node runs on."


class NotTraced(Undecidable):
    """Nothing in the file says whom this node gave it to."""

    code = "not-traced"
    title_zh = "无法判定该文件由谁获得"
    next_zh = "若文件含其他节点的水印,请该提供方追溯;否则只能另寻证据。"
    next_en = "If it carries another node's mark, ask that provider; otherwise look for other evidence."


@dataclass(frozen=True, slots=True)
class Handed:
    """One delivery of a view."""

    grant: str
    recipient: str
    dataset: str
    release: int
    purpose: str
    view: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Traced:
    """What a file says: by which evidence, whose it was, and the deliveries that it may come from.

    ``same`` says how much of the file is what was delivered: its bytes, its rows, or the mark alone, which
    somebody may have put into other data. A marked view that was made and never delivered has no deliveries.
    """

    by: Evidence
    same: Sameness
    token: str | None
    recipients: tuple[str, ...]
    handed: tuple[Handed, ...]


def trace(node: Node, path: Path) -> Traced:
    """Find out to whom this node gave a file; raise NoSuchFile or NotTraced."""
    if not path.is_absolute() or not path.is_file():
        raise NoSuchFile(f"{path} is no file")
    digest = hash_file(path).sha256
    token = read_marks(path).get(WATERMARK_MARK)
    found = _by_mark(node, path, digest, token) or _by_content(node, path, digest)
    if found is None:
        why = "it carries a mark that this node did not make" if token else "it carries no mark"
        raise NotTraced(f"{why}, and neither its bytes nor its rows are of a delivery of this node")
    return found


def _by_mark(node: Node, path: Path, digest: str, token: str | None) -> Traced | None:
    row = find_token(node, token) if token is not None else None
    if row is None:
        return None
    made = (col(DeliveryRow.artifact) == row.artifact, col(DeliveryRow.obligations) == row.obligations)
    handed = tuple(_deliveries(node, *made))
    if any(item.view == digest for item in handed):
        same: Sameness = "bytes"
    else:
        same = "rows" if handed and _holds(node, handed[0].view, _rows(path)) else "changed"
    return Traced("mark", same, token, (row.recipient,), handed)


def _by_content(node: Node, path: Path, digest: str) -> Traced | None:
    """Look for a view with a file's bytes; without one, for all that are still here and hold its rows."""
    deliveries = list(_deliveries(node))
    views = {item.view for item in deliveries}
    if digest in views:
        return _traced("digest", "bytes", deliveries, {digest})
    rows = _rows(path)
    return _traced("rows", "rows", deliveries, {view for view in views if _holds(node, view, rows)})


def _traced(by: Evidence, same: Sameness, deliveries: list[Handed], views: set[str]) -> Traced | None:
    handed = tuple(item for item in deliveries if item.view in views)
    recipients = tuple(sorted({item.recipient for item in handed}))
    return Traced(by, same, None, recipients, handed) if handed else None


def _deliveries(node: Node, *wanted: ColumnElement[bool]) -> Iterator[Handed]:
    """Give the deliveries that this node signed receipts for, oldest first."""
    with node.database.read() as session:
        query = select(DeliveryRow).where(*wanted).order_by(col(DeliveryRow.at), col(DeliveryRow.grant_id))
        for row in session.exec(query.execution_options(yield_per=PAGE)):
            grant = Grant.parse(row.grant.encode())
            yield Handed(
                grant=grant.grant,
                recipient=grant.consumer,
                dataset=grant.dataset,
                release=grant.release,
                purpose=grant.purpose,
                view=peek_statement(row.receipt, Receipt).statement.view_sha256,
                at=from_epoch_ms(row.at),
            )


def _rows(path: Path) -> pl.DataFrame | None:
    try:
        return pl.read_parquet(path, glob=False)
    except (PolarsError, PanicException, OSError):
        return None


def _holds(node: Node, view: str, rows: pl.DataFrame | None) -> bool:
    """Say whether a view that is still here holds all of some rows, under the same columns."""
    places = [place for place in (view_path(node, view), artifact_path(node, view)) if place.is_file()]
    ours = _rows(places[0]) if places else None
    if ours is None or rows is None or rows.is_empty() or set(rows.columns) != set(ours.columns):
        return False
    try:
        same = rows.select(ours.columns).cast(ours.schema)
        found = same.join(ours.unique(), on=ours.columns, how="semi", nulls_equal=True)
    except (PolarsError, PanicException):
        return False  # its columns are of other types
    return len(found) == len(same)
