"""Hold the heads of a cut against this node's own books: what must be there, and what must not.

Pure. A grant that was logged below the cut must be in its subscription's head; one that the head does not
list as open is said to be done, and is believed only with its closing entry; and no more can be done than
this node signed for.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.messages import HeadsCut, OpenGrant, SubscriptionHead
from nodes.counting.book_tables import BookRow


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction between a head and the books."""

    code: str
    subscription: str
    grant: str | None = None


@dataclass
class Judgement:
    """What came of it: contradictions, transfers said to be done, and those that are still open."""

    findings: list[Finding] = field(default_factory=list)
    said_done: list[BookRow] = field(default_factory=list)
    still_open: list[BookRow] = field(default_factory=list)


def judge(
    cut: HeadsCut,
    heads: Mapping[str, SubscriptionHead],
    rows: Sequence[BookRow],
    older: Container[str] = (),
) -> Judgement:
    """Compare every row of the books with the heads of ``cut``; ``older`` are the shards before the cut's."""
    judgement = Judgement()
    for row in rows:
        head = heads.get(row.subscription)
        if head is None or head.seq < row.seq:
            if row.origin in older or (row.origin == cut.origin and row.entry < cut.index):
                judgement.findings.append(Finding("grant-left-out", row.subscription, row.grant_id))
            continue
        shown = [one for one in head.open_grants if one.grant == row.grant_id]
        if not shown:
            if row.cut is None:
                judgement.said_done.append(row)
        elif row.cut is not None:
            judgement.findings.append(Finding("done-taken-back", row.subscription, row.grant_id))
        elif _place(shown[0]) != (row.origin, row.entry, row.seq) or len(shown) > 1:
            judgement.findings.append(Finding("grant-moved", row.subscription, row.grant_id))
        else:
            judgement.still_open.append(row)
    return judgement


def check_totals(heads: Mapping[str, SubscriptionHead], rows: Sequence[BookRow]) -> list[Finding]:
    """Find subscriptions with more transfers done than this node signed for."""
    findings = []
    for name, head in sorted(heads.items()):
        known = sum(row.subscription == name and row.cut is not None for row in rows)
        if head.seq - len(head.open_grants) > known:
            findings.append(Finding("done-without-us", name))
    return findings


def _place(grant: OpenGrant) -> tuple[str, int, int]:
    return grant.origin, grant.index, grant.seq
