"""Shards: one log after another, each with a name, a key and a tree of its own.

A shard ends with ``shard.close``, which names the next shard and its key; the next one begins with
``shard.open``, which names the final checkpoint that it follows. Entries are counted within their shard
(``index``) and kept under their place among all shards (``base + index``). Half-years are those of UTC+8.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from audit.log.entry import Entry, EntryKind
from contracts.canonical import sha256_hex
from contracts.clock import BEIJING
from contracts.errors import Conflict, Corrupt, NotFound, Unavailable

FIRST = 1

_HALF_YEAR = re.compile(r"(.+)/[0-9]{4}h[12](?:-[1-9][0-9]*)?", re.ASCII)


class ShardClosing(Unavailable):
    """The shard has been closed, and the next one is not open yet."""

    code = "shard-closing"
    title_zh = "日志分片正在更替,暂不接受新条目"
    next_zh = "稍后重试;足够的见证方副署最后检查点后,新分片自动开启。"
    next_en = (
        "Try again shortly; the next shard opens once enough witnesses have cosigned the last checkpoint."
    )


class ShardStillOpen(Conflict):
    """The shard takes entries; nothing can follow it yet."""

    code = "shard-still-open"
    title_zh = "当前日志分片尚未关闭"
    next_zh = "先关闭当前分片:headwaters exchange shard。"
    next_en = "Close the current shard first: headwaters exchange shard."


class ShardNotWitnessed(Unavailable):
    """No quorum has cosigned the final checkpoint of the shard."""

    code = "shard-not-witnessed"
    title_zh = "分片的最后检查点尚未获得法定副署"
    next_zh = "等待见证方恢复;达到法定数后自动继续。"
    next_en = "Wait for the witnesses; it goes on by itself once a quorum has cosigned."


class NoSuchShard(NotFound):
    """The log has no such shard."""

    code = "no-such-shard"
    title_zh = "日志没有该分片"
    next_zh = "用 /log/shards 查看已有的分片。"
    next_en = "See /log/shards for the shards that there are."


class SuccessionBroken(Corrupt):
    """A shard does not follow the one before it."""

    code = "succession-broken"
    title_zh = "日志分片前后不衔接"


class Shard(NamedTuple):
    """One shard; ``size`` is its final size, None while it takes entries."""

    number: int
    origin: str
    vkey: str
    base: int
    size: int | None = None

    def holds(self, place: int) -> bool:
        """Tell whether the entry at ``place`` is, or would be, one of this shard."""
        return self.base <= place and (self.size is None or place < self.base + self.size)


@dataclass(frozen=True, slots=True)
class Located:
    """An entry as proofs name it: its shard, by number and by name, and its index there."""

    number: int
    origin: str
    index: int


def locate(shards: Sequence[Shard], place: int) -> Located:
    """Name the entry at a place among ``shards``, oldest first; a place beyond all is the newest one's."""
    shard = next(one for one in reversed(shards) if one.base <= place)
    return Located(shard.number, shard.origin, place - shard.base)


def closing_entry(at: datetime, following: str, key: str, heads: bytes) -> Entry:
    """Give the last entry of a shard: it names what follows, and where every subscription stands."""
    return Entry(EntryKind.SHARD_CLOSE, at, {"next": following, "key": key, "hds": sha256_hex(heads)})


def opening_entry(origin: str, size: int, final_text: str, closing: Entry) -> Entry:
    """Give the first entry of the shard that follows ``origin``, of which ``closing`` is the last entry.

    It is a function of what it follows, its moment too: opened twice, the shard begins with the same bytes.
    """
    return Entry(
        EntryKind.SHARD_OPEN,
        closing.at,
        {
            "origin": closing.fields["next"],
            "from": origin,
            "prev": sha256_hex(final_text.encode()),
            "size": size,
            "hds": closing.fields["hds"],
        },
    )


def check_opening(opening: Entry, origin: str, size: int, final_text: str, closing: Entry) -> None:
    """Raise SuccessionBroken unless ``opening`` is exactly the entry that follows such a shard."""
    if opening != opening_entry(origin, size, final_text, closing):
        raise SuccessionBroken(f"the shard does not begin as what follows {origin} must")


def half_year(at: datetime) -> str:
    """Name the half-year of a moment in UTC+8: ``2026h2``."""
    local = at.astimezone(BEIJING)
    return f"{local.year}h{1 if local.month <= 6 else 2}"


def shard_origin(founding: str, name: str) -> str:
    """Name a shard: the log's name, without the half-year it may have been founded with, and ``name``."""
    match = _HALF_YEAR.fullmatch(founding)
    return f"{match[1] if match else founding}/{name}"


def next_origin(founding: str, now: datetime, taken: Collection[str]) -> str:
    """Name the next shard after the half-year, with a number behind it where that name is taken."""
    wanted = shard_origin(founding, half_year(now))
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    return name
