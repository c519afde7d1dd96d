"""The second verifier's other half: packed transfer proofs and fork proofs, under a trust file.

Written from the formats as docs/reference describes them: ``.hwproof`` v2 and ``.hwfork`` v1. Like ``second``
it imports nothing of Headwaters. A verdict comes from the evidence and the trust file alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from tests.verifiers.second import (
    LOG_KEY,
    Tree,
    Undecided,
    check_inclusion,
    decode,
    ed25519,
    hash_leaf,
    hash_node,
    need,
    open_note,
    read_checkpoint,
    read_key,
    read_note,
    unbase64,
)
from tests.verifiers.second_trust import (
    Json,
    Place,
    Trust,
    canonical,
    digest,
    fields,
    pae,
    public,
    read_canonical,
    unpack,
)

TYPES = {
    "agreement": "agreement",
    "consumer_receipt": "receipt",
    "grant": "grant",
    "manifest": "release",
    "provider_receipt": "receipt",
    "record": "dataset",
}
TERMS = {
    "agreement": ("agreement", "dig"),
    "manifest": ("release.publish", "man"),
    "record": ("dataset.publish", "dig"),
}


# --- transfer proofs -------------------------------------------------------------------------------


class Transfer:
    """A ``.hwproof`` under a trust file; once it is made, everything in it has been found to hold."""

    def __init__(self, raw: bytes, trust: Trust, now_seconds: float, data: bytes | None = None) -> None:
        names = ("checkpoints", "done", "grant", "statements", "terms", "type")
        self._file = fields(read_canonical(unpack(raw)), names)
        need(self._file["type"] == "headwaters-transfer-proof/v2", "another kind of file")
        fields(self._file["statements"], TYPES)
        self._trust, self._now = trust, now_seconds
        self._notes_in_order()
        done, self.done_at, self.witnesses = self._entry(self._file["done"], "done")
        granted, self.granted_at, _ = self._entry(self._file["grant"], "grant")
        self.grant = self._grant(done, granted)
        self.provider = trust.participant(self.grant["provider"])
        self.consumer = trust.participant(self.grant["consumer"])
        self._terms()
        self.receipt = self._receipts(done)
        if data is not None:
            need(digest(data) == self.receipt["view_sha256"], "other data")

    def _notes_in_order(self) -> None:
        terms = self._file["terms"]
        need(isinstance(terms, dict) and terms.keys() <= TERMS.keys(), "terms that nobody knows")
        used = [one["checkpoint"] for one in (self._file["done"], self._file["grant"])]
        used += [terms[name]["checkpoint"] for name in TERMS if name in terms]
        notes = self._file["checkpoints"]
        need(list(dict.fromkeys(used)) == list(range(len(notes))), "checkpoints out of their order")
        need(len(set(notes)) == len(notes), "a checkpoint that stands twice")

    def _entry(self, shape: Json, kind: str) -> tuple[Json, Place, list[str]]:
        """Find an entry in the log; give it, its place, and who cosigned."""
        fields(shape, ("checkpoint", "index", "leaf", "path"))
        note = self._file["checkpoints"][shape["checkpoint"]].encode()
        tree, cosigners = self._trust.checkpoint(note, self._now)
        leaf = hash_leaf(canonical(shape["leaf"]))
        check_inclusion(leaf, shape["index"], [unbase64(one) for one in shape["path"]], tree)
        need((shape["leaf"]["v"], shape["leaf"]["t"]) == (1, kind), "an entry of another kind")
        return shape["leaf"], (tree.origin, shape["index"] + 1), cosigners

    def _statement(
        self, name: str, parties: Sequence[list[Json]], places: Sequence[Place], closed: Place
    ) -> Json:
        """Give a statement that each party signed with a key that counts at one of the places.

        A revoked key counts only for what was closed before its end, where the statement is a receipt.
        """
        shape = fields(self._file["statements"][name], ("payload", "signatures"))
        message = pae(f"application/vnd.headwaters.{TYPES[name]}.v1+json", canonical(shape["payload"]))
        known = {_key_id(key["key"]): key for party in parties for key in party}
        signed = set()
        for one in shape["signatures"]:
            fields(one, ("keyid", "sig"))
            need(one["keyid"] not in signed, "one key signed twice")
            raw = unbase64(one["sig"])
            if one["keyid"] in known:
                ed25519(public(known[one["keyid"]]["key"]), raw, message)
                signed.add(one["keyid"])
        for party in parties:
            good = [
                key
                for key in party
                if _key_id(key["key"]) in signed
                and any(self._trust.counts(key, at) for at in ([closed] if _revoked(name, key) else places))
            ]
            need(bool(good), f"the {name} is not signed by a key that counts")
        return shape["payload"]

    def _grant(self, done: Json, granted: Json) -> Json:
        need(
            all(done[name] == granted[name] for name in ("gid", "sub", "seq")), "the closing of another grant"
        )
        need(done["gidx"] == self.granted_at[1] - 1, "the closing of a grant elsewhere")
        other = None if self.granted_at[0] == self.done_at[0] else self.granted_at[0]
        need(done.get("gsh") == other, "the closing of a grant in another shard")
        exchange = [self._trust.root["statement_keys"]]
        grant = self._statement("grant", exchange, [self.granted_at], self.granted_at)
        salt = bytes.fromhex(grant["salt"])
        said = {
            "gid": grant["grant"],
            "sub": grant["subscription"],
            "seq": grant["seq"],
            "prov": grant["provider"],
            "cons": grant["consumer"],
            "ckey": grant["consumer_key"],
            "man": grant["manifest"],
            "agr": grant["agreement_digest"],
            "rec": grant["record"],
            "obl": digest(canonical(grant["obligations"])),
            "pol": grant["policy"],
            "dec": grant["decision"],
            "exp": round(_moment(grant["expires_at"]).timestamp() * 1000),
            "dsc": digest(b"hw-commit-v1" + salt + grant["dataset"].encode()),
            "pur": digest(b"hw-commit-v1" + salt + grant["purpose"].encode()),
            "ev": digest(b"hw-commit-v1" + salt + canonical(grant)),
        }
        need(len(salt) == 32 and said.items() <= granted.items(), "the log holds another grant")
        return grant

    def _terms(self) -> None:
        """Check that release, record and agreement are the ones the grant names, and who signed them."""
        grant, provider, consumer = self.grant, self.provider["node_keys"], self.consumer["node_keys"]
        named = {
            "agreement": grant["agreement_digest"],
            "manifest": grant["manifest"],
            "record": grant["record"],
        }
        told = {}
        for name, expected in named.items():
            places = [self.granted_at]
            if name in self._file["terms"]:
                kind, field = TERMS[name]
                leaf, place, _ = self._entry(self._file["terms"][name], kind)
                need(leaf[field] == expected, "the entry of another term")
                places.append(place)
            parties = [provider, consumer] if name == "agreement" else [provider]
            told[name] = self._statement(name, parties, places, self.granted_at)
            need(digest(canonical(told[name])) == expected, f"another {name}")
            need(told[name]["provider"] == grant["provider"], "another provider")
            need(told[name]["dataset"] == grant["dataset"], "another dataset")
        agreement = told["agreement"]
        need(told["manifest"]["number"] == grant["release"], "another release")
        need(
            all(agreement[name] == grant[name] for name in ("agreement", "consumer", "purpose")),
            "other terms",
        )
        start, end = _moment(agreement["not_before"]), _moment(agreement["expires_at"])
        need(start <= _moment(grant["issued_at"]) < end, "a grant outside its agreement's time")
        bound = [key["key"] for key in consumer if self._trust.counts(key, self.granted_at)]
        need(grant["consumer_key"] in bound, "a grant that is bound to a stranger's key")

    def _receipts(self, done: Json) -> Json:
        grant = self.grant
        places, closed = [self.granted_at], self.done_at
        given = self._statement("provider_receipt", [self.provider["node_keys"]], places, closed)
        taken = self._statement("consumer_receipt", [self.consumer["node_keys"]], places, closed)
        need((given["role"], given["participant"]) == ("provider", grant["provider"]), "another's receipt")
        need((taken["role"], taken["participant"]) == ("consumer", grant["consumer"]), "another's receipt")
        apart = {"role", "participant", "at"}
        need(
            {name: given[name] for name in given.keys() - apart}
            == {name: taken[name] for name in taken.keys() - apart},
            "receipts of two views",
        )
        need(
            (given["grant"], given["grant_index"]) == (grant["grant"], done["gidx"]),
            "another grant's receipt",
        )
        need(given["manifest"] == grant["manifest"], "another release's receipt")
        need(given["obligations"] == digest(canonical(grant["obligations"])), "other obligations")
        root = bytes.fromhex(given["view_chunk_root"].removeprefix("sha256:"))
        size = given["view_size_bytes"]
        content = b"hw-content-v1" + bytes.fromhex(given["content_salt"]) + root + size.to_bytes(8, "big")
        said = {
            "len": size,
            "cc": digest(content),
            "pr": digest(canonical(given)),
            "cr": digest(canonical(taken)),
        }
        need(said.items() <= done.items(), "the log holds other receipts")
        return given


def _key_id(text: str) -> str:
    return "ed25519:" + hashlib.sha256(public(text)).hexdigest()[:16]


def _revoked(name: str, key: Json) -> bool:
    return bool(key["why"] == "revoked" and TYPES[name] == "receipt")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- forks -----------------------------------------------------------------------------------------


def check_fork(raw: bytes, log_vkeys: Iterable[str]) -> tuple[Tree, bytes]:
    """Verify a ``.hwfork``: give the smaller checkpoint, and the root the larger one has for its entries."""
    parts = raw.split(b"\n\n")
    need(len(parts) == 5 and len(raw) <= 8192, "no fork file")
    header, *lines = decode(parts[0]).split("\n")
    need(header == "headwaters-log-fork@v1", "no fork file")
    path = [unbase64(line) for line in lines]
    need(len(path) <= 64 and all(len(one) == 32 for one in path), "a path of other hashes")
    trusted = [key for key in map(read_key, log_vkeys) if key.kind == LOG_KEY]
    trees = []
    for note in (parts[1] + b"\n\n" + parts[2] + b"\n", parts[3] + b"\n\n" + parts[4]):
        text, found = open_note(note, trusted)
        trees.append(read_checkpoint(text))
        need(len(read_note(note)[1]) == 1, "a signature besides the log's")
        if trees[-1].origin not in {key.name for key in trusted}:
            raise Undecided("a log that is not trusted")
        need([key.name for key in found] == [trees[-1].origin], "the log did not sign it")
    small, large = trees
    need(small.origin == large.origin, "two logs")
    other = _other_root(small, large, path)
    need(other != small.root, "one history")
    return small, other


def _other_root(small: Tree, large: Tree, path: list[bytes]) -> bytes:
    """Fold the path as RFC 9162 s2.1.4.2 does, from the shared subtree on."""
    if small.size == large.size:
        need(not path and small.root < large.root, "equal sizes have no path, and the lesser root first")
        return large.root
    need(0 < small.size < large.size and bool(path), "the smaller tree comes first")
    at, last = small.size - 1, large.size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for one in path[1:]:
        need(last > 0, "a path that is too long")
        if at & 1 or at == last:
            before, after = hash_node(one, before), hash_node(one, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = hash_node(after, one)
        at, last = at >> 1, last >> 1
    need(last == 0 and after == large.root, "a path to another root")
    return before
