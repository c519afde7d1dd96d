"""The rules about denials and events: how many denials reach the log, and when they look like probing.

Pure. Authenticated callers only can write to the log, at a limited rate; what is beyond it is counted and
rolled up, one entry per participant and window (docs/explanation/transfer.md, step 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.errors import TooMany
from contracts.messages import Severity, Text
from exchange.parts import Alarm

LOGGED_DENIALS = 30
DENIAL_WINDOW = timedelta(seconds=60)
PROBED_DATASETS = 3
PROBE_WINDOW = timedelta(seconds=60)
PROBE_COOL_DOWN = timedelta(minutes=10)
PROBING = "access.probing"
UNDECIDED = "policy.undecided"
UNDECIDED_COOL_DOWN = timedelta(minutes=10)
_FAULT = "pdp:"  # the codes of a decision point that could not decide

Act = Literal["apply", "transfer", "answer"]


class TooManyDenials(TooMany):
    """This participant was refused too often; the refusals are now counted and logged together."""

    code = "too-many-denials"
    title_zh = "被拒绝次数过多,已合并计入日志"
    next_zh = "先处理拒绝理由,一分钟后再试。"
    next_en = "Deal with the reasons first, then try again in a minute."


@dataclass(frozen=True, slots=True)
class Denied:
    """One earlier refusal of a participant."""

    dataset: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Overflow:
    """Refusals of one participant in one window that have no entry of their own."""

    participant: str
    count: int
    since: datetime
    until: datetime


def has_own_entry(logged: int) -> bool:
    """Say whether the next denial gets an entry of its own, after ``logged`` ones in the window."""
    return logged < LOGGED_DENIALS


def judge_probing(
    participant: str, denied: Sequence[Denied], *, now: datetime, last_alarm_at: datetime | None
) -> Alarm | None:
    """Raise the alarm for denials on three distinct datasets within 60 seconds, once in ten minutes.

    The alarm names no dataset: every member reads it, and what exists is not every member's business.
    """
    if last_alarm_at is not None and now - last_alarm_at < PROBE_COOL_DOWN:
        return None
    recent = [one for one in denied if now - one.at < PROBE_WINDOW]
    datasets = len({one.dataset for one in recent})
    if datasets < PROBED_DATASETS:
        return None
    return Alarm(
        event_class=PROBING,
        severity=Severity.HIGH,
        subject=participant,
        title=Text(
            zh="短时间内对多个数据集的请求被拒绝,疑似试探访问",
            en="Requests for several datasets were refused within a minute: possible probing",
        ),
        facts={
            "datasets": datasets,
            "denials": len(recent),
            "window_seconds": int(PROBE_WINDOW.total_seconds()),
        },
    )


def judge_undecided(codes: Sequence[str], *, now: datetime, last_alarm_at: datetime | None) -> Alarm | None:
    """Raise the alarm for a refusal because the policy engine could not decide, once in ten minutes."""
    faults = [code for code in codes if code.startswith(_FAULT)]
    if not faults or (last_alarm_at is not None and now - last_alarm_at < UNDECIDED_COOL_DOWN):
        return None
    return Alarm(
        event_class=UNDECIDED,
        severity=Severity.HIGH,
        subject=None,
        title=Text(
            zh="访问策略引擎未能作出决定,请求一律拒绝", en="The policy engine cannot decide: all is refused"
        ),
        facts={"fault": faults[0].replace(":", ".")},
    )


def next_overflow(participant: str, moments: Sequence[datetime], now: datetime) -> Overflow | None:
    """Give the oldest window of uncounted refusals once it is over; ``moments`` ascend.

    A window is left alone for one more window, because the probing rule still looks back into it.
    """
    if not moments or now - moments[0] < 2 * DENIAL_WINDOW:
        return None
    window = [at for at in moments if at - moments[0] < DENIAL_WINDOW]
    return Overflow(participant, len(window), window[0], window[-1])
