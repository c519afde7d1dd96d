"""The table of entries: every kind writes and reads its leaf, and nothing else gets in."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.commitment import commit
from audit.formats.merkle import leaf_hash
from audit.keys.signing import SigningKey
from audit.log.entry import (
    MAX_CODES,
    MAX_ENTRY_BYTES,
    Entry,
    EntryInvalid,
    EntryKind,
    chain_digest,
    parse_entry,
    read_leaf,
)
from audit.log.entry_fields import MAX_CODE_CHARS, MAX_MS
from audit.log.entry_forms import kind_of
from contracts.canonical import NotCanonical, canonical_bytes
from contracts.errors import Invalid

AT = datetime(2026, 11, 22, 1, 2, 3, 456_000, tzinfo=UTC)
KEY = SigningKey.from_seed(b"\x01" * 32)
DIGEST = commit(bytes(32), b"x")
PART, OTHER = "p-" + "a" * 12, "p-" + "b" * 12
MEMBER: dict[str, Any] = {"part": PART, "kid": KEY.key_id, "act": DIGEST, "role": "administrator"}
TRANSFER: dict[str, Any] = {"gid": "g-" + "a" * 12, "sub": "s-" + "a" * 12, "seq": 1}

# One full example of each kind. Values are Any: tests put anything into them.
EXAMPLES: dict[EntryKind, dict[str, Any]] = {
    EntryKind.SHARD_OPEN: {
        "origin": "audit.alliance.example/2027h1",
        "from": "audit.alliance.example/2026h2",
        "prev": DIGEST,
        "size": 7,
        "hds": DIGEST,
    },
    EntryKind.SHARD_CLOSE: {"next": "audit.alliance.example/2027h1", "key": KEY.public.text, "hds": DIGEST},
    EntryKind.MEMBER_JOIN: MEMBER,
    EntryKind.MEMBER_APPROVE: MEMBER,
    EntryKind.MEMBER_SUSPEND: MEMBER,
    EntryKind.MEMBER_QUARANTINE: MEMBER,
    EntryKind.MEMBER_RESUME: MEMBER,
    EntryKind.MEMBER_REVOKE: MEMBER,
    EntryKind.DIRECTORY: {"n": 1, "prev": None, "dig": DIGEST},
    EntryKind.CONTRACT_PUBLISH: {"part": PART, "ctr": "air-hourly@1.0.0", "dig": DIGEST},
    EntryKind.CONTRACT_DEPRECATE: {
        "part": PART,
        "ctr": "air-hourly@1.0.0",
        "suc": "air-hourly@2.0.0",
        "dig": DIGEST,
        "until": 1_772_000_000_000,
    },
    EntryKind.CONTRACT_ACKNOWLEDGE: {"part": OTHER, "ctr": "air-hourly@1.0.0", "dep": DIGEST, "dig": DIGEST},
    EntryKind.DATASET_PUBLISH: {"part": PART, "dsc": DIGEST, "dig": DIGEST, "n": 1},
    EntryKind.RELEASE_PUBLISH: {"part": PART, "dsc": DIGEST, "n": 2, "man": DIGEST, "prev": DIGEST},
    EntryKind.APPLICATION_OPEN: {
        "app": "q-" + "a" * 12,
        "cons": PART,
        "prov": OTHER,
        "dsc": DIGEST,
        "pur": DIGEST,
        "dig": DIGEST,
    },
    EntryKind.AGREEMENT: {
        "agr": "a-" + "a" * 12,
        "prov": OTHER,
        "cons": PART,
        "dig": DIGEST,
        "app": "q-" + "a" * 12,
    },
    EntryKind.AGREEMENT_END: {"agr": "a-" + "a" * 12, "why": "misuse"},
    EntryKind.GRANT: TRANSFER
    | {
        "prev": None,
        "prov": OTHER,
        "cons": PART,
        "ckey": KEY.public.text,
        **dict.fromkeys(("man", "agr", "rec", "obl", "pol", "dsc", "pur", "ev"), DIGEST),
        "dec": "c-" + "a" * 12,
        "exp": 1_795_310_000_000,
    },
    EntryKind.DENY: {
        "cons": PART,
        "act": "transfer.request",
        "dec": "c-" + "a" * 12,
        "why": ["agreement-expired", "purpose.not-allowed"],
        **dict.fromkeys(("dsc", "pur", "pol", "ev"), DIGEST),
    },
    EntryKind.DENY_ROLLUP: {"cons": PART, "n": 40, "since": 1, "until": 2},
    EntryKind.DONE: TRANSFER
    | {"gidx": 0, "len": 0, "late": False, **dict.fromkeys(("prev", "cc", "pr", "cr"), DIGEST)},
    EntryKind.EXPIRE: TRANSFER | {"gidx": 0, "prev": DIGEST, "pr": None},
    EntryKind.ABORT: TRANSFER
    | {"gidx": 0, "prev": DIGEST, "by": PART, "why": "download-broken", "dig": DIGEST},
    EntryKind.HEADS: {"since": 0, "until": 1, "n": 0, "root": DIGEST},
    EntryKind.COUNT: {"part": PART, "since": 0, "until": 1, "sent": 3, "recv": 0, "dig": DIGEST},
    EntryKind.KEY_ROTATE: {"part": PART, "role": "node", "old": KEY.key_id, "new": KEY.key_id, "dig": DIGEST},
    EntryKind.KEY_REVOKE: {"part": None, "role": "statement", "kid": KEY.key_id, "n": 9, "dig": DIGEST},
    EntryKind.TRUST_ROOT: {"n": 1, "dig": DIGEST, "k": 5},
    EntryKind.TWIN: {"origin": "audit.alliance.example/2027h1/sm3", "size": 300, "srt": "sm3:" + "a" * 64},
    EntryKind.EMERGENCY_DECLARE: {
        "eme": "m-" + "a" * 12,
        "dig": DIGEST,
        "until": 1_795_310_000_000,
        "act": DIGEST,
        "role": "administrator",
    },
    EntryKind.EMERGENCY_END: {"eme": "m-" + "a" * 12, "why": "time-over", "n": 0},
    EntryKind.EMERGENCY_REVIEW: {
        "eme": "m-" + "a" * 12,
        "why": "justified",
        "n": 3,
        "dig": DIGEST,
        "act": DIGEST,
        "role": "auditor",
    },
    EntryKind.OBJECTION_OPEN: {
        "obj": "o-" + "a" * 12,
        "cons": "p-" + "a" * 12,
        "prov": "p-" + "b" * 12,
        "gid": "g-" + "a" * 12,
        "dsc": DIGEST,
        "man": DIGEST,
        "n": 2,
        "dig": DIGEST,
    },
    EntryKind.OBJECTION_STEP: {
        "obj": "o-" + "a" * 12,
        "by": "p-" + "b" * 12,
        "what": "acknowledge",
        "n": 1,
        "dig": DIGEST,
    },
    EntryKind.OBJECTION_CLOSE: {"obj": "o-" + "a" * 12, "why": "time-over"},
    EntryKind.CORRECTION: {
        "part": "p-" + "b" * 12,
        "obj": "o-" + "a" * 12,
        "dsc": DIGEST,
        "old": DIGEST,
        "man": DIGEST,
        "n": 3,
    },
    EntryKind.SECURITY_EVENT: {
        "eid": "e-" + "a" * 12,
        "cls": "access.denied-burst",
        "sev": "high",
        "part": None,
        "dig": DIGEST,
    },
    EntryKind.POLICY_ACTIVATE: {"pol": DIGEST},
    EntryKind.ADMIN_ACT: {"act": DIGEST, "role": "auditor", "what": "report.read", "dig": DIGEST},
}


def changed(kind: EntryKind, **fields: object) -> dict[str, Any]:
    """Give the example of ``kind`` with other values."""
    return {**EXAMPLES[kind], **fields}


def test_every_kind_has_an_example() -> None:
    """The examples cover the table."""
    assert EXAMPLES.keys() == set(EntryKind)


@pytest.mark.parametrize("kind", EntryKind)
def test_round_trip(kind: EntryKind) -> None:
    """Every kind writes canonical bytes with version, kind and time, and reads back the same."""
    entry = Entry(kind, AT, EXAMPLES[kind])
    raw = entry.encode()

    assert json.loads(raw) == {"v": 1, "t": kind.value, "ts": 1_795_309_323_456, **EXAMPLES[kind]}
    assert parse_entry(raw) == entry
    assert parse_entry(raw).encode() == raw
    assert raw.isascii()


@pytest.mark.parametrize("kind", EntryKind)
def test_the_fields_are_those_of_the_table(kind: EntryKind) -> None:
    """An unknown field is refused in every kind, and so is a missing one unless it is optional."""
    optional = {"act", "role", "by"} if kind not in {EntryKind.ADMIN_ACT, EntryKind.DENY} else set()
    with pytest.raises(EntryInvalid, match="other fields"):
        Entry(kind, AT, changed(kind, note="hello"))
    for name in EXAMPLES[kind].keys() - optional:
        with pytest.raises(EntryInvalid, match="other fields"):
            Entry(kind, AT, {key: value for key, value in EXAMPLES[kind].items() if key != name})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EntryKind.GRANT, {"seq": 0}),
        (EntryKind.GRANT, {"seq": True}),
        (EntryKind.GRANT, {"seq": 1.0}),
        (EntryKind.GRANT, {"seq": "1"}),
        (EntryKind.GRANT, {"exp": MAX_MS + 1}),
        (EntryKind.GRANT, {"exp": -1}),
        (EntryKind.GRANT, {"prev": ""}),
        (EntryKind.GRANT, {"man": None}),
        (EntryKind.GRANT, {"man": DIGEST.upper()}),
        (EntryKind.GRANT, {"man": DIGEST + "\n"}),
        (EntryKind.GRANT, {"gid": "s-" + "a" * 12}),
        (EntryKind.GRANT, {"cons": "张三"}),
        (EntryKind.GRANT, {"ckey": KEY.key_id}),
        (EntryKind.DONE, {"late": 0}),
        (EntryKind.DONE, {"len": True}),
        (EntryKind.DONE, {"prev": None}),
        (EntryKind.DENY, {"why": "one"}),
        (EntryKind.DENY, {"why": ["Free text, with a name"]}),
        (EntryKind.DENY, {"why": [1]}),
        (EntryKind.DENY, {"why": [["a"]]}),
        (EntryKind.DENY, {"why": ["a"] * 33}),
        (EntryKind.MEMBER_JOIN, {"kid": KEY.public.text}),
        (EntryKind.MEMBER_JOIN, {"role": "a" * 101}),
        (EntryKind.CONTRACT_PUBLISH, {"ctr": "air-hourly"}),
        (EntryKind.CONTRACT_PUBLISH, {"ctr": "air-hourly@01.0.0"}),
        (EntryKind.CONTRACT_PUBLISH, {"ctr": "Air@1.0.0"}),
        (EntryKind.SHARD_OPEN, {"origin": "a b"}),
        (EntryKind.SHARD_OPEN, {"origin": {"name": "x"}}),
        (EntryKind.SECURITY_EVENT, {"sev": "HIGH"}),
    ],
)
def test_wrong_values_are_refused(kind: EntryKind, fields: dict[str, Any]) -> None:
    """Each field has one form; no text of a person fits into any."""
    with pytest.raises(EntryInvalid):
        Entry(kind, AT, changed(kind, **fields))


GOOD = Entry(EntryKind.GRANT, AT, EXAMPLES[EntryKind.GRANT]).encode()


def variant(**head: Any) -> bytes:
    """Write the example grant with another head."""
    return canonical_bytes({**json.loads(GOOD), **head})


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"null",
        b"{}",
        variant(v=2),
        variant(v=True),
        variant(v="1"),
        variant(t="grants"),
        variant(t=None),
        variant(t=["grant"]),
        variant(ts=-1),
        variant(ts=MAX_MS + 1),
        variant(ts=True),
        variant(ts="0"),
        b" " * MAX_ENTRY_BYTES + GOOD,
    ],
)
def test_malformed_leaves(raw: bytes) -> None:
    """Another version, an unknown kind, a strange time and too many bytes are refused."""
    with pytest.raises(EntryInvalid):
        parse_entry(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        GOOD + b"\n",
        GOOD.replace(b":", b": ", 1),
        GOOD.replace(b'"seq":1', b'"seq":1.0'),
        GOOD.replace(b'"seq":1', b'"seq":1,"seq":1'),
        GOOD.replace(b'"seq":1', b'"seq":1e0'),
    ],
)
def test_another_spelling_is_refused(raw: bytes) -> None:
    """A leaf has one spelling, without floats and second fields."""
    with pytest.raises(NotCanonical):
        parse_entry(raw)


@given(st.binary(max_size=40), st.integers(0, len(GOOD)))
def test_any_bytes_parse_or_are_refused(piece: bytes, at: int) -> None:
    """No bytes crash the parser, and what it accepts it writes the same."""
    for raw in (piece, GOOD[:at] + piece + GOOD[at + len(piece) :]):
        try:
            entry = parse_entry(raw)
        except (EntryInvalid, NotCanonical):
            continue
        assert entry.encode() == raw


EVERY = {kind: Entry(kind, AT, fields).encode() for kind, fields in EXAMPLES.items()}
_ODD = st.sampled_from(
    [b"", b'"', b"0", b"1", b"-1", b"null", b"true", b"sha256:", b"\\", b"\xff", b" ", b",", b"}", b"a" * 101]
)


@given(st.sampled_from(EntryKind), st.integers(0, 900), st.integers(0, 80), _ODD | st.binary(max_size=8))
def test_the_quick_reading_comes_to_the_same_verdict(
    kind: EntryKind, at: int, count: int, piece: bytes
) -> None:
    """A leaf of any kind, spoilt anywhere, is read alike by both readings, or refused by both."""
    whole = EVERY[kind]
    for raw in (whole, whole[:at] + piece + whole[at + count :], whole[:at] + piece + whole[at:]):
        quick = kind_of(raw)
        try:
            entry = parse_entry(raw)
        except Invalid:
            assert quick is None
            with pytest.raises(Invalid):
                read_leaf(raw)
            continue
        leaf = read_leaf(raw)
        assert quick in {None, entry.kind}
        assert (leaf.kind, {name: leaf.fields[name] for name in entry.fields}) == (entry.kind, entry.fields)


@pytest.mark.parametrize("kind", EntryKind)
def test_every_usual_leaf_is_read_quickly(kind: EntryKind) -> None:
    """The examples of all kinds match their forms, so no long log falls back to the slow reading."""
    assert kind_of(EVERY[kind]) is kind


@pytest.mark.parametrize(
    "text",
    ["ed25519:" + "A" * 43 + "=", "ed25519:" + "/" * 43 + "=", KEY.public.text[:-2] + "B="],
)
def test_what_looks_like_a_key_and_is_none_is_refused(text: str) -> None:
    """A key of small order, outside the field, or in a second spelling is refused, quickly or slowly."""
    raw = GOOD.replace(KEY.public.text.encode(), text.encode())

    assert kind_of(raw) is None
    with pytest.raises(EntryInvalid):
        read_leaf(raw)


def test_a_field_cannot_stand_in_for_the_head() -> None:
    """Kind, time and version are the entry's own; a field of their name is refused."""
    for name in ("v", "t", "ts"):
        with pytest.raises(EntryInvalid):
            Entry(EntryKind.POLICY_ACTIVATE, AT, {"pol": DIGEST, name: 1})


@given(st.integers(0, MAX_MS))
def test_every_moment_round_trips(ms: int) -> None:
    """Every millisecond to the year 9999 reads back exactly."""
    raw = canonical_bytes({"v": 1, "t": "policy.activate", "ts": ms, "pol": DIGEST})

    assert parse_entry(raw).encode() == raw


def test_the_largest_entry_fits() -> None:
    """A denial with as many reasons, as long as they may be, stays within the limit of a leaf."""
    raw = Entry(EntryKind.DENY, AT, changed(EntryKind.DENY, why=["a" * MAX_CODE_CHARS] * MAX_CODES)).encode()

    assert len(raw) < MAX_ENTRY_BYTES
    assert parse_entry(raw).encode() == raw


def test_the_moment_is_utc_in_milliseconds() -> None:
    """An entry's moment is cut to milliseconds in UTC, and needs a zone."""
    entry = Entry(
        EntryKind.POLICY_ACTIVATE,
        AT.astimezone(timezone(timedelta(hours=8))) + timedelta(microseconds=999),
        {"pol": DIGEST},
    )

    assert entry.at == AT
    assert entry.at.utcoffset() == timedelta(0)
    with pytest.raises(EntryInvalid):
        Entry(EntryKind.POLICY_ACTIVATE, AT.replace(tzinfo=None), {"pol": DIGEST})


def test_an_entry_cannot_change() -> None:
    """Changing the mapping that made an entry leaves the entry as it was."""
    fields = {"pol": DIGEST}
    entry = Entry(EntryKind.POLICY_ACTIVATE, AT, fields)
    raw = entry.encode()
    fields["pol"] = "other"

    assert entry.encode() == raw


def test_an_entry_before_1970_is_refused() -> None:
    """What could not be read back is not written."""
    with pytest.raises(EntryInvalid):
        Entry(EntryKind.POLICY_ACTIVATE, datetime(1960, 1, 1, tzinfo=UTC), {"pol": DIGEST})


def test_the_chain_is_over_leaf_hashes() -> None:
    """An entry's prev is the Merkle leaf hash of the entry before."""
    assert chain_digest(leaf_hash(GOOD)) == "sha256:" + leaf_hash(GOOD).hex()
