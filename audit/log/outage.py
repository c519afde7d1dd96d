"""The outage clock: how long the log may grow without a quorum of witnesses before new business stops.

The clock is the log itself: it began with the first entry that no published checkpoint covers, so a restart,
a restored copy or a lost status page cannot wind it back. A log that never had a quorum has lost none. When
the grace is over, what promises something new is refused; closings, refusals, events and the acts that repair
the alliance go on, because they are evidence of what happened, or the way out.
"""

from datetime import datetime, timedelta

from audit.log.entry import EntryKind
from contracts.errors import Unavailable

_JITTER = timedelta(seconds=5)  # what a clock may step back when it is disciplined

NEW_BUSINESS = frozenset(
    {
        EntryKind.CONTRACT_PUBLISH,
        EntryKind.DATASET_PUBLISH,
        EntryKind.RELEASE_PUBLISH,
        EntryKind.APPLICATION_OPEN,
        EntryKind.AGREEMENT,
        EntryKind.GRANT,
    }
)


class WitnessGraceOver(Unavailable):
    """The log has gone without a quorum of witnesses for longer than it may."""

    code = "witness-grace-over"
    title_zh = "日志失去法定见证的时间已超过宽限期,暂停新业务"
    next_zh = "恢复足够的见证方节点;日志重新获得法定副署后自动继续。"
    next_en = "Bring enough witness nodes back; business goes on by itself once a quorum has cosigned."


def is_over(since: datetime | None, now: datetime, grace: timedelta) -> bool:
    """Tell whether the log has waited too long; a clock set back behind the outage counts as too long."""
    return since is not None and not -_JITTER <= now - since <= grace
