"""What the handlers of obligations work on: the draft of a view, and one delivery on its way into the books.

A view is made once for an artifact and a list of obligations; what is counted, counts for every grant. So a
kind of obligation is met either on the draft or on the delivery, and that is where its evidence comes from.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import polars as pl
from sqlmodel import Session

from audit.commitment import ContentDigest
from contracts.errors import Refused
from contracts.messages import Discharged, Grant, Obligation
from contracts.view import ViewShape
from nodes.node import Node


class DutyFailed(Refused):
    """An obligation could not be met, so no data leaves."""

    code = "duty-failed"
    title_zh = "义务未能履行,数据未送出"
    next_zh = "查看提供方节点日志中的原因,修复后重新申请传输。"
    next_en = "Look for the cause in the provider node's log, mend it, and ask for the transfer again."


@dataclass(frozen=True, slots=True)
class View:
    """The bytes that one delivery moves; ``evidence`` is of the obligations that made them, in order."""

    path: Path
    content: ContentDigest
    rows: int
    redacted: tuple[str, ...]
    evidence: tuple[Discharged, ...] = ()


@dataclass(slots=True)
class Draft:
    """A view while it is made; the result is kept under ``artifact`` and ``key`` for every later grant.

    ``key`` is the digest of the obligations, ``published`` the number of the release's rows. Handlers replace
    ``frame``, and may write ``marks``, the file's metadata, under the names in ``contracts.view.MARKS``.
    """

    node: Node
    dataset: str
    release: int
    artifact: str
    key: str
    published: int
    shape: ViewShape
    obligations: tuple[Obligation, ...]
    frame: pl.DataFrame
    marks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One grant on its way into the books.

    ``session`` is the write transaction in which delivery, receipt and outbox row are kept: what a handler
    adds to it stays or goes with them.
    """

    node: Node
    grant: Grant
    view: View
    session: Session
    now: datetime


DutyT = TypeVar("DutyT", bound=Obligation)
Shape = Callable[[Draft, DutyT], Discharged]
Keep = Callable[[Delivery, DutyT], Discharged]
Mark = Callable[[Draft, DutyT], None]
