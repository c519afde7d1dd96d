"""A second verifier of our logs, written to the specifications: it imports nothing of Headwaters.

c2sp.org: signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature v1.0.1, tlog-tiles v0.1.0,
tlog-proof@v1, tlog-policy; RFC 6962 s2.1 for trees, whose recursive definitions are used as they stand. The
statements of a transfer, trust roots and fork proofs are ``second_evidence``'s. Whatever is not exactly as
specified is ``Bad``; too few witnesses is ``Undecided``. ``test_second_verifier`` holds it against our own
code, on good and bad.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

LOG_KEY, COSIGNER_KEY, MLDSA44_KEY = 0x01, 0x04, 0x06
MAX_SKEW_SECONDS = 5
WIDTH = 256
NUMBER = r"(0|[1-9][0-9]{0,18})"


class Bad(Exception):
    """The evidence does not hold."""


class Undecided(Exception):
    """The evidence does not suffice to judge."""


def need(holds: bool, why: str) -> None:
    """Raise Bad unless a rule holds."""
    if not holds:
        raise Bad(why)


def unbase64(text: str) -> bytes:
    """Read base64 in its one spelling (RFC 4648 s4, padded)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad("not base64") from error
    need(base64.b64encode(raw).decode() == text, "another spelling of base64")
    return raw


def decode(raw: bytes) -> str:
    """Read UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Bad("not UTF-8") from error


# --- signed-note, tlog-cosignature -----------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A verifier key ``name+hex(id)+base64(type || public key)``."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256 over name, LF, type and public key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def signed(self, text: str, signature: bytes) -> int | None:
        """Give a cosignature's seconds, or None for a log's signature; raise Bad where it does not hold."""
        seconds, message = None, text.encode()
        if self.kind == COSIGNER_KEY:
            need(len(signature) == 72, "a cosignature has 72 bytes")
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            message = b"cosignature/v1\ntime %d\n" % seconds + message
        if self.kind == MLDSA44_KEY:
            mldsa44(self.public, signature[8:], _subtree(self.name, signature[:8], read_checkpoint(text)))
            return int.from_bytes(signature[:8], "big")
        ed25519(self.public, signature, message)
        return seconds


def ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    """Verify RFC 8032."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Bad("a signature does not hold") from error


def mldsa44(public: bytes, signature: bytes, message: bytes) -> None:
    """Verify FIPS 204, with an empty context."""
    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Bad("a signature does not hold") from error


def _subtree(name: str, seconds: bytes, tree: "Tree") -> bytes:
    names = [bytes([len(one)]) + one for one in (name.encode(), tree.origin.encode())]
    ends = bytes(8) + tree.size.to_bytes(8, "big")
    return b"subtree/v1\n\x00" + names[0] + seconds + names[1] + ends + tree.root


def read_key(text: str) -> Key:
    """Read a vkey."""
    found = re.fullmatch(r"([^+\s\x00-\x1f]+)\+([0-9a-f]{8})\+(.+)", text)
    need(found is not None, "no verifier key")
    name, key_id, rest = found.groups()  # type: ignore[union-attr]  # `need` has seen to it
    raw = unbase64(rest)
    sizes = {LOG_KEY: 33, COSIGNER_KEY: 33, MLDSA44_KEY: 1313}
    need(bool(raw) and len(raw) == sizes.get(raw[0]), "a key of no known suite")
    key = Key(name, raw[0], raw[1:])
    need(key.id.hex() == key_id, "another key's id")
    return key


def read_note(raw: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Split a note into its text and its signature lines ``(name, key id, signature)``."""
    text, blank, below = decode(raw).rpartition("\n\n")
    need(bool(blank) and below.endswith("\n") and bool(text), "no signed note")
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", text), "a control character in a note")
    signatures = []
    for line in below[:-1].split("\n"):
        found = re.fullmatch(r"\u2014 ([^+\s\x00-\x1f]+) (\S+)", line)
        need(found is not None, "no signature line")
        signature = unbase64(found[2])  # type: ignore[index]  # `need` has seen to it
        need(len(signature) > 4, "a signature line without a signature")
        signatures.append((found[1], signature[:4], signature[4:]))  # type: ignore[index]  # the same
    return text + "\n", signatures


def open_note(raw: bytes, keys: Iterable[Key]) -> tuple[str, dict[Key, int | None]]:
    """Verify every signature by a known key, and none twice; strangers' lines count for nothing."""
    text, lines = read_note(raw)
    known = {(key.name, key.id): key for key in keys}
    found: dict[Key, int | None] = {}
    for name, key_id, signature in lines:
        key = known.get((name, key_id))
        if key is not None:
            need(key not in found, "one key signed twice")
            found[key] = key.signed(text, signature)
    return text, found


# --- tlog-checkpoint, tlog-policy ------------------------------------------------------------------


@dataclass(frozen=True)
class Tree:
    """What a checkpoint says: the log ``origin`` has ``size`` entries under ``root``."""

    origin: str
    size: int
    root: bytes


def read_checkpoint(text: str) -> Tree:
    """Read the three lines of a checkpoint without extensions."""
    found = re.fullmatch(rf"([^\n+\s]+)\n{NUMBER}\n([^\n]+)\n", text)
    need(found is not None, "no checkpoint")
    tree = Tree(found[1], int(found[2]), unbase64(found[3]))  # type: ignore[index]  # `need` has seen to it
    need(len(tree.root) == 32 and tree.size < 2**63, "a root or size out of range")
    need(tree.size > 0 or tree.root == hashlib.sha256(b"").digest(), "an empty log has another root")
    return tree


@dataclass
class Policy:
    """Logs, named witnesses, groups ``name -> (k, members)``, and the name that decides."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None
    second: list[Key] = field(default_factory=list)  # of the log's second lines; they count for nothing

    def satisfied(self, name: str, signed: set[str]) -> bool:
        """Tell whether a witness, or enough of a group, has signed."""
        if name in self.witnesses:
            return name in signed
        k, members = self.groups[name]
        return sum(self.satisfied(member, signed) for member in members) >= k


def read_policy(text: str) -> Policy:
    """Read a policy file; definitions come before their use."""
    policy, grouped = Policy(), set[str]()
    for line in text.split("\n"):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        match words:
            case [""]:
                continue
            case [word, *_] if word.startswith("#"):
                continue
            case ["log", vkey, *address] if len(address) < 2:
                policy.logs.append(read_key(vkey))
            case ["witness", name, vkey, *address] if len(address) < 2:
                need(name not in policy.witnesses | policy.groups, "a name defined twice")
                policy.witnesses[name] = read_key(vkey)
            case ["group", name, k, *members] if members:
                need(name not in policy.witnesses | policy.groups, "a name defined twice")
                need(all(one in policy.witnesses | policy.groups for one in members), "an unknown member")
                need(not grouped & set(members) and len(set(members)) == len(members), "in two groups")
                grouped |= set(members)
                least = {"any": "1", "all": str(len(members))}.get(k, k)
                need(least in map(str, range(1, len(members) + 1)), "a group that asks for none or too many")
                policy.groups[name] = int(least), members
            case ["quorum", name] if policy.quorum is None:
                need(name == "none" or name in policy.witnesses | policy.groups, "an unknown quorum")
                policy.quorum = name
            case _:
                raise Bad("no line of a policy")
    keys = [*policy.logs, *policy.witnesses.values()]
    need(policy.quorum is not None and bool(policy.logs), "a policy without a log or a quorum")
    need(len(set(keys)) == len(keys), "a key that stands twice")
    need(all(key.kind == LOG_KEY for key in policy.logs), "a log's key of another type")
    need(
        all(key.kind == COSIGNER_KEY for key in policy.witnesses.values()), "a witness's key of another type"
    )
    return policy


def log_signed(note: bytes, log: Key) -> Tree:
    """Verify a checkpoint by its log's key alone."""
    text, found = open_note(note, [log])
    tree = read_checkpoint(text)
    need(log in found and tree.origin == log.name, "the log did not sign it")
    return tree


def witnessed(note: bytes, policy: Policy, now_seconds: float) -> tuple[Tree, dict[str, int]]:
    """Verify a cosigned checkpoint; give it and when each witness that counts has signed."""
    text, found = open_note(note, [*policy.logs, *policy.witnesses.values(), *policy.second])
    tree = read_checkpoint(text)
    need(any(log in found and log.name == tree.origin for log in policy.logs), "no known log signed it")
    times = {name: found[key] for name, key in policy.witnesses.items() if key in found}
    counted = {
        name: at for name, at in times.items() if at is not None and at <= now_seconds + MAX_SKEW_SECONDS
    }
    if policy.quorum != "none" and not policy.satisfied(str(policy.quorum), set(counted)):
        raise Undecided(f"{len(counted)} of {len(policy.witnesses)} witnesses")
    return tree, counted


# --- RFC 6962 trees --------------------------------------------------------------------------------


def hash_leaf(entry: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Give the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """MTH, s2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    k = split(len(leaves))
    return hash_node(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def check_inclusion(leaf: bytes, index: int, path: Sequence[bytes], tree: Tree) -> None:
    """Undo PATH(m, D[n]), s2.1.1, from the root down."""

    def climb(index: int, size: int, rest: Sequence[bytes]) -> bytes:
        if size == 1:
            need(not rest, "a path that is too long")
            return leaf
        need(bool(rest), "a path that is too short")
        k = split(size)
        if index < k:
            return hash_node(climb(index, k, rest[:-1]), rest[-1])
        return hash_node(rest[-1], climb(index - k, size - k, rest[:-1]))

    need(all(len(one) == 32 for one in path), "a hash of another length")
    need(0 <= index < tree.size, "an index outside the log")
    need(climb(index, tree.size, path) == tree.root, "the entry is not in the log")


def check_consistency(old: Tree, new: Tree, path: Sequence[bytes]) -> None:
    """Undo PROOF(m, D[n]), s2.1.2; an empty tree is a prefix of every tree."""

    def climb(size: int, whole: int, rest: Sequence[bytes], known: bool) -> tuple[bytes, bytes]:
        if size == whole:
            need(len(rest) == (0 if known else 1), "a path of another length")
            return (old.root, old.root) if known else (rest[0], rest[0])
        need(bool(rest), "a path that is too short")
        k = split(whole)
        if size <= k:
            before, after = climb(size, k, rest[:-1], known)
            return before, hash_node(after, rest[-1])
        before, after = climb(size - k, whole - k, rest[:-1], False)
        return hash_node(rest[-1], before), hash_node(rest[-1], after)

    need(all(len(one) == 32 for one in (old.root, new.root, *path)), "a hash of another length")
    need(0 <= old.size <= new.size, "a larger tree is no prefix")
    if old.size == 0:
        need(not path and old.root == hashlib.sha256(b"").digest(), "an empty tree needs no path")
    else:
        need(climb(old.size, new.size, path, True) == (old.root, new.root), "two histories")


# --- tlog-tiles, tlog-proof ------------------------------------------------------------------------

Reader = Callable[[str], "bytes | None"]
"""Gives a file of the log by its path, or None."""


def tile_name(kind: str | int, n: int, width: int) -> str:
    """Name a tile or a bundle."""
    digits = str(n).zfill(-(-len(str(n)) // 3) * 3)
    *above, last = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    partial = f".p/{width}" if width < WIDTH else ""
    return "".join([f"tile/{kind}/", *(f"x{one}/" for one in above), last, partial])


def walk(read: Reader, tree: Tree) -> None:
    """Hash every entry, rebuild every tile, and reach the root; a full tile may stand for a partial one."""

    def file(kind: str | int, n: int, width: int) -> list[bytes]:
        for stored in (width, WIDTH):
            raw = read(tile_name(kind, n, stored))
            if raw is not None:
                parts = split_bundle(raw) if kind == "entries" else split_tile(raw)
                need(width <= len(parts) <= stored, f"{tile_name(kind, n, stored)} has {len(parts)} parts")
                return parts[:width]
        raise Bad(f"{tile_name(kind, n, width)} is missing")

    hashes: list[bytes] = []
    for n in range(-(-tree.size // WIDTH)):
        width = min(WIDTH, tree.size - n * WIDTH)
        hashes += map(hash_leaf, file("entries", n, width))
    need(tree_hash(hashes) == tree.root, "the entries do not lead to the root")
    level = 0
    while hashes:
        rows = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        for n, row in enumerate(rows):
            need(file(level, n, len(row)) == row, f"tile {n} of level {level} says otherwise")
        hashes = [tree_hash(row) for row in rows if len(row) == WIDTH]
        level += 1


def split_tile(raw: bytes) -> list[bytes]:
    """Split a tile into its hashes."""
    need(len(raw) % 32 == 0, "a tile that is cut off")
    return [raw[at : at + 32] for at in range(0, len(raw), 32)]


def split_bundle(raw: bytes) -> list[bytes]:
    """Split a bundle into its entries."""
    entries, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        need(at + 2 <= len(raw) >= end, "a bundle that is cut off")
        entries.append(raw[at + 2 : end])
        at = end
    return entries


def read_proof(raw: bytes) -> tuple[int, list[bytes], bytes]:
    """Read a ``.tlog-proof``: index, path and the checkpoint's note."""
    head, blank, note = raw.partition(b"\n\n")
    lines = decode(head).split("\n")
    need(bool(blank) and lines.pop(0) == "c2sp.org/tlog-proof@v1", "no proof file")
    if lines and lines[0].startswith("extra "):
        need(bool(unbase64(lines.pop(0)[6:])), "an empty extra")
    found = re.fullmatch(f"index {NUMBER}", lines.pop(0)) if lines else None
    need(found is not None, "a proof without an index")
    path = [unbase64(line) for line in lines]
    need(len(path) <= 63 and all(len(one) == 32 for one in path), "a path of other hashes")
    return int(found[1]), path, note  # type: ignore[index]  # `need` has seen to it


def check_proof(raw: bytes, leaf: bytes, policy: Policy, now_seconds: float) -> Mapping[str, int]:
    """Verify a ``.tlog-proof`` for an entry; give who cosigned, and when."""
    index, path, note = read_proof(raw)
    tree, counted = witnessed(note, policy, now_seconds)
    check_inclusion(hash_leaf(leaf), index, path, tree)
    return counted
