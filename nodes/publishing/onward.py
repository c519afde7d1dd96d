"""No onward sharing: what another participant delivered under a purpose may not be published again here.

A file is recognised by its digest, or by a mark of the alliance in it that this node did not put there; the
release that would come of it by the digest of its artifact. The exchange compares digests again. Rows that
somebody typed anew are recognised by nobody; the agreement forbids them all the same.
"""

from pathlib import Path

from sqlmodel import col, select

from contracts.errors import Refused
from contracts.view import WATERMARK_MARK
from nodes.node import Node
from nodes.sharing_tables import ReceivedRow, ReleaseRow, ViewRow, WatermarkRow
from nodes.sources.parquet_rows import read_marks


class OnwardSharing(Refused):
    """The data was received for one purpose and may not be passed on."""

    code = "onward-sharing"
    title_zh = "该数据系按约定用途接收,不得转供"
    next_zh = "请需要数据的单位直接向原提供方申请。"
    next_en = "Have whoever needs the data apply to its provider."


def check_not_received(node: Node, sha256: str) -> None:
    """Raise OnwardSharing for bytes that were delivered to this node, also if they were deleted since."""
    with node.database.read() as session:
        row = session.exec(select(ReceivedRow).where(col(ReceivedRow.sha256) == sha256)).first()
        own = session.exec(select(ReleaseRow).where(col(ReleaseRow.artifact) == sha256)).first()
    if row is not None and own is None:
        raise OnwardSharing(f"the bytes are of {row.dataset} {row.number}, received under {row.grant_id}")


def check_marks(node: Node, path: Path, sha256: str) -> None:
    """Raise OnwardSharing for a file that carries the marks of somebody else's view."""
    marks = read_marks(path)
    if not marks:
        return
    with node.database.read() as session:
        token = marks.get(WATERMARK_MARK)
        own = token is not None and session.get(WatermarkRow, token) is not None
        own = own or session.exec(select(ViewRow).where(col(ViewRow.sha256) == sha256)).first() is not None
    if not own:
        raise OnwardSharing("the file carries the marks of a view that another participant delivered")
