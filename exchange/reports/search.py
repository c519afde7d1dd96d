"""Search the log: entries by kind, participant and time, from the database or from an exported copy.

What is shown is what the leaves say and no more: datasets and purposes stand in them as commitments.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from audit.formats.tile import TILE_WIDTH
from audit.log import log_store
from audit.log.entry import Entry, EntryKind, parse_entry
from audit.log.shards import locate
from audit.walk.log_source import DirectorySource
from contracts.canonical import Json
from contracts.clock import beijing, rfc3339
from exchange.log.home import NoLogHere, find_home, open_home
from exchange.members import store as members
from exchange.reports import store
from exchange.reports.words import KINDS

PARTIES = ("part", "prov", "cons", "by")
"""The fields of a leaf that name participants."""

_SHOWN = ("seq", "n", "why", "what", "act", "role", "late", "len", "cls", "sev", "ctr", "sent", "recv")


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; ``until`` is excluded, ``limit`` bounds the answer."""

    kind: EntryKind | None = None
    participant: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100

    def finds(self, entry: Entry) -> bool:
        """Say whether an entry is one that is looked for."""
        return (
            self.kind in {None, entry.kind}
            and (self.since is None or self.since <= entry.at)
            and (self.until is None or entry.at < self.until)
            and (self.participant is None or self.participant in parties(entry))
        )


def search(folder: Path, wanted: Search) -> list[dict[str, Any]]:
    """Give the newest entries that fit, newest first; raises NoLogHere."""
    if find_home(folder) is not None:
        return _in_database(folder, wanted)
    if (folder / "checkpoint").is_file():
        found = _in_files(DirectorySource(folder), wanted)
        return [_row(None, index, entry, {}) for index, entry in islice(found, wanted.limit)]
    raise NoLogHere(f"{folder} holds neither an exchange nor an exported log")


def parties(entry: Entry) -> list[str]:
    """Name the participants of an entry, provider before consumer."""
    named = (entry.fields.get(field) for field in PARTIES)
    return [name for name in named if isinstance(name, str) and name.startswith("p-")]


def _in_database(folder: Path, wanted: Search) -> list[dict[str, Any]]:
    with open_home(folder) as (_, database), database.read() as session:
        names = {member.participant: member.profile.name.zh for member in members.list_members(session)}
        leaves = store.find_leaves(
            session.connection(),
            kind=wanted.kind,
            mention=f'"{wanted.participant}"'.encode() if wanted.participant else None,
            since=wanted.since,
            until=wanted.until,
        )
        with closing(leaves):  # the rows that nobody asks for are given back before the database closes
            entries = ((place, parse_entry(leaf)) for place, leaf in leaves)
            found = ((place, entry) for place, entry in entries if wanted.finds(entry))
            chosen = list(islice(found, wanted.limit))
        shards = log_store.shards(session.connection())
        located = ((locate(shards, place), entry) for place, entry in chosen)
        return [_row(at.number, at.index, entry, names) for at, entry in located]


def _in_files(source: DirectorySource, wanted: Search) -> Iterator[tuple[int, Entry]]:
    count = source.entry_count()
    for n in range((count - 1) // TILE_WIDTH, -1, -1):
        stored = source.entries(n * TILE_WIDTH, min((n + 1) * TILE_WIDTH, count))
        for one in reversed(stored):
            entry = parse_entry(one.leaf)
            if wanted.finds(entry):
                yield one.idx, entry


def _row(shard: int | None, index: int, entry: Entry, names: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Json] = dict(entry.fields)
    return {
        "shard": shard,
        "index": index,
        "at": rfc3339(entry.at),
        "time": beijing(entry.at),
        "kind": entry.kind.value,
        "what": KINDS[entry.kind].model_dump(),
        "who": [f"{names.get(name, '')} {name}".strip() for name in parties(entry)],
        "says": [f"{field}={_short(fields[field])}" for field in _SHOWN if field in fields],
        "fields": fields,
    }


def _short(value: Json) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= 60 else text[:12] + "…"
