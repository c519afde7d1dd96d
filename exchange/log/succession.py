"""One shard of the log after another: closing the present one, opening the next, showing them all.

Closing is one unit: the last entry names the next shard, its key and where every subscription stands, and no
entry follows it. The next shard opens once a quorum has cosigned that end. Each step finds what the step
before has left, so a crash between any two is made good by the next round.
"""

import asyncio

import structlog

from audit.formats.checkpoint import Checkpoint
from audit.formats.note import parse_note
from audit.keys.second_keys import is_line_name
from audit.keys.signing import KeyUnreadable, SigningKey, create_key, load_key
from audit.log.shards import Shard, ShardClosing, half_year, next_origin, shard_origin
from audit.log.unit import Unit
from contracts.canonical import sha256_hex
from contracts.errors import Conflict
from contracts.messages import ShardList, ShardView
from exchange.evidence import admin_act
from exchange.identity import Person
from exchange.log.flow import inclusion
from exchange.parts import Parts

log = structlog.get_logger(__name__)


class QuorumNeeded(Conflict):
    """Too few witnesses are there to cosign the end of the shard."""

    code = "quorum-needed"
    title_zh = "见证方不足,暂不能更替日志分片"
    next_zh = "待足够的见证方节点在线后再更替;关闭后须有法定副署才能开启新分片。"
    next_en = "Wait until enough witnesses are connected: the next shard opens only under their cosignatures."


class OriginTaken(Conflict):
    """A shard of that name exists."""

    code = "origin-taken"
    title_zh = "该分片名称已被使用"
    next_zh = "换一个名称,或省略名称以采用当前半年度。"
    next_en = "Choose another name, or leave it out to take the half-year's."


def shards(parts: Parts) -> ShardList:
    """List all shards; every closed one with the proof of its last entry where a quorum has cosigned it."""
    return ShardList(shards=[_view(parts, shard) for shard in parts.log.shards()])


async def close_shard(parts: Parts, person: Person | None, name: str | None = None) -> ShardView:
    """Close the present shard and give it as it stands; ``person`` is None when the half-year is over.

    Raises QuorumNeeded, OriginTaken, and ShardClosing when it is closed already.
    """
    _check_quorum(parts)
    known = await asyncio.to_thread(parts.log.shards)
    if known[-1].size is not None:
        raise ShardClosing
    origin = _next_name(parts, name, known)
    key = await asyncio.to_thread(_next_key, parts, known[-1].number + 1)

    def close(unit: Unit) -> None:
        if unit.origin != known[-1].origin:
            raise ShardClosing
        if person is not None:
            unit.append(admin_act(unit, person, "log.shard", sha256_hex(origin.encode())))
        unit.close_shard(origin, key.public, parts.hooks.heads(parts, unit.session))

    await parts.log.commit(close)
    log.info("shard_closed", origin=known[-1].origin, following=origin)
    return await asyncio.to_thread(lambda: _view(parts, parts.log.shards()[-1]))


async def keep_shards(parts: Parts) -> None:
    """Open the next shard when the present one has ended, and end it when its half-year is over.

    A background task calls it; what cannot be done yet raises and is tried again.
    """
    if parts.log.sealed:
        return
    shard = await asyncio.to_thread(parts.log.shard)
    if shard.size is not None:
        await _open_next(parts, shard)
    elif half_year(await asyncio.to_thread(parts.log.opened_at)) < half_year(parts.clock.now()):
        await close_shard(parts, None)


async def _open_next(parts: Parts, closed: Shard) -> None:
    note = await asyncio.to_thread(parts.log.of(closed.number).cosigned)
    if note is None or Checkpoint.parse(parse_note(note).text).size != closed.size:
        return  # the witnesses are being asked; the next round looks again
    opened = await parts.log.open_next()
    parts.log_state.turn()
    log.info("shard_opened", origin=opened.value.origin, number=opened.value.number)


def _check_quorum(parts: Parts) -> None:
    there = [one for one in parts.roll.witnesses() if parts.mailbox.is_listening(one.participant)]
    if len(there) < parts.settings.quorum:
        raise QuorumNeeded(f"{len(there)} witnesses are connected, {parts.settings.quorum} must cosign")


def _next_name(parts: Parts, name: str | None, known: list[Shard]) -> str:
    taken = {shard.origin for shard in known}
    if name is None:
        return next_origin(parts.settings.origin, parts.clock.now(), taken)
    origin = shard_origin(parts.settings.origin, name)
    if origin in taken or is_line_name(origin):
        raise OriginTaken(f"{origin} is a shard of this log")
    return origin


def _next_key(parts: Parts, number: int) -> SigningKey:
    """Make the next shard's key, durable before any entry names it, or find the one made before a crash."""
    path = parts.settings.shard_key_path(number)
    if path.exists():
        try:
            return load_key(path)
        except KeyUnreadable:
            path.unlink()  # torn by a crash while it was made: no entry has named it
    return create_key(path)


def _view(parts: Parts, shard: Shard) -> ShardView:
    view = ShardView(number=shard.number, origin=shard.origin, vkey=shard.vkey, size=shard.size)
    if shard.size is None:
        return view
    reader = parts.log.of(shard.number)
    note = reader.cosigned()
    if note is None or Checkpoint.parse(parse_note(note).text).size != shard.size:
        return view
    return view.model_copy(update={"closing": inclusion(reader, shard.size - 1)})
