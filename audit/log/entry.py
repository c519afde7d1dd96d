"""What the log may hold: one entry, its kind, its moment and its fields, and the bytes of its leaf.

A leaf is canonical JSON, ``{"v":1,"t":kind,"ts":milliseconds,...}``, at most 4,096 bytes, and carries no
personal data: people, datasets and purposes stand in it as salted commitments. Unknown kinds and fields are
refused, so a leaf that parses says nothing that ``audit.log.entry_fields`` does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, cast

import orjson

from audit.log.entry_fields import (
    MAX_CODES,
    MAX_ENTRY_BYTES,
    TIME,
    EntryInvalid,
    EntryKind,
    check_fields,
)
from audit.log.entry_forms import ENTRY_VERSION, kind_of
from contracts.canonical import Json, canonical_bytes, parse_canonical
from contracts.identifiers import format_digest

__all__ = [
    "ENTRY_VERSION",
    "MAX_CODES",
    "MAX_ENTRY_BYTES",
    "Entry",
    "EntryInvalid",
    "EntryKind",
    "Leaf",
    "chain_digest",
    "parse_entry",
    "read_leaf",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_KINDS = frozenset(EntryKind)


@dataclass(frozen=True)
class Entry:
    """One entry: its kind, its moment (UTC, whole milliseconds) and its own fields; valid once it exists."""

    kind: EntryKind
    at: datetime
    fields: Mapping[str, Json]
    _leaf: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.at < _EPOCH:
            raise EntryInvalid("the moment of an entry has a zone and lies after 1970")
        ms = _milliseconds(self.at)
        fields = dict(self.fields)
        leaf = _quick_leaf(self.kind, ms, fields)
        if leaf is None:
            check_fields(self.kind, fields)
        object.__setattr__(self, "at", _EPOCH + ms * _MS)
        object.__setattr__(self, "fields", MappingProxyType(fields))
        object.__setattr__(self, "_leaf", leaf)

    def encode(self) -> bytes:
        """Write the bytes of the leaf; raise EntryInvalid beyond 4,096 of them."""
        if self._leaf is not None:
            return self._leaf
        raw = canonical_bytes({**_head(self.kind, _milliseconds(self.at)), **self.fields})
        if len(raw) > MAX_ENTRY_BYTES:
            raise EntryInvalid(f"the entry is larger than {MAX_ENTRY_BYTES} bytes")
        return raw


class Leaf(NamedTuple):
    """What a leaf says: its kind and its fields; ``v``, ``t`` and ``ts`` may stand among them."""

    kind: EntryKind
    fields: Mapping[str, Json]


def read_leaf(raw: bytes) -> Leaf:
    """Read the bytes of a leaf for a walk over many; raise as ``parse_entry`` does."""
    kind = kind_of(raw)
    if kind is not None:
        return Leaf(kind, orjson.loads(raw))
    entry = parse_entry(raw)
    return Leaf(entry.kind, entry.fields)


def parse_entry(raw: bytes) -> Entry:
    """Read the bytes of a leaf; raise EntryInvalid or NotCanonical for any other spelling."""
    if len(raw) > MAX_ENTRY_BYTES:
        raise EntryInvalid(f"the entry is larger than {MAX_ENTRY_BYTES} bytes")
    value = parse_canonical(raw)
    if not isinstance(value, dict):
        raise EntryInvalid("an entry is an object")
    version, name, ms = (value.pop(key, None) for key in ("v", "t", "ts"))
    if version is True or version != ENTRY_VERSION:
        raise EntryInvalid("the entry has another version")
    if not isinstance(name, str) or name not in _KINDS:
        raise EntryInvalid("the entry is of no kind known here")
    TIME.accept(ms)
    kind = EntryKind(name)
    check_fields(kind, value)
    return Entry(kind, _EPOCH + cast(int, ms) * _MS, value)


def chain_digest(leaf_hash: bytes) -> str:
    """Write a leaf hash as ``prev`` does in the entry that follows: ``sha256:<hex>``."""
    return format_digest(leaf_hash)


def _quick_leaf(kind: EntryKind, ms: int, fields: dict[str, Json]) -> bytes | None:
    """Write a leaf where its bytes are well formed at first sight; None leaves it to the checks."""
    whole = {**fields, **_head(kind, ms)}
    try:
        leaf = orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a value or a key that has no place in JSON
        return None
    return leaf if len(whole) == len(fields) + 3 and kind_of(leaf) is kind else None


def _head(kind: EntryKind, ms: int) -> dict[str, Json]:
    return {"v": ENTRY_VERSION, "t": kind.value, "ts": ms}


def _milliseconds(at: datetime) -> int:
    """Count exactly; a float of seconds would lose one now and then."""
    return (at - _EPOCH) // _MS
