"""Judge each cut of the subscription heads by this node's own books, then sign what the books count.

Cuts come one after the other, without a gap, each proved under a quorum. Contradictions become alarms of this
node; they never keep it from signing its count, because the count is what tells everybody else. A count is
kept before it is sent and sent again until it is proved to be in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from audit.completeness.counts import count_lines, totals
from audit.completeness.heads import check_shown
from audit.log.entry import EntryKind
from contracts.clock import epoch_ms, from_epoch_ms
from contracts.errors import Conflict, Corrupt, HeadwatersError, Unavailable, Undecidable
from contracts.messages import HeadsCut, OwnHeads, Severity, SubscriptionHead, Text, TransferCount, utc
from nodes.counting import books
from nodes.counting.book_tables import BookRow, JudgedCutRow
from nodes.counting.heads_check import Finding, check_totals, judge
from nodes.exclusive import Busy, exclusively
from nodes.node import Node
from nodes.sharing_tables import OutboxRow, OutboxState
from nodes.signed import peek_statement, sign_statement
from nodes.trusting.proved import NOT_WITNESSED, ProvedEntry, prove

log = structlog.get_logger(__name__)

HEADS_DIFFER = "completeness.heads-differ"
NOT_LOGGED = "completeness.delivery-not-logged"
COUNT_NOT_LOGGED = "completeness.count-not-logged"
HAND_IN_GRACE = timedelta(minutes=10)
COUNT_GRACE = timedelta(days=1)

_TITLES = {
    HEADS_DIFFER: Text(
        zh="审计日志的订阅末态与本节点账目矛盾",
        en="A subscription's head in the audit log contradicts this node's books",
    ),
    NOT_LOGGED: Text(
        zh="双方已签收的交付未写入审计日志",
        en="A delivery that both sides signed for is not in the audit log",
    ),
    COUNT_NOT_LOGGED: Text(
        zh="本节点提交的计数未写入审计日志",
        en="What this node counted is not in the audit log",
    ),
}


class HeadsUnproved(Corrupt):
    """The exchange shows heads that the log does not prove."""

    code = "heads-unproved"
    title_zh = "所示订阅末态未被日志证明"
    next_zh = "保留应答作为证据,并通知审计人员。"
    next_en = "Keep the answer as evidence and tell the auditors."


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one cut led to: contradictions, and the transfers that it found done, as the books have them."""

    findings: tuple[Finding, ...]
    done: tuple[BookRow, ...]
    overdue: tuple[BookRow, ...]


def tick(node: Node) -> int:
    """Judge every new cut and hand in what is counted; give how many cuts were judged.

    Raises ExchangeSilent when nobody answers; a tick beside another one does nothing.
    """
    try:
        with exclusively(node.home.path / "run" / "counts.lock"):
            number = _judge_all(node)
            _hand_in(node)
            return number
    except Busy:
        return 0


def judged_cuts(node: Node) -> list[JudgedCutRow]:
    """List the cuts that this node judged, oldest first."""
    with node.database.read() as session:
        return books.judged(session)


def _judge_all(node: Node) -> int:
    number = 0
    while True:
        cuts = _next_cuts(node)
        for cut in cuts:
            try:
                _judge_one(node, cut)
            except Undecidable:
                return number  # too few witnesses yet
            except Conflict as error:
                if error.code == NOT_WITNESSED:
                    return number
                raise
            number += 1
        if not cuts:
            return number


def _next_cuts(node: Node) -> list[HeadsCut]:
    """Give the cuts that follow the last one judged; raise HeadsUnproved where there is a gap.

    A node without books begins with the newest cut: there is nothing that it could hold against older ones.
    """
    with node.database.read() as session:
        last = books.newest_judged(session)
        rows = books.transfers(session)
    if last is not None:
        cuts = node.broker.heads_cuts(last.number)
        return _contiguous(_view(last), cuts)
    cuts = node.broker.heads_cuts(0)
    while cuts and (later := node.broker.heads_cuts(cuts[-1].number)):
        cuts += later
    first = min((row.at for row in rows), default=None)
    if first is None:
        return cuts[-1:]
    begins = from_epoch_ms(first) - COUNT_GRACE
    return [cut for cut in cuts if cut.until >= begins]


def _contiguous(last: HeadsCut, cuts: list[HeadsCut]) -> list[HeadsCut]:
    before = last
    for cut in cuts:
        if (cut.number, cut.since) != (before.number + 1, before.until):
            raise HeadsUnproved(f"cut {cut.number} does not follow cut {before.number}")
        before = cut
    return cuts


def _judge_one(node: Node, cut: HeadsCut) -> None:
    heads = _proved_heads(node, cut)
    with node.database.read() as session:
        rows = books.transfers(session)
    found = _compare(node, cut, heads, rows)
    count = None
    if heads or found.done:
        lines = count_lines(books.counted(found.done))
        sent, received = totals(lines)
        statement = TransferCount(
            participant=node.participant,
            cut=cut,
            sent=sent,
            received=received,
            lines=lines,
            at=utc(node.clock.now()),
        )
        count = sign_statement(statement, node.node_key).text
    _tell(node, cut, found)
    with node.database.transaction() as session:
        for row in found.done:
            session.merge(BookRow(**(row.model_dump() | {"cut": cut.number})))
        session.merge(
            JudgedCutRow(
                number=cut.number,
                view=cut.canonical().decode(),
                findings=len(found.findings) + len(found.overdue),
                count=count,
                at=epoch_ms(node.clock.now()),
            )
        )
    log.info("cut_judged", number=cut.number, findings=len(found.findings), done=len(found.done))


def _proved_heads(node: Node, cut: HeadsCut) -> Mapping[str, SubscriptionHead]:
    """Fetch the own heads of a cut; every one is proved, and so is the entry. Raises HeadsUnproved."""
    own: OwnHeads = node.broker.own_heads(cut.number)
    proved = prove(node, own.entry)
    said = (proved.entry.kind, proved.origin, proved.index, *_fields(proved))
    wanted = (EntryKind.HEADS, cut.origin, cut.index, *_wanted(cut))
    if said != wanted:
        raise HeadsUnproved(f"entry {proved.index} does not say what cut {cut.number} says")
    heads = [check_shown(one, cut.size, cut.root) for one in own.heads]
    found = {head.subscription: head for head in heads}
    if len(found) != len(heads):
        raise HeadsUnproved("a subscription has two heads in one cut")
    return found


def _fields(proved: ProvedEntry) -> tuple[object, ...]:
    return tuple(proved.entry.fields.get(name) for name in ("since", "until", "n", "root"))


def _wanted(cut: HeadsCut) -> tuple[object, ...]:
    return epoch_ms(cut.since), epoch_ms(cut.until), cut.size, cut.root


def _compare(
    node: Node, cut: HeadsCut, heads: Mapping[str, SubscriptionHead], rows: list[BookRow]
) -> _Judged:
    judgement = judge(cut, heads, rows, _older_shards(node, cut.origin))
    findings, done = list(judgement.findings), []
    for row in judgement.said_done:
        wrong = _wrong_closing(node, cut, row)
        if wrong is None:
            done.append(BookRow(**(row.model_dump() | {"cut": cut.number})))
        else:
            findings.append(Finding(wrong, row.subscription, row.grant_id))
    kept = {(row.grant_id, row.role): row for row in rows} | {(row.grant_id, row.role): row for row in done}
    findings += check_totals(heads, list(kept.values()))
    overdue = [row for row in judgement.still_open if _is_overdue(node, cut, row)]
    return _Judged(tuple(findings), tuple(done), tuple(overdue))


def _wrong_closing(node: Node, cut: HeadsCut, row: BookRow) -> str | None:
    """Look at the entry that is said to close a transfer; give what is wrong with it."""
    state = node.broker.receipt_state(row.grant_id)
    if state.state != "done" or state.index is None:
        return "done-unproved"
    shard = node.trust.sight.shard(state.origin or node.identity.origin)
    proved = prove(node, node.broker.inclusion(state.index, shard.number))
    in_cut = proved.origin == cut.origin and proved.index < cut.index
    if not in_cut and proved.origin not in _older_shards(node, cut.origin):
        return "done-after-cut"
    fields = proved.entry.fields
    said = (proved.entry.kind, fields.get("gid"), fields.get("sub"), fields.get("seq"), fields.get("len"))
    if said != (EntryKind.DONE, row.grant_id, row.subscription, row.seq, row.size_bytes):
        return "done-differs"
    own = fields["pr"] if row.role == "provider" else fields["cr"]
    return None if (fields["pr"], own) == (row.receipt, row.own_receipt) else "receipt-differs"


def _older_shards(node: Node, origin: str) -> frozenset[str]:
    """Name the shards before one; a shard that is not known has none before it."""
    known = node.trust.shards.origins()
    return frozenset(known[: known.index(origin)]) if origin in known else frozenset()


def _is_overdue(node: Node, cut: HeadsCut, row: BookRow) -> bool:
    """Tell whether a delivery that both sides signed for should be in the log, and is not even now."""
    if row.role != "consumer" or from_epoch_ms(row.at) + HAND_IN_GRACE > cut.until:
        return False
    if node.broker.receipt_state(row.grant_id).state == "done":
        return False  # it came after the cut
    with node.database.read() as session:
        waiting = session.get(OutboxRow, (row.grant_id, row.role))
    # The exchange took both receipts, or has refused them for a whole window.
    accepted = waiting is not None and waiting.state == OutboxState.SENT
    return accepted or from_epoch_ms(row.at) < cut.since


def _tell(node: Node, cut: HeadsCut, found: _Judged) -> None:
    """Raise an alarm for every finding; the same finding is kept once."""
    for one in found.findings:
        facts: dict[str, int | str] = {"cut": cut.number, "subscription": one.subscription, "code": one.code}
        _alarm(node, HEADS_DIFFER, facts | ({} if one.grant is None else {"grant": one.grant}))
    for row in found.overdue:
        _alarm(node, NOT_LOGGED, {"grant": row.grant_id, "subscription": row.subscription})


def _alarm(node: Node, event_class: str, facts: Mapping[str, int | str]) -> None:
    node.alarms.raise_alarm(event_class, Severity.HIGH, _TITLES[event_class], facts)


def _hand_in(node: Node) -> None:
    """Hand in every count that is not proved to be in the log, and prove those that are."""
    with node.database.read() as session:
        rows = books.unproved(session)
    for row in rows:
        try:
            _hand_in_one(node, row)
        except Unavailable:
            raise
        except HeadwatersError as error:
            waiting = error.code == NOT_WITNESSED or isinstance(error, Undecidable)
            overdue = from_epoch_ms(row.at) + COUNT_GRACE < node.clock.now()
            log.warning("count_not_proved", number=row.number, code=error.code)
            if overdue or not waiting:
                _alarm(node, COUNT_NOT_LOGGED, {"cut": row.number, "code": error.code})


def _hand_in_one(node: Node, row: JudgedCutRow) -> None:
    if row.count is None:
        return
    # Signed anew: the key may have been rotated since, and the words stay the same. What was taken before
    # comes back with its place.
    count = sign_statement(peek_statement(row.count, TransferCount).statement, node.node_key)
    state = node.broker.hand_in_count(count.text)
    index = state.index
    _keep(node, row, entry=index, proved=False)
    proved = prove(node, node.broker.inclusion(index, node.trust.sight.shard(state.origin).number))
    digest = peek_statement(row.count, TransferCount).digest
    if proved.entry.kind is not EntryKind.COUNT or proved.entry.fields["dig"] != digest:
        raise HeadsUnproved(f"entry {index} is not this node's count for cut {row.number}")
    _keep(node, row, entry=index, proved=True)


def _keep(node: Node, row: JudgedCutRow, *, entry: int, proved: bool) -> None:
    with node.database.transaction() as session:
        session.merge(JudgedCutRow(**(row.model_dump() | {"entry": entry, "proved": proved})))


def _view(row: JudgedCutRow) -> HeadsCut:
    return HeadsCut.parse(row.view.encode())
