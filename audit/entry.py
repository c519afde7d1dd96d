"""What the log may hold: every kind of entry, its fields, and the bytes of its leaf.

A leaf is canonical JSON, ``{"v":1,"t":kind,"ts":milliseconds,...}``, at most 4,096 bytes, and carries no
personal data: people, datasets and purposes stand in it as salted commitments. Unknown kinds and fields are
refused, so a leaf that parses says nothing that this table does not name.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import cast

from audit.keys import PublicKey
from audit.note import valid_name
from contracts.canonical import Json, canonical_bytes, parse_canonical
from contracts.errors import Invalid
from contracts.identifiers import Kind, parse_digest, parse_id, parse_name, parse_version

ENTRY_VERSION = 1
MAX_ENTRY_BYTES = 4096  # ten times a grant; a bundle of 256 stays near 1 MiB at worst
MAX_CODES = 32  # reasons in one denial; the rest stands in the evidence
MAX_CODE_CHARS = 100
MAX_MS = 253_402_300_799_999  # the end of the year 9999, where datetime ends

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_CODE_FORM = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_KEY_ID_FORM = re.compile(r"(?:ed25519|x25519|mldsa44|sm2):[0-9a-f]{16}", re.ASCII)


class EntryInvalid(Invalid):
    """The log entry is not well formed."""

    code = "entry-invalid"
    title_zh = "日志条目格式不正确"


class EntryKind(StrEnum):
    """The kinds of entry, as they stand in ``t``."""

    SHARD_OPEN = "shard.open"
    SHARD_CLOSE = "shard.close"
    MEMBER_JOIN = "member.join"
    MEMBER_APPROVE = "member.approve"
    MEMBER_SUSPEND = "member.suspend"
    MEMBER_RESUME = "member.resume"
    MEMBER_REVOKE = "member.revoke"
    DIRECTORY = "directory"
    CONTRACT_PUBLISH = "contract.publish"
    DATASET_PUBLISH = "dataset.publish"
    RELEASE_PUBLISH = "release.publish"
    APPLICATION_OPEN = "application.open"
    AGREEMENT = "agreement"
    AGREEMENT_END = "agreement.end"
    GRANT = "grant"
    DENY = "deny"
    DENY_ROLLUP = "deny.rollup"
    DONE = "done"
    EXPIRE = "expire"
    ABORT = "abort"
    HEADS = "heads"
    COUNT = "count"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    TRUST_ROOT = "trust.root"
    SECURITY_EVENT = "sec.event"
    POLICY_ACTIVATE = "policy.activate"
    ADMIN_ACT = "admin.act"


@dataclass(frozen=True)
class Entry:
    """One entry: its kind, its moment (UTC, whole milliseconds) and its own fields; valid once it exists."""

    kind: EntryKind
    at: datetime
    fields: Mapping[str, Json]

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.at < _EPOCH:
            raise EntryInvalid("the moment of an entry has a zone and lies after 1970")
        object.__setattr__(self, "at", _EPOCH + _milliseconds(self.at) * _MS)
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))
        _check_fields(self.kind, self.fields)

    def encode(self) -> bytes:
        """Write the bytes of the leaf; raise EntryInvalid beyond 4,096 of them."""
        head = {"v": ENTRY_VERSION, "t": self.kind.value, "ts": _milliseconds(self.at)}
        raw = canonical_bytes({**head, **self.fields})
        if len(raw) > MAX_ENTRY_BYTES:
            raise EntryInvalid(f"the entry is larger than {MAX_ENTRY_BYTES} bytes")
        return raw


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
    if not isinstance(name, str) or name not in set(EntryKind):
        raise EntryInvalid("the entry is of no kind known here")
    _TIME.accept(ms)
    return Entry(EntryKind(name), _EPOCH + cast(int, ms) * _MS, value)


def chain_digest(leaf_hash: bytes) -> str:
    """Write a leaf hash as ``prev`` does in the entry that follows: ``sha256:<hex>``."""
    return "sha256:" + leaf_hash.hex()


@dataclass(frozen=True, slots=True)
class _Field:
    """One field: what it accepts (``check`` raises Invalid), and whether it may be null or left out."""

    check: Callable[[Json], object]
    nullable: bool = False
    optional: bool = False

    def accept(self, value: Json) -> None:
        """Raise Invalid unless ``value`` fits."""
        if value is not None or not self.nullable:
            self.check(value)

    def or_null(self) -> "_Field":
        return replace(self, nullable=True)

    def if_any(self) -> "_Field":
        return replace(self, optional=True)


def _text(parse: Callable[[str], object]) -> _Field:
    def check(value: Json) -> None:
        if not isinstance(value, str):
            raise EntryInvalid("text is expected here")
        parse(value)

    return _Field(check)


def _identifier(kind: Kind) -> _Field:
    return _text(lambda text: parse_id(text, kind))


def _integer(least: int) -> _Field:
    def check(value: Json) -> None:
        # type() and not isinstance: True is an int to Python and not to the log
        if type(value) is not int or not least <= value <= MAX_MS:
            raise EntryInvalid(f"a whole number from {least} to {MAX_MS} is expected here")

    return _Field(check)


def _check_flag(value: Json) -> None:
    if not isinstance(value, bool):
        raise EntryInvalid("true or false is expected here")


def _check_codes(value: Json) -> None:
    if not isinstance(value, list | tuple) or len(value) > MAX_CODES:
        raise EntryInvalid(f"a list of at most {MAX_CODES} codes is expected here")
    for code in value:
        _CODE.accept(code)


def _parse_code(text: str) -> None:
    if len(text) > MAX_CODE_CHARS or not _CODE_FORM.fullmatch(text):
        raise EntryInvalid("a code is words of a-z and 0-9, joined by . _ or -")


def _parse_key_id(text: str) -> None:
    if not _KEY_ID_FORM.fullmatch(text):
        raise EntryInvalid("a key id is a suite, a colon and 16 hex digits")


def _parse_origin(text: str) -> None:
    if not valid_name(text):
        raise EntryInvalid("the origin is not well formed")


def _parse_contract(text: str) -> None:
    name, _, version = text.partition("@")
    parse_name(name)
    parse_version(version)


_CODE = _text(_parse_code)
_CODES = _Field(_check_codes)
_FLAG = _Field(_check_flag)
_KEY_ID = _text(_parse_key_id)
_KEY = _text(PublicKey.from_text)
_ORIGIN = _text(_parse_origin)
_CONTRACT = _text(_parse_contract)
_DIGEST = _text(parse_digest)
_COMMITMENT = _DIGEST  # a salted digest looks like any other; the name says which it is
_PARTICIPANT = _identifier(Kind.PARTICIPANT)
_COUNT = _integer(0)
_NUMBER = _integer(1)  # sequences and editions begin with 1
_TIME = _integer(0)  # milliseconds since 1970

_MEMBER = {
    "part": _PARTICIPANT,
    "kid": _KEY_ID,
    "act": _COMMITMENT.if_any(),
    "role": _CODE.if_any(),
}
_TRANSFER = {
    "gid": _identifier(Kind.GRANT),
    "sub": _identifier(Kind.SUBSCRIPTION),
    "seq": _NUMBER,
}

_FIELDS: dict[EntryKind, dict[str, _Field]] = {
    # The first entry of a shard. Where another went before: its origin, the digest of its final cosigned
    # checkpoint's text, its size, and the digest of the subscription heads that were carried over.
    EntryKind.SHARD_OPEN: {
        "origin": _ORIGIN,
        "from": _ORIGIN.or_null(),
        "prev": _DIGEST.or_null(),
        "size": _COUNT.or_null(),
        "hds": _DIGEST.or_null(),
    },
    EntryKind.SHARD_CLOSE: {"next": _ORIGIN, "key": _KEY, "hds": _DIGEST},
    EntryKind.MEMBER_JOIN: _MEMBER,
    EntryKind.MEMBER_APPROVE: _MEMBER,
    EntryKind.MEMBER_SUSPEND: _MEMBER,
    EntryKind.MEMBER_RESUME: _MEMBER,
    EntryKind.MEMBER_REVOKE: _MEMBER,
    EntryKind.DIRECTORY: {"n": _NUMBER, "prev": _DIGEST.or_null(), "dig": _DIGEST},
    EntryKind.CONTRACT_PUBLISH: {"part": _PARTICIPANT, "ctr": _CONTRACT, "dig": _DIGEST},
    EntryKind.DATASET_PUBLISH: {"part": _PARTICIPANT, "dsc": _COMMITMENT, "dig": _DIGEST, "n": _NUMBER},
    EntryKind.RELEASE_PUBLISH: {
        "part": _PARTICIPANT,
        "dsc": _COMMITMENT,
        "n": _NUMBER,
        "man": _DIGEST,
        "prev": _DIGEST.or_null(),
    },
    EntryKind.APPLICATION_OPEN: {
        "app": _identifier(Kind.APPLICATION),
        "cons": _PARTICIPANT,
        "prov": _PARTICIPANT,
        "dsc": _COMMITMENT,
        "pur": _COMMITMENT,
        "dig": _DIGEST,
    },
    EntryKind.AGREEMENT: {
        "agr": _identifier(Kind.AGREEMENT),
        "prov": _PARTICIPANT,
        "cons": _PARTICIPANT,
        "dig": _DIGEST,
        "app": _identifier(Kind.APPLICATION),
    },
    EntryKind.AGREEMENT_END: {"agr": _identifier(Kind.AGREEMENT), "why": _CODE},
    EntryKind.GRANT: _TRANSFER
    | {
        "prev": _DIGEST.or_null(),
        "prov": _PARTICIPANT,
        "cons": _PARTICIPANT,
        "ckey": _KEY,
        "man": _DIGEST,
        "agr": _DIGEST,
        "rec": _DIGEST,
        "obl": _DIGEST,
        "pol": _DIGEST,
        "dec": _identifier(Kind.DECISION),
        "dsc": _COMMITMENT,
        "pur": _COMMITMENT,
        "exp": _TIME,
        "ev": _COMMITMENT,
    },
    EntryKind.DENY: {
        "cons": _PARTICIPANT,
        "act": _CODE,
        "dsc": _COMMITMENT,
        "pur": _COMMITMENT,
        "pol": _DIGEST,
        "dec": _identifier(Kind.DECISION),
        "why": _CODES,
        "ev": _COMMITMENT,
    },
    EntryKind.DENY_ROLLUP: {"cons": _PARTICIPANT, "n": _NUMBER, "since": _TIME, "until": _TIME},
    EntryKind.DONE: _TRANSFER
    | {
        "gidx": _COUNT,
        "prev": _DIGEST,
        "cc": _COMMITMENT,
        "len": _COUNT,
        "pr": _DIGEST,
        "cr": _DIGEST,
        "late": _FLAG,
        "gsh": _ORIGIN.if_any(),
    },
    EntryKind.EXPIRE: _TRANSFER
    | {"gidx": _COUNT, "prev": _DIGEST, "pr": _DIGEST.or_null(), "gsh": _ORIGIN.if_any()},
    EntryKind.ABORT: _TRANSFER
    | {
        "gidx": _COUNT,
        "prev": _DIGEST,
        "by": _PARTICIPANT,
        "why": _CODE,
        "dig": _DIGEST,
        "gsh": _ORIGIN.if_any(),
    },
    EntryKind.HEADS: {"since": _TIME, "until": _TIME, "n": _COUNT, "root": _DIGEST},
    EntryKind.COUNT: {
        "part": _PARTICIPANT,
        "since": _TIME,
        "until": _TIME,
        "sent": _COUNT,
        "recv": _COUNT,
        "dig": _DIGEST,
    },
    EntryKind.KEY_ROTATE: {
        "part": _PARTICIPANT.or_null(),
        "role": _CODE,
        "old": _KEY_ID,
        "new": _KEY_ID,
        "dig": _DIGEST,
    },
    EntryKind.KEY_REVOKE: {
        "part": _PARTICIPANT.or_null(),
        "role": _CODE,
        "kid": _KEY_ID,
        "n": _COUNT,
        "dig": _DIGEST,
    },
    EntryKind.TRUST_ROOT: {"n": _NUMBER, "dig": _DIGEST, "k": _NUMBER},
    EntryKind.SECURITY_EVENT: {
        "eid": _identifier(Kind.EVENT),
        "cls": _CODE,
        "sev": _CODE,
        "part": _PARTICIPANT.or_null(),
        "dig": _DIGEST,
    },
    EntryKind.POLICY_ACTIVATE: {"pol": _DIGEST, "by": _COMMITMENT.if_any()},
    EntryKind.ADMIN_ACT: {"act": _COMMITMENT, "role": _CODE, "what": _CODE, "dig": _DIGEST},
}


def _check_fields(kind: EntryKind, fields: Mapping[str, Json]) -> None:
    table = _FIELDS[kind]
    unknown = fields.keys() - table.keys()
    missing = {name for name, field in table.items() if not field.optional} - fields.keys()
    if unknown or missing:
        raise EntryInvalid(
            f"a {kind} entry has other fields", unknown=sorted(unknown)[:10], missing=sorted(missing)
        )
    for name, value in fields.items():
        try:
            table[name].accept(value)
        except Invalid as error:
            raise EntryInvalid(f"{kind}.{name}: {error.detail}") from error


def _milliseconds(at: datetime) -> int:
    """Count exactly; a float of seconds would lose one now and then."""
    return (at - _EPOCH) // _MS
