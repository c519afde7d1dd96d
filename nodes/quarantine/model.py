"""What may become of a rejected row, and what is refused.

A row is ``open`` until a person offers a record in its place that keeps the contract (``resubmitted``), which
the next release of mended rows takes in (``accepted``), or until a person takes it back (``withdrawn``), or
until it has waited longer than its contract allows (``expired``). The last three are final. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.errors import Conflict, Invalid, NotFound


class RowState(StrEnum):
    """How far a rejected row has come."""

    OPEN = "open"
    RESUBMITTED = "resubmitted"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


WAITING = frozenset({RowState.OPEN, RowState.RESUBMITTED})


class NoSuchRow(NotFound):
    """There is no such row in quarantine."""

    code = "no-such-row"
    title_zh = "隔离区中没有这一行"
    next_zh = "用 headwaters quarantine list 查看编号。"
    next_en = "headwaters quarantine list shows the ids."


class RowClosed(Conflict):
    """The row was accepted, withdrawn or has expired, and stays so."""

    code = "row-closed"
    title_zh = "该行已处理完毕,不能再改"
    next_zh = "已接受的行如有误,发布更正批次;其余从来源重新报送。"
    next_en = "Correct an accepted row by a correcting release; send any other anew from its source."


class StillBroken(Invalid):
    """The mended record breaks the contract too."""

    code = "still-broken"
    title_zh = "修改后的记录仍不符合契约"
    next_zh = "按 reasons 继续修改后重新提交;该行仍在隔离区。"
    next_en = "Mend what the reasons name and send it again; the row stays in quarantine."


class MendedTwice(Conflict):
    """Another row of the dataset was mended to the very same record."""

    code = "mended-twice"
    title_zh = "另一行已改为完全相同的记录"
    next_zh = "若两行本是同一记录,撤回其中一行:headwaters quarantine withdraw。"
    next_en = "If the two are one record, withdraw one of them: headwaters quarantine withdraw."


class ChangesUnfit(Invalid):
    """What is offered in place of the row is no record, or changes a row that was none."""

    code = "changes-unfit"
    title_zh = "提交内容不是一条记录"
    next_zh = "提交完整记录,或只对可读的行用 --set 字段=值。"
    next_en = "Send a whole record, or use --set field=value on a row that could be read."


class NothingResubmitted(Conflict):
    """No mended row of the dataset waits for a release."""

    code = "nothing-resubmitted"
    title_zh = "没有待发布的已修改行"
    next_zh = "先用 headwaters quarantine resubmit 提交修改。"
    next_en = "Mend rows first: headwaters quarantine resubmit."


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dataset's quarantine stands: rows by state, and since when the oldest open one waits."""

    dataset: str
    rows: Mapping[RowState, int] = field(default_factory=dict)
    oldest_open_at: datetime | None = None

    def count(self, state: RowState) -> int:
        """Count the rows of one state."""
        return self.rows.get(state, 0)

    @property
    def waiting(self) -> int:
        """Count the rows that neither a person nor time has settled."""
        return sum(self.count(state) for state in WAITING)


def check_open(state: RowState, row: int) -> None:
    """Raise RowClosed for a row that is settled."""
    if state not in WAITING:
        raise RowClosed(f"row {row} is {state.value}", state=state.value)
