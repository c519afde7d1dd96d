"""The SM3 twin of the log: grown behind it, signed with SM2, and anchored in it once an hour.

It is kept where the settings name ``sm2-sm3`` among the second suites. Every anchor is an entry of the log,
so the log's witnesses vouch for the twin's root too, and ``headwaters audit fsck`` builds the twin anew from
the entries and compares. A closed shard's twin ends with the shard.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from audit.formats.note import SecondLine, format_note
from audit.keys.suites import Suite
from audit.log.entry import Entry, EntryKind
from audit.log.log_reader import LogReader
from audit.log.unit import Unit
from audit.walk.twin import TwinTree, sm3_root_text, twin_origin
from contracts.canonical import Json
from contracts.clock import epoch_ms
from contracts.errors import NotFound
from exchange.log import store
from exchange.log.tables import TwinRow
from exchange.parts import Parts

ANCHORED_EVERY = timedelta(hours=1)
_PAGE = 4096

log = structlog.get_logger(__name__)


class NoTwin(NotFound):
    """This exchange keeps no SM3 twin of that shard."""

    code = "no-twin"
    title_zh = "该分片没有国密孪生树"
    next_zh = '在 headwaters.toml 中设置 second_suites = "sm2-sm3" 后重启。'
    next_en = 'Set second_suites = "sm2-sm3" in headwaters.toml and restart.'


@dataclass(frozen=True, slots=True)
class _Grown:
    """How far the twin of one shard has come."""

    shard: int
    origin: str
    tree: TwinTree


async def anchor_twin(parts: Parts) -> int | None:
    """Grow and anchor the twin where an hour has passed since the last anchor; give its size, or None."""
    if Suite.SM2_SM3 not in parts.settings.suites or parts.log.sealed:
        return None
    grown = await asyncio.to_thread(_grow, parts)
    if grown is None:
        return None
    committed = await parts.log.commit(partial(_anchor, parts, grown))
    log.info("twin_anchored", shard=grown.shard, size=grown.tree.size)
    return committed.value


def twin_checkpoint(parts: Parts, reader: LogReader) -> str:
    """Give the newest signed checkpoint of a shard's twin; raise NoTwin."""
    with parts.database.read() as session:
        row = store.find_twin(session, reader.shard().number)
    if row is None:
        raise NoTwin("there is no anchored twin yet")
    return row.note


def _grow(parts: Parts) -> _Grown | None:
    """Add what the log holds beyond the last anchor to the first twin that is due."""
    now = epoch_ms(parts.clock.now())
    for shard in parts.log.shards():
        with parts.database.read() as session:
            row = store.find_twin(session, shard.number)
        reader = parts.log.of(shard.number)
        tree = TwinTree.read(row.size, row.edge) if row is not None else TwinTree()
        size = reader.size()
        waits = row is not None and now - row.at < ANCHORED_EVERY / timedelta(milliseconds=1)
        if size == tree.size or (waits and shard.size is None):
            continue
        while tree.size < size:
            tree.extend(reader.entries(tree.size, min(size, tree.size + _PAGE)))
        return _Grown(shard.number, shard.origin, tree)
    return None


def _anchor(parts: Parts, grown: _Grown, unit: Unit) -> int:
    checkpoint = grown.tree.checkpoint(grown.origin)
    text = str(checkpoint)
    line = SecondLine(checkpoint.origin, parts.second_lines.key(Suite.SM2_SM3)).sign(text, unit.now)
    row = TwinRow(
        shard=grown.shard,
        size=grown.tree.size,
        edge=grown.tree.encode(),
        note=format_note(text, [line]).decode(),
        at=epoch_ms(unit.now),
    )
    store.save_twin(unit.session, row)
    fields: dict[str, Json] = {
        "origin": twin_origin(grown.origin),
        "size": grown.tree.size,
        "srt": sm3_root_text(grown.tree.root()),
    }
    unit.append(Entry(EntryKind.TWIN, unit.now, fields))
    return grown.tree.size
