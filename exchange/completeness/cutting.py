"""Use cases of cuts: log where every subscription stands when a day (UTC+8) is over, or when asked to.

A cut's window begins where the one before ended, so windows have no gaps; which transfers it found done is
fixed in the same unit.
"""

from collections.abc import Sequence
from functools import partial

import structlog

from audit.completeness.heads import heads_root
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.shards import FIRST
from audit.log.unit import Unit
from contracts.canonical import Json
from contracts.clock import epoch_ms, from_epoch_ms
from contracts.messages import HeadsCut, HeadsCutList, SubscriptionHeads
from exchange.completeness import store
from exchange.completeness.heads import subscription_heads
from exchange.completeness.model import CutUnknown, day_is_over
from exchange.completeness.tables import HeadsCutRow
from exchange.parts import Parts
from exchange.transfers.store import mark_done

log = structlog.get_logger(__name__)


async def cut_when_day_is_over(parts: Parts) -> HeadsCut | None:
    """Cut once after each midnight (UTC+8). A background task calls it."""
    if parts.log.sealed or not day_is_over(from_epoch_ms(_since(parts)), parts.clock.now()):
        return None
    return await cut_heads(parts)


async def cut_heads(parts: Parts) -> HeadsCut:
    """Log where every subscription stands now."""
    committed = await parts.log.commit(partial(_cut, parts, _since(parts)))
    log.info("heads_cut", number=committed.value.number, size=committed.value.size)
    return committed.value


def cuts(parts: Parts, after: int) -> HeadsCutList:
    """List the cuts after a number, oldest first."""
    with parts.database.read() as session:
        return HeadsCutList(cuts=views(parts, store.cuts_after(session, after)))


def find_cut(parts: Parts, number: int) -> HeadsCutRow:
    """Give one cut; raise CutUnknown."""
    with parts.database.read() as session:
        row = store.find_cut(session, number)
    if row is None:
        raise CutUnknown(f"there is no cut {number}")
    return row


def views(parts: Parts, rows: Sequence[HeadsCutRow]) -> list[HeadsCut]:
    """Show cuts."""
    return [view(parts, row) for row in rows]


def view(parts: Parts, row: HeadsCutRow) -> HeadsCut:
    """Show a cut."""
    return HeadsCut(
        number=row.number,
        origin=row.origin,
        index=index_of(parts, row),
        since=from_epoch_ms(row.since),
        until=from_epoch_ms(row.until),
        size=row.size,
        root=row.root,
    )


def index_of(parts: Parts, row: HeadsCutRow) -> int:
    """Give the index of a cut's entry in its shard."""
    return parts.log.located(row.entry).index


def _since(parts: Parts) -> int:
    """Give the moment at which the next window begins: the last cut's, or the log's first entry's."""
    with parts.database.read() as session:
        newest = store.newest_cut(session)
    if newest is not None:
        return newest.until
    return epoch_ms(parse_entry(parts.log.of(FIRST).entry(0)).at)


def _cut(parts: Parts, founded: int, unit: Unit) -> HeadsCut:
    session = unit.session
    newest = store.newest_cut(session)
    heads = subscription_heads(parts, session)
    since = founded if newest is None else newest.until
    row = HeadsCutRow(
        number=1 if newest is None else newest.number + 1,
        origin=unit.origin,
        entry=0,
        since=since,
        until=max(epoch_ms(unit.now), since),  # where the clock went back the window is empty, not negative
        size=len(heads),
        root=heads_root(heads),
        document=SubscriptionHeads(heads=heads).canonical(),
    )
    fields: dict[str, Json] = {"since": row.since, "until": row.until, "n": row.size, "root": row.root}
    row.entry = unit.append(Entry(EntryKind.HEADS, unit.now, fields))
    store.save(session, row)
    mark_done(session, row.number)
    return view(parts, row)
