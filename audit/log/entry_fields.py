"""The fields of every kind of entry: what each accepts, and the table that says which kind has which.

``FIELDS`` is the whole vocabulary of the log. Each field is defined twice, once for all and once for speed:
``check`` raises for every value that has no place in the log, and ``form`` is a regular expression over the
canonical JSON of a part of what ``check`` accepts, from which ``audit.log.entry_forms`` makes a quick
reading.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from audit.formats.names import valid_name
from audit.keys.signing import PublicKey
from audit.log.entry_kinds import EntryKind
from contracts.canonical import Json
from contracts.errors import Invalid
from contracts.identifiers import Kind, parse_digest, parse_id, parse_name, parse_version

__all__ = ["FIELDS", "TIME", "EntryInvalid", "EntryKind", "Field", "check_fields", "check_key"]

MAX_ENTRY_BYTES = 4096  # ten times a grant; a bundle of 256 stays near 1 MiB at worst
MAX_CODES = 32  # reasons in one denial; the rest stands in the evidence
MAX_CODE_CHARS = 100
MAX_MS = 253_402_300_799_999  # the end of the year 9999, where datetime ends

_CODE_WORDS = r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*"
_KEY_ID_WORDS = r"(?:ed25519|x25519|mldsa44|sm2):[0-9a-f]{16}"
_VERSION_WORDS = r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}"
_SM3_FORM = re.compile(r"sm3:[0-9a-f]{64}", re.ASCII)
_CODE_FORM = re.compile(_CODE_WORDS, re.ASCII)
_KEY_ID_FORM = re.compile(_KEY_ID_WORDS, re.ASCII)


class EntryInvalid(Invalid):
    """The log entry is not well formed."""

    code = "entry-invalid"
    title_zh = "日志条目格式不正确"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it accepts (``check`` raises Invalid), and whether it may be null or left out.

    Whatever matches ``form`` is accepted, except that a ``key`` among it may still be no key.
    """

    check: Callable[[Json], object]
    form: str
    nullable: bool = False
    optional: bool = False
    is_key: bool = False

    def accept(self, value: Json) -> None:
        """Raise Invalid unless ``value`` fits."""
        if value is not None or not self.nullable:
            self.check(value)

    def or_null(self) -> "Field":
        return replace(self, nullable=True)

    def if_any(self) -> "Field":
        return replace(self, optional=True)


def _text(parse: Callable[[str], object], form: str) -> Field:
    def check(value: Json) -> None:
        if not isinstance(value, str):
            raise EntryInvalid("text is expected here")
        parse(value)

    return Field(check, f'"{form}"')


def _identifier(kind: Kind) -> Field:
    return _text(lambda text: parse_id(text, kind), f"{kind.value}-[a-z2-9]{{12}}")


def _integer(least: int) -> Field:
    def check(value: Json) -> None:
        # type() and not isinstance: True is an int to Python and not to the log
        if type(value) is not int or not least <= value <= MAX_MS:
            raise EntryInvalid(f"a whole number from {least} to {MAX_MS} is expected here")

    return Field(check, "[1-9][0-9]{0,13}" if least else "(?:0|[1-9][0-9]{0,13})")


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


@lru_cache(maxsize=4096)  # a log names the same few keys again and again, and each takes long to check
def check_key(text: str) -> None:
    """Raise KeyInvalid unless ``text`` is a public key."""
    PublicKey.from_text(text)


def _parse_sm3_root(text: str) -> None:
    if not _SM3_FORM.fullmatch(text):
        raise EntryInvalid("an SM3 root is sm3: and 64 hex digits")


def _parse_origin(text: str) -> None:
    if not valid_name(text):
        raise EntryInvalid("the origin is not well formed")


def _parse_contract(text: str) -> None:
    name, _, version = text.partition("@")
    parse_name(name)
    parse_version(version)


_CODE = _text(_parse_code, f'(?=[^"]{{1,{MAX_CODE_CHARS}}}"){_CODE_WORDS}')
_CODES = Field(_check_codes, rf"\[(?:{_CODE.form}(?:,{_CODE.form}){{0,{MAX_CODES - 1}}})?\]")
_FLAG = Field(_check_flag, "(?:true|false)")
_KEY_ID = _text(_parse_key_id, _KEY_ID_WORDS)
_KEY = replace(_text(check_key, "ed25519:[A-Za-z0-9+/]{43}="), is_key=True)
_ORIGIN = _text(_parse_origin, "[A-Za-z0-9][A-Za-z0-9./-]{0,199}")
_CONTRACT = _text(_parse_contract, f"[a-z0-9][a-z0-9-]{{1,62}}@{_VERSION_WORDS}")
_DIGEST = _text(parse_digest, "sha256:[0-9a-f]{64}")
_SM3_ROOT = _text(_parse_sm3_root, "sm3:[0-9a-f]{64}")
_COMMITMENT = _DIGEST  # a salted digest looks like any other; the name says which it is
_PARTICIPANT = _identifier(Kind.PARTICIPANT)
_COUNT = _integer(0)
_NUMBER = _integer(1)  # sequences and editions begin with 1
TIME = _integer(0)  # milliseconds since 1970

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

FIELDS: dict[EntryKind, dict[str, Field]] = {
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
    EntryKind.MEMBER_QUARANTINE: _MEMBER,
    EntryKind.MEMBER_RESUME: _MEMBER,
    EntryKind.MEMBER_REVOKE: _MEMBER,
    EntryKind.DIRECTORY: {"n": _NUMBER, "prev": _DIGEST.or_null(), "dig": _DIGEST},
    EntryKind.CONTRACT_PUBLISH: {"part": _PARTICIPANT, "ctr": _CONTRACT, "dig": _DIGEST},
    EntryKind.CONTRACT_DEPRECATE: {
        "part": _PARTICIPANT,
        "ctr": _CONTRACT,
        "suc": _CONTRACT,
        "dig": _DIGEST,
        "until": TIME,
    },
    EntryKind.CONTRACT_ACKNOWLEDGE: {"part": _PARTICIPANT, "ctr": _CONTRACT, "dep": _DIGEST, "dig": _DIGEST},
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
        "exp": TIME,
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
    EntryKind.DENY_ROLLUP: {"cons": _PARTICIPANT, "n": _NUMBER, "since": TIME, "until": TIME},
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
    EntryKind.HEADS: {"since": TIME, "until": TIME, "n": _COUNT, "root": _DIGEST},
    EntryKind.COUNT: {
        "part": _PARTICIPANT,
        "since": TIME,
        "until": TIME,
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
    EntryKind.TWIN: {"origin": _ORIGIN, "size": _NUMBER, "srt": _SM3_ROOT},
    EntryKind.EMERGENCY_DECLARE: {
        "eme": _identifier(Kind.EMERGENCY),
        "dig": _DIGEST,
        "until": TIME,
        "act": _COMMITMENT,
        "role": _CODE,
    },
    EntryKind.EMERGENCY_END: {
        "eme": _identifier(Kind.EMERGENCY),
        "why": _CODE,
        "n": _COUNT,
        "act": _COMMITMENT.if_any(),
        "role": _CODE.if_any(),
    },
    EntryKind.EMERGENCY_REVIEW: {
        "eme": _identifier(Kind.EMERGENCY),
        "why": _CODE,
        "n": _COUNT,
        "dig": _COMMITMENT,
        "act": _COMMITMENT,
        "role": _CODE,
    },
    EntryKind.OBJECTION_OPEN: {
        "obj": _identifier(Kind.OBJECTION),
        "cons": _PARTICIPANT,
        "prov": _PARTICIPANT,
        "gid": _identifier(Kind.GRANT),
        "dsc": _COMMITMENT,
        "man": _DIGEST,
        "n": _COUNT,
        "dig": _DIGEST,
    },
    EntryKind.OBJECTION_STEP: {
        "obj": _identifier(Kind.OBJECTION),
        "by": _PARTICIPANT,
        "what": _CODE,
        "n": _NUMBER,
        "dig": _DIGEST,
    },
    EntryKind.OBJECTION_CLOSE: {"obj": _identifier(Kind.OBJECTION), "why": _CODE},
    # The release that replaces another: one entry for each objection that it settles, or one without any.
    EntryKind.CORRECTION: {
        "part": _PARTICIPANT,
        "obj": _identifier(Kind.OBJECTION).or_null(),
        "dsc": _COMMITMENT,
        "old": _DIGEST,
        "man": _DIGEST,
        "n": _COUNT,
    },
    EntryKind.SECURITY_EVENT: {
        "eid": _identifier(Kind.EVENT),
        "cls": _CODE,
        "sev": _CODE,
        "part": _PARTICIPANT.or_null(),
        "dig": _DIGEST,
    },
    # Whoever proposed it, whoever approved it, and what the latter signed; the founders' act has none.
    EntryKind.POLICY_ACTIVATE: {
        "pol": _DIGEST,
        "act": _COMMITMENT.if_any(),
        "by": _COMMITMENT.if_any(),
        "dig": _DIGEST.if_any(),
    },
    EntryKind.ADMIN_ACT: {"act": _COMMITMENT, "role": _CODE, "what": _CODE, "dig": _DIGEST},
}


def check_fields(kind: EntryKind, fields: Mapping[str, Json]) -> None:
    """Raise EntryInvalid unless ``fields`` are those of ``kind`` and each accepts its value."""
    table = FIELDS[kind]
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
