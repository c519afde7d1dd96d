"""Read records from JSON text under I-JSON (RFC 7493), so that no two parsers can see two different records.

Refused: NaN and numbers beyond double range, a key that stands twice (s2.3), lone surrogates (s2.1), integers
beyond 2^53 where the contract would take them (s2.2), deep nesting and long lines. Pure; nothing here reads a
file.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import orjson

from contracts.canonical import MAX_INTEGER
from contracts.messages import Text
from contracts.open_numbers import OpenNumbers, holds_large
from contracts.schema import Contract

MAX_RECORD_BYTES = 8 * 1024 * 1024
MAX_RECORD_DEPTH = 64

Record = dict[str, Any]  # Any: whatever JSON holds
_HOLDERS: frozenset[type[Any]] = frozenset({dict, list})
_SPACES = (b" ", b"\t", b"\r", b"\n")


class NotARecord(Exception):
    """The text is no record; ``message`` says why in Chinese and English."""

    def __init__(self, zh: str, en: str) -> None:
        """Keep the reason."""
        super().__init__(en)
        self.message = Text(zh=f"该行不是合规的 JSON 对象:{zh}", en=f"the line is no JSON record: {en}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What some lines hold: ``records`` stand at ``indices``, and ``faults`` say why the others do not."""

    indices: Sequence[int]
    records: list[Record]
    faults: list[tuple[int, NotARecord]]


class RecordParser:
    """Reads lines of records under one contract.

    A closed contract leaves no room for deep values or large integers: the row engine refuses them by a rule
    of the contract. Only where it is open (``OpenNumbers``) are they looked for here.
    """

    def __init__(self, contract: Contract) -> None:
        self._open_numbers = OpenNumbers(contract)
        nested = [name for name in contract.declared() if contract.kind(name) in {"object", "array"}]
        self._flat = [name for name in nested if _is_flat(contract.field_schema(name))]
        self._nested = [name for name in nested if name not in self._flat]

    def parse(self, lines: Sequence[bytes]) -> Parsed:
        """Read each line as one record; what is said of a line does not depend on the others."""
        try:
            records = list(map(orjson.loads, lines))
        except (orjson.JSONDecodeError, RecursionError):
            return self._one_by_one(lines)
        if self._is_doubtful(lines, records):
            return self._one_by_one(lines)
        return Parsed(range(len(records)), records, [])

    def _is_doubtful(self, lines: Sequence[bytes], records: Sequence[Record]) -> bool:
        """Compare the keys in the text with those in the records: one that was overwritten is missing.

        They nearly always agree over all lines, and then they agree in each, as no record has more keys than
        its line has signs of a key.
        """
        if max(map(len, lines), default=0) > MAX_RECORD_BYTES or not set(map(type, records)) <= {dict}:
            return True
        if self._open_numbers.any and (
            any(map(_may_be_deep, lines)) or any(map(self._open_numbers.holds_large, records))
        ):
            return True
        found = sum(map(len, records))
        for name in self._flat:
            held = map(dict.get, records, repeat(name))
            found += sum([len(value) for value in held if value.__class__ is dict])
        for name in self._nested:
            found += sum(map(_keys, filter(None, map(dict.get, records, repeat(name)))))
        return found != _signs_of_keys(b"\0".join(lines))

    def _one_by_one(self, lines: Sequence[bytes]) -> Parsed:
        indices, records, faults = [], [], []
        for index, line in enumerate(lines):
            try:
                records.append(self._read(line))
                indices.append(index)
            except NotARecord as fault:
                faults.append((index, fault))
        return Parsed(indices, records, faults)

    def _read(self, line: bytes) -> Record:
        record = _load(line)
        if self._open_numbers.any:
            _check_depth(record)
        _check_text(line, record, large=self._open_numbers.any and self._open_numbers.holds_large(record))
        return record


def parse_record(line: bytes) -> Record:
    """Read one record of no known contract, in which every integer is within 2^53; raise NotARecord."""
    record = _load(line)
    _check_depth(record)
    _check_text(line, record, large=holds_large(record))
    return record


def _load(line: bytes) -> Record:
    if len(line) > MAX_RECORD_BYTES:
        raise NotARecord(f"超过 {MAX_RECORD_BYTES} 字节", f"longer than {MAX_RECORD_BYTES} bytes")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NotARecord(f"JSON 语法错误({error.msg[:120]})", error.msg) from error
    except RecursionError as error:
        raise NotARecord("嵌套过深", "nested too deep") from error
    if not isinstance(record, dict):
        raise NotARecord("不是对象", "not an object")
    return record


def _check_depth(record: Record) -> None:
    level: list[object] = [record]
    for _ in range(MAX_RECORD_DEPTH):
        level = [item for holder in level for item in _inside(holder) if item.__class__ in _HOLDERS]
        if not level:
            return
    raise NotARecord(f"嵌套超过 {MAX_RECORD_DEPTH} 层", f"nested deeper than {MAX_RECORD_DEPTH}")


def _may_be_deep(line: bytes) -> bool:
    return line.count(b"[") + line.count(b"{") > MAX_RECORD_DEPTH


def _check_text(line: bytes, record: Record, *, large: bool) -> None:
    """Read the text again, slowly, if a key may stand twice or an integer is too large."""
    if large or _keys(record) != _signs_of_keys(line):
        try:
            json.loads(line, object_pairs_hook=_unique, parse_int=_whole if large else None)
        except RecursionError as error:
            raise NotARecord("嵌套过深", "nested too deep") from error


def _is_flat(schema: Any) -> bool:
    """Say whether the members of an object hold no further objects, so that its keys are soon counted."""
    members = schema.get("properties", {}).values() if isinstance(schema, Mapping) else ()
    return bool(members) and all(
        isinstance(member, dict) and not {"object", "array"} & {*_kinds(member)} for member in members
    )


def _kinds(schema: dict[str, Any]) -> Iterable[str]:
    kinds = schema.get("type", ("object", "array"))
    return [kinds] if isinstance(kinds, str) else kinds


def _signs_of_keys(text: bytes) -> int:
    """Count what can be the end of a key: a quote and a colon, with or without space between."""
    found = text.count(b'":')
    return found + sum(text.count(space + b":") for space in _SPACES if space in text)


def _keys(value: object) -> int:
    """Count the keys in a value, down to its leaves."""
    found, waiting = 0, [value]
    while waiting:
        holder = waiting.pop()
        if holder.__class__ is dict:
            found += len(holder)
        waiting += [item for item in _inside(holder) if item.__class__ in _HOLDERS]
    return found


def _inside(holder: Any) -> Iterable[object]:
    if holder.__class__ is dict:
        return holder.values()
    return holder if holder.__class__ is list else ()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise NotARecord("同一个键出现两次", "a key stands twice")
    return dict(pairs)


def _whole(text: str) -> int:
    number = int(text) if len(text) <= len(str(-MAX_INTEGER)) else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise NotARecord("整数超出 ±(2^53-1)", "an integer is beyond 2^53 - 1")
    return number
