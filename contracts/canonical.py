"""Canonical JSON bytes and the digests taken over them (RFC 8785, under the strict profile of ADR-0003).

The profile admits objects with ASCII keys, arrays, strings, booleans, null and integers below 2^53, and no
floats. Under it ``orjson`` with sorted keys writes the bytes of RFC 8785; a property test holds that against
``rfc8785``. Measurements, which do carry floats, are never signed as JSON: a release is a Parquet artifact.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson

from contracts.errors import Invalid

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32


class NotCanonical(Invalid):
    """The value or text is outside the canonical JSON profile."""

    code = "not-canonical"
    title_zh = "内容不符合规范化 JSON 约定"


def canonical_bytes(value: Json) -> bytes:
    """Write the one spelling of ``value``; raise NotCanonical for a value outside the profile."""
    _check(value, 0)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_canonical(raw: bytes) -> Json:
    """Read canonical bytes and refuse every other spelling of the same value."""
    try:
        value: Json = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotCanonical(f"not JSON: {error.msg}") from error
    if canonical_bytes(value) != raw:
        raise NotCanonical("the bytes are not the canonical spelling of their value")
    return value


def canonical_part(value: Json) -> bytes:
    """Write a part of what ``parse_canonical`` gave, whose parts are all in the profile; checks nothing."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(raw: bytes) -> str:
    """Name bytes by their digest: ``sha256:`` and 64 lowercase hex digits."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def digest(value: Json) -> str:
    """Name a value by the digest of its canonical bytes."""
    return sha256_hex(canonical_bytes(value))


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH}")
    # Exact types first, and plain text without a call of its own: every logged byte passes here.
    if type(value) is dict:
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotCanonical("a key is not ASCII text")
            if type(item) is not str or not item.isascii() or depth == MAX_DEPTH:
                _check(item, depth + 1)
    elif type(value) is list:
        for item in value:
            if type(item) is not str or not item.isascii() or depth == MAX_DEPTH:
                _check(item, depth + 1)
    elif type(value) is int:
        _check_integer(value)
    elif value is not None and type(value) is not bool:
        _check_other(value, depth)


def _check_other(value: object, depth: int) -> None:
    match value:
        case str():
            _check_text(value)
        case int():
            _check_integer(value)
        case list() | tuple():
            _check(list(value), depth)
        case dict() | Mapping():
            _check(dict(value), depth)
        case _:
            raise NotCanonical(f"{type(value).__name__} has no place in the profile")


def _check_integer(value: int) -> None:
    if abs(value) > MAX_INTEGER:
        raise NotCanonical("an integer is beyond 2^53; write it as a string")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("a string holds a lone surrogate") from error
