"""The rules of completeness: when a day is over, what a count must say, and who is told of a difference.

Pure. A difference is never mended here: what the log says and what a node says both stay on record, and the
whole alliance hears that they differ.
"""

from collections.abc import Sequence
from datetime import datetime

from audit.completeness.counts import totals
from contracts.clock import BEIJING
from contracts.errors import Conflict, Invalid, NotFound
from contracts.messages import HeadsCut, Severity, Text, TransferCount
from exchange.parts import Alarm

MISMATCH = "completeness.mismatch"
MISSING = "completeness.count-missing"


class CutUnknown(NotFound):
    """There is no such cut of the subscription heads."""

    code = "cut-unknown"
    title_zh = "没有该次订阅末态"
    next_zh = "用 headwaters audit heads 查看已有的订阅末态。"
    next_en = "headwaters audit heads lists the cuts there are."


class CountForeign(Invalid):
    """The count is about another window than the log's, or contradicts itself."""

    code = "count-foreign"
    title_zh = "计数声明与日志的时间窗不符或自相矛盾"
    next_zh = "重新读取订阅末态后再计数。"
    next_en = "Read the heads again, then count again."


class CountContradicts(Conflict):
    """This node signed another count for the same window before."""

    code = "count-contradicts"
    title_zh = "本节点已为该时间窗签署过不同的计数"
    next_zh = "第一份计数有效;保留两份作为证据并联系审计人员。"
    next_en = "The first count stands; keep both as evidence and tell the auditors."


def day_is_over(since: datetime, now: datetime) -> bool:
    """Say whether a day (UTC+8) has ended between two moments."""
    return since.astimezone(BEIJING).date() < now.astimezone(BEIJING).date()


def check_count(count: TransferCount, cut: HeadsCut) -> None:
    """Raise CountForeign unless a count is about ``cut`` and its totals are those of its lines."""
    if count.cut != cut:
        raise CountForeign(f"cut {cut.number} of the log is another one")
    keys = [(line.subscription, line.role) for line in count.lines]
    if keys != sorted(set(keys)) or (count.sent, count.received) != totals(count.lines):
        raise CountForeign("the lines are not in order, or do not add up to the totals")


def mismatch_alarm(participant: str, cut: HeadsCut, differing: Sequence[str]) -> Alarm:
    """Make the alarm for a count that differs from the log."""
    return Alarm(
        event_class=MISMATCH,
        severity=Severity.HIGH,
        subject=participant,
        title=Text(
            zh="节点自行统计的传输与审计日志不一致",
            en="What a node counted differs from the audit log",
        ),
        facts={
            "participant": participant,
            "cut": cut.number,
            "subscriptions": len(differing),
            "first": differing[0],
        },
    )


def missing_alarm(participant: str, cut: HeadsCut) -> Alarm:
    """Make the alarm for a count that did not come."""
    return Alarm(
        event_class=MISSING,
        severity=Severity.MEDIUM,
        subject=participant,
        title=Text(
            zh="节点逾期未提交传输计数",
            en="A node's count of its transfers is overdue",
        ),
        facts={"participant": participant, "cut": cut.number},
    )
