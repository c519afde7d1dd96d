"""The second verifier's trust: canonical JSON, DSSE, packed files, and trust roots with key windows.

Written from the formats as docs/reference describes them: ``trust.json`` v2 is DSSE v1 over canonical JSON
(RFC 8785 without floats), a packed file is gzip (RFC 1952) with a digest in its header. Like ``second`` it
imports nothing of Headwaters.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from tests.verifiers.second import (
    LOG_KEY,
    MLDSA44_KEY,
    Bad,
    Key,
    Policy,
    Tree,
    Undecided,
    decode,
    ed25519,
    need,
    read_checkpoint,
    read_key,
    read_note,
    unbase64,
    witnessed,
)

Json: TypeAlias = Any  # parsed JSON; every field that is used is compared or verified
Place: TypeAlias = tuple[str, int]  # the shard, and how many of its entries there were, this one included

ROOT_TYPE = "application/vnd.headwaters.trust-root.v2+json"
PACKED_HEAD = bytes.fromhex("1f8b08040000000002ff2400") + b"HW" + bytes.fromhex("2000")


def verdict(check: Callable[[], object]) -> str:
    """Say good, bad or undecided; a value of another type than the format's is bad."""
    try:
        check()
    except Undecided:
        return "undecided"
    except (Bad, KeyError, TypeError, IndexError, AttributeError, ValueError, OverflowError):
        return "bad"
    return "good"


# --- canonical JSON, DSSE, packed files ------------------------------------------------------------


def canonical(value: Json) -> bytes:
    """Write the one spelling of a value (RFC 8785 where keys are ASCII and numbers small integers)."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Bad("a lone surrogate") from error


def read_canonical(raw: bytes) -> Json:
    """Read a value from its one spelling."""
    try:
        value = json.loads(decode(raw), parse_float=_refuse, parse_constant=_refuse, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Bad("no JSON") from error
    need(canonical(value) == raw, "another spelling of JSON")
    return value


def _refuse(_: str) -> NoReturn:
    raise Bad("a number that is no integer")


def _integer(text: str) -> int:
    need(len(text) < 18 and abs(int(text)) < 2**53, "an integer that is too large")
    return int(text)


def digest(raw: bytes) -> str:
    """Name bytes by their SHA-256."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def pae(kind: str, payload: bytes) -> bytes:
    """Give what a DSSE signature is over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def fields(value: Json, names: Iterable[str]) -> Json:
    """Give an object that has exactly these fields."""
    need(isinstance(value, dict) and value.keys() == set(names), "an object of other fields")
    return value


def public(text: str) -> bytes:
    """Read ``ed25519:<base64>``."""
    need(text.startswith("ed25519:"), "no Ed25519 key")
    raw = unbase64(text.removeprefix("ed25519:"))
    need(len(raw) == 32, "a key of another length")
    return raw


def unpack(raw: bytes) -> bytes:
    """Read a packed file: a gzip file whose extra field holds the digest of all that follows."""
    need(raw.startswith(PACKED_HEAD) and len(raw) <= 2**21, "no packed file")
    rest = raw[len(PACKED_HEAD) + 32 :]
    need(hashlib.sha256(rest).digest() == raw[len(PACKED_HEAD) :][:32], "another digest")
    unpacker = zlib.decompressobj(-15)
    try:
        plain = unpacker.decompress(rest, 2**24 + 1)
    except zlib.error as error:
        raise Bad("no deflate stream") from error
    trailer = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    need(
        len(plain) <= 2**24 and unpacker.eof and unpacker.unused_data == trailer,
        "a packed file of another end",
    )
    return plain


# --- trust roots -----------------------------------------------------------------------------------


class Trust:
    """A trust file, once its signatures are found to hold: the root to judge by, and who signed it."""

    def __init__(self, raw: bytes) -> None:
        file = fields(read_canonical(raw), ("digest", "own", "signatures", "signed"))
        rest = {name: file[name] for name in file if name != "digest"}
        need(file["digest"] == digest(canonical(rest)), "a damaged trust file")
        self.signed, self.signers = file["signed"], list[str]()
        self.root = file["own"] or file["signed"]
        need(bool(self.root), "no root")
        if self.signed is None:
            need(not file["signatures"], "signatures over nothing")
        else:
            self.signers = _root_signers(file["signatures"], self.signed)
        if self.signed is not None and file["own"] is not None:
            _extends(file["own"], self.signed)
        self.origins = [log["origin"] for log in self.root["logs"]]
        need(len(set(self.origins)) == len(self.origins), "an origin that stands twice")

    def participant(self, name: str) -> Json:
        """Give a participant."""
        for one in self.root["participants"]:
            if one["participant"] == name:
                return one
        raise Undecided(f"{name} is not in the trust root")

    def counts(self, key: Json, place: Place) -> bool:
        """Tell whether a key had not ended at a place."""
        until = key["until"]
        return until is None or self._order(place) <= self._order((until["origin"], until["size"]))

    def _order(self, place: Place) -> tuple[int, int]:
        need(place[0] in self.origins, "a shard that the root does not name")
        return self.origins.index(place[0]), place[1]

    def policy(self, origin: str, size: int) -> Policy:
        """Give the witness policy for a checkpoint; a participant counts once."""
        need(origin in self.origins, "a log that the root does not name")
        policy = Policy(logs=[read_key(self.root["logs"][self.origins.index(origin)]["vkey"])])
        need(policy.logs[0].name == origin and policy.logs[0].kind == LOG_KEY, "another log's key")
        policy.second = _second_keys(origin, self.root["logs"][self.origins.index(origin)]["second_keys"])
        for one in self.root["participants"]:
            keys = [key for key in one["witness_keys"] if self.counts(key, (origin, size))]
            names = [f"{one['participant']} {number}" for number, _ in enumerate(keys)]
            policy.witnesses.update(
                {name: read_key(key["vkey"]) for name, key in zip(names, keys, strict=True)}
            )
            if names:
                policy.groups[one["participant"]] = 1, names
        policy.groups["quorum"] = self.root["quorum"], list(policy.groups)
        policy.quorum = "quorum"
        return policy

    def checkpoint(self, note: bytes, now_seconds: float) -> tuple[Tree, list[str]]:
        """Verify a cosigned checkpoint under the keys that count at its size; give who cosigned."""
        claim = read_checkpoint(read_note(note)[0])
        tree, counted = witnessed(note, self.policy(claim.origin, claim.size), now_seconds)
        return tree, sorted({name.split(" ")[0] for name in counted})


def _second_keys(origin: str, texts: list[str]) -> list[Key]:
    """Give the keys of the second lines that are judged here: ML-DSA-44. SM2 is passed over."""
    need(len(set(texts)) == len(texts), "a second key that stands twice")
    keys = [read_key(text) for text in texts if not text.startswith(f"{origin}/sm2-sm3+")]
    need(all((key.name, key.kind) == (f"{origin}/mldsa44", MLDSA44_KEY) for key in keys), "a strange key")
    return keys


def _root_signers(signatures: list[Json], signed: Json) -> list[str]:
    keys = {(one["participant"], one["root_key"]) for one in signed["participants"]}
    names = [(one["participant"], one["key"]) for one in signatures]
    need(names == sorted(set(names)), "signatures out of their order")
    for one in signatures:
        fields(one, ("key", "participant", "sig"))
        ed25519(public(one["key"]), unbase64(one["sig"]), pae(ROOT_TYPE, canonical(signed)))
    signers = [name[0] for name in names if name in keys]
    need(len(signers) >= signed["threshold"], "too few provinces signed the trust root")
    return signers


def _extends(own: Json, signed: Json) -> None:
    """Hold what a node sees now against what the provinces signed: nothing gone, nothing changed."""
    need(own["quorum"] == signed["quorum"], "another quorum")
    need(len(own["logs"]) >= len(signed["logs"]), "a log that is gone")
    for now, log in zip(own["logs"], signed["logs"], strict=False):
        need((now["origin"], now["vkey"]) == (log["origin"], log["vkey"]), "another log")
        kept = now["second_keys"][: len(log["second_keys"])]
        need(kept == log["second_keys"], "another key of a second line")
    _grown(own["statement_keys"], signed["statement_keys"])
    here = {one["participant"]: one for one in own["participants"]}
    for one in signed["participants"]:
        mine = here.get(one["participant"], {})
        need(all(mine.get(name) == one[name] for name in ("name", "root_key")), "another participant")
        _grown(mine["node_keys"], one["node_keys"])
        _grown(mine["witness_keys"], one["witness_keys"])


def _grown(now: list[Json], before: list[Json]) -> None:
    need(len(now) >= len(before), "a key that is gone")
    for old, new in zip(before, now, strict=False):
        same = {name: new[name] for name in new if name not in {"until", "why"}}
        need(new == old or (old["until"] is None and same.items() <= old.items()), "another key")


# --- shards ----------------------------------------------------------------------------------------


def check_succession(closed: Tree, last: bytes, first: bytes, key: Key) -> None:
    """Check that a closed shard's last entry names the next shard, and that that one's first entry follows.

    Both entries are verified under their shards' checkpoints by the caller; ``key`` is the next shard's.
    """
    closing, opening = read_canonical(last), read_canonical(first)
    need((closing["t"], opening["t"]) == ("shard.close", "shard.open"), "entries of another kind")
    need((closing["next"], public(closing["key"])) == (key.name, key.public), "another shard is named")
    text = f"{closed.origin}\n{closed.size}\n{base64.b64encode(closed.root).decode()}\n"
    expected = {
        "v": 1,
        "t": "shard.open",
        "ts": closing["ts"],
        "origin": key.name,
        "from": closed.origin,
        "prev": digest(text.encode()),
        "size": closed.size,
        "hds": closing["hds"],
    }
    need(opening == expected, "the next shard begins elsewhere")
